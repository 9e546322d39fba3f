#pragma once
/// Places to listen on as the test server takes them: `--listen` and `--unix-mode`.

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "wharf/door.hpp"

namespace door_places {

enum class Security : std::uint8_t { plain, tls };

struct Place {
  std::string interface;
  std::uint16_t port = 0;
  std::string path{};  ///< of a unix socket; if it is not empty, the other two do not count
  Security security = Security::plain;
};

template <class Number>
bool take_number(Number& number, std::string_view text, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

/// PORT, ADDRESS:PORT, either of them behind http:// or https://, or unix:PATH. An IPv6 address has brackets. Nothing: it is none of
/// these. `usual` is that of a port without a scheme.
inline std::optional<Place> parse(std::string_view text, Security usual) {
  using namespace std::string_view_literals;
  if (text.starts_with("unix:")) {
    if (text == "unix:") return std::nullopt;
    return Place{{}, 0, std::string(text.substr("unix:"sv.size()))};
  }
  Place place{"127.0.0.1", 0, {}, usual};
  if (text.starts_with("http://")) place.security = Security::plain;
  if (text.starts_with("https://")) place.security = Security::tls;
  const bool has_scheme = text.starts_with("http://") || text.starts_with("https://");
  if (has_scheme) text.remove_prefix(text.find("//") + 2);
  if (has_scheme && text.ends_with('/')) text.remove_suffix(1);
  if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    place.interface = text.substr(0, colon);
    text.remove_prefix(colon + 1);
    const bool bare_ipv6 = place.interface.find(':') != std::string::npos && !place.interface.starts_with('[');
    if (place.interface.empty() || bare_ipv6) return std::nullopt;
  }
  if (!take_number(place.port, text)) return std::nullopt;
  return place;
}

/// What a place is, as far as settings of doors are only for some. What systemd passes may be of any kind.
enum class Kind : std::uint8_t { port, file, abstract_name, passed };

inline Kind kind_of_path(std::string_view path) { return path.starts_with('@') ? Kind::abstract_name : Kind::file; }
inline Kind kind_of(const Place& place) { return place.path.empty() ? Kind::port : kind_of_path(place.path); }

/// What has no effect on doors of that kind is left out.
inline wharf::Door door_for(Kind kind, wharf::Door door) {
  if (kind != Kind::port && kind != Kind::passed) {
    door.fast_open = wharf::Door{}.fast_open;
    door.plain_http = wharf::Door{}.plain_http;
    door.https_port = wharf::Door{}.https_port;
  }
  if (kind != Kind::file && kind != Kind::passed) {
    door.mode = wharf::Door{}.mode;
    door.owner.clear();
    door.group.clear();
  }
  if (kind != Kind::passed)
    std::erase_if(door.proxy_header_from,
                  [kind](const std::string& network) { return (network == "unix") == (kind == Kind::port); });
  return door;
}

/// An octal number.
inline bool take_mode(unsigned& mode, std::string_view text) { return take_number(mode, text, 8); }

}  // namespace door_places
