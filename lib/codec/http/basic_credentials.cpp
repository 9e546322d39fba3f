#include "codec/http/basic_credentials.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/ascii.h"
#include "codec/secret.h"
#include "codec/utf8.h"

namespace wharf::codec {
namespace {

constexpr std::string_view scheme = "Basic";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t longest_base64 = (longest_credentials + 2) / 3 * 4;

constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }  // CTL of RFC 5234 appendix B.1

bool is_plain_text(std::string_view text) { return std::none_of(text.begin(), text.end(), is_control) && is_utf8(text); }

/// Whether it is base64 as an encoder writes it: whole groups, padding only at the end, no bits that do not count. The decoder of
/// OpenSSL skips white space, stops at '-' and takes padding for zeros.
bool is_canonical_base64(std::string_view text, std::size_t padding) {
  if (text.empty() || text.size() % 4 != 0 || padding > 2) return false;
  const std::string_view digits = text.substr(0, text.size() - padding);
  if (digits.find_first_not_of(alphabet) != std::string_view::npos) return false;
  if (text.find_first_not_of('=', digits.size()) != std::string_view::npos) return false;
  const std::size_t last = alphabet.find(digits.back());
  return padding == 0 || last % (padding == 1 ? 4 : 16) == 0;
}

/// Empty if it is not well-formed.
std::string decode_base64(std::string_view text) {
  const std::size_t padding = text.size() - std::min(text.find('='), text.size());
  if (text.size() > longest_base64 || !is_canonical_base64(text, padding)) return {};
  std::string decoded(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size != static_cast<int>(decoded.size())) return {};
  decoded.resize(decoded.size() - padding);
  return decoded;
}

std::optional<Credentials> cut(std::string_view decoded) {
  const std::size_t colon = decoded.find(':');
  if (colon == std::string_view::npos || decoded.size() > longest_credentials || !is_plain_text(decoded)) return std::nullopt;
  return Credentials{std::string(decoded.substr(0, colon)), std::string(decoded.substr(colon + 1))};
}

}  // namespace

std::optional<Credentials> parse_basic_credentials(std::string_view authorization) {
  if (!base::equal_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return std::nullopt;
  const std::string_view rest = authorization.substr(scheme.size());
  const std::size_t spaces = std::min(rest.find_first_not_of(' '), rest.size());
  if (spaces == 0) return std::nullopt;
  std::string decoded = decode_base64(rest.substr(spaces));
  std::optional<Credentials> credentials = cut(decoded);
  wipe(decoded);
  return credentials;
}

bool can_be_user(std::string_view user) { return user.find(':') == std::string_view::npos && is_plain_text(user); }

std::optional<std::string> basic_challenge(std::string_view realm) {
  if (!is_plain_text(realm)) return std::nullopt;
  std::string value = "Basic realm=\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\') value += '\\';
    value += c;
  }
  return value += R"(", charset="UTF-8")";
}

}  // namespace wharf::codec
