#pragma once
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "base/peer_address.h"

namespace wharf::server {

/// One response, for a line of the access log. Texts are as they came from the peer, and are needed only during the call.
struct AccessEntry {
  enum class Delivery : std::uint8_t { whole, cut };  ///< whether all of the response went out

  base::PeerAddress address;       ///< of the client; written without its port
  std::string_view user;           ///< empty: nobody logged in
  std::time_t time = 0;            ///< when the request came, in seconds since 1970
  std::uint32_t microseconds = 0;  ///< of that second
  std::string_view method;         ///< method, target and version are empty if the request line could not be read
  std::string_view target;
  std::string_view version;  ///< such as "HTTP/1.1"
  int status = 0;            ///< 0: there was no response
  std::uint64_t body_bytes = 0;
  std::string_view referer;
  std::string_view user_agent;
  std::string_view host;
  std::uint64_t duration = 0;  ///< microseconds
  std::string_view protocol;   ///< the subprotocol, if it became a WebSocket
  Delivery delivery = Delivery::whole;
  std::string_view tls_version;  ///< such as TLSv1.3; these are empty if the connection has no TLS
  std::string_view tls_cipher;
  std::string_view tls_resumed;  ///< yes or no
};

/// The most bytes of target, referer and user agent in a line; of other texts, longest_short_text. Then comes "...". A code point
/// is not cut in two.
inline constexpr std::size_t longest_text = 4096;
inline constexpr std::size_t longest_short_text = 256;

/// The combined format of NCSA and Apache, without a line feed:
///
///     127.0.0.1 - ann [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326 "http://example.com/" "agent"
///
/// The time is UTC. "-" stands for an empty text, and for a body of no bytes. Quotes and backslashes have a backslash before them;
/// \b \n \r \t \v are those characters, \xHH other control characters and bytes beyond ASCII, and outside quotes a space.
std::string combined_line(const AccessEntry& entry);

/// A JSON object (RFC 8259) in one line, without a line feed. It always has the same members; an empty text is an empty string:
///
///     {"time":"2000-10-10T13:55:36.000123Z","address":"127.0.0.1","user":"ann","host":"example.com","method":"GET","target":"/a",
///      "version":"HTTP/1.1","status":200,"bytes":2326,"referer":"","user_agent":"agent","duration_us":1234,"protocol":"","complete":true,
///      "tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","tls_resumed":"no"}
///
/// Bytes that are not UTF-8 become U+FFFD; control characters, including those of the C1 set, are \u00HH.
std::string json_line(const AccessEntry& entry);

}  // namespace wharf::server
