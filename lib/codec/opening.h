#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wharf::codec {

/// What a connection begins with.
enum class Opening : std::uint8_t {
  undecided,  ///< it depends on what is still to come
  tls,        ///< a handshake record of TLS (RFC 8446 section 5.1)
  http1,      ///< a request line of HTTP/1 (RFC 9112 section 3), or so much of one that nothing else is likely
  http2,      ///< the preface of HTTP/2 (RFC 9113 section 3.4)
  other
};

/// If so many bytes do not tell, they are a long request line.
inline constexpr std::size_t longest_opening = std::size_t{4} * 1024;

/// What the bytes that have come so far are the beginning of. More bytes change nothing but `undecided`.
Opening opening_of(std::string_view bytes);

}  // namespace wharf::codec
