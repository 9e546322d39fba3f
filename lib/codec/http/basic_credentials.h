#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::codec {

/// What the Basic scheme carries (RFC 7617 section 2), as sent: nothing is normalised. wipe() the password after use.
struct Credentials {
  std::string user;      ///< UTF-8 without ':' and control characters; may be empty
  std::string password;  ///< UTF-8 without control characters; may be empty
};

/// The most that user, ':' and password may take together, in bytes.
inline constexpr std::size_t longest_credentials = 1024;

/// Reads the value of an Authorization field. nullopt for another scheme and for anything that is not well-formed: base64 without
/// its padding or with extra bits (RFC 4648 section 3.5), text that is not UTF-8, control characters, no colon, more than
/// longest_credentials. A request with more than one Authorization field has no credentials at all: count them first.
std::optional<Credentials> parse_basic_credentials(std::string_view authorization);

/// Whether the Basic scheme can carry that name.
bool can_be_user(std::string_view user);

/// The value of a WWW-Authenticate field: `Basic realm="...", charset="UTF-8"`. nullopt for a realm with control characters, or one
/// that is not UTF-8.
std::optional<std::string> basic_challenge(std::string_view realm);

}  // namespace wharf::codec
