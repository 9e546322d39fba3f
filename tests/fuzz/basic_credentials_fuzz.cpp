#include "codec/http/basic_credentials.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "base64.h"
#include "codec/utf8.h"
#include "fuzz/promise.h"

// Input: the value of an Authorization field, which is then also read as decoded credentials, as a user and as a realm.

namespace {

using namespace wharf::codec;

bool has_controls(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  return false;
}

void check_as_field(std::string_view field) {
  const auto credentials = parse_basic_credentials(field);
  if (!credentials) return;
  require(can_be_user(credentials->user), "a user is one that the scheme can carry");
  require(!has_controls(credentials->password) && is_utf8(credentials->password), "a password is plain text");
  const std::string carried = credentials->user + ":" + credentials->password;
  require(carried.size() <= longest_credentials, "credentials are not too long");
  require(field.ends_with(" " + base64(carried)), "there is one way alone to write credentials");
  require(!parse_basic_credentials(std::string(field) + "=") && !parse_basic_credentials(std::string(field) + "A"),
          "nothing may follow them");
}

void check_as_carried(std::string_view carried) {
  const auto credentials = parse_basic_credentials("bAsIc  " + base64(carried));
  const bool fits = carried.size() <= longest_credentials && carried.find(':') != std::string_view::npos &&
                    !has_controls(carried) && is_utf8(carried);
  require(credentials.has_value() == fits, "what is well-formed is taken, and nothing else");
  if (credentials) require(credentials->user + ":" + credentials->password == carried, "and taken whole");
}

void check_as_realm(std::string_view realm) {
  const auto challenge = basic_challenge(realm);
  require(challenge.has_value() == (!has_controls(realm) && is_utf8(realm)), "a realm is plain text");
  if (!challenge) return;
  std::string unquoted;
  std::string_view rest = *challenge;
  require(rest.starts_with("Basic realm=\""), "a challenge begins with its scheme and a quote");
  for (rest.remove_prefix(13); !rest.starts_with('"'); rest.remove_prefix(1)) {
    if (rest.starts_with('\\')) rest.remove_prefix(1);
    require(!rest.empty(), "a realm ends");
    unquoted += rest.front();
  }
  require(unquoted == realm, "a realm is what was given");
  require(rest == R"(", charset="UTF-8")", "a challenge ends with the charset");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_as_field(text);
  check_as_carried(text);
  check_as_realm(text);
  return 0;
}
