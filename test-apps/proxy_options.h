#pragma once
/// `--proxy-option PREFIX=NAME=VALUE`: the fields of wharf::Proxy by name.

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wharf/server.hpp"

namespace proxy_options {

struct SwitchOption {
  std::string_view name;
  wharf::Switch wharf::Proxy::*field;
};
inline constexpr std::array switches{
    SwitchOption{"add_slash", &wharf::Proxy::add_slash},     SwitchOption{"map_places", &wharf::Proxy::map_places},
    SwitchOption{"map_cookies", &wharf::Proxy::map_cookies}, SwitchOption{"send_prefix", &wharf::Proxy::send_prefix},
    SwitchOption{"send_via", &wharf::Proxy::send_via},       SwitchOption{"send_interim", &wharf::Proxy::send_interim},
};

struct CountOption {
  std::string_view name;
  std::size_t wharf::Proxy::*field;
};
inline constexpr std::array counts{
    CountOption{"idle_connections", &wharf::Proxy::idle_connections},
    CountOption{"most_connections", &wharf::Proxy::most_connections},
    CountOption{"most_waiting", &wharf::Proxy::most_waiting},
};

struct TimeOption {
  std::string_view name;
  std::chrono::milliseconds wharf::Proxy::*field;
};
inline constexpr std::array times{
    TimeOption{"connect_time", &wharf::Proxy::connect_time},
    TimeOption{"answer_time", &wharf::Proxy::answer_time},
    TimeOption{"waiting_time", &wharf::Proxy::waiting_time},
};

/// NAME=VALUE: on or off, a number, or milliseconds. False where there is no such field, or the value is none of its.
inline bool take(wharf::Proxy& proxy, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, equals);
  const std::string_view value = text.substr(equals + 1);
  for (const SwitchOption& each : switches) {
    if (each.name != name) continue;
    proxy.*each.field = value == "on" ? wharf::Switch::on : wharf::Switch::off;
    return value == "on" || value == "off";
  }
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) return false;
  for (const CountOption& each : counts)
    if (each.name == name) return proxy.*each.field = number, true;
  for (const TimeOption& each : times)
    if (each.name == name) return proxy.*each.field = std::chrono::milliseconds(number), true;
  return false;
}

inline std::string names() {
  std::string names;
  const auto add = [&names](std::string_view name) { (names += names.empty() ? "" : ", ") += name; };
  for (const SwitchOption& each : switches) add(each.name);
  for (const CountOption& each : counts) add(each.name);
  for (const TimeOption& each : times) add(each.name);
  return names;
}

/// PREFIX=NAME=VALUE, of a proxy among these mounts. Empty, or what is wrong, in one line.
inline std::string apply(std::vector<wharf::Mount>& mounts, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string prefix = text.substr(0, equals);
  const auto mount = std::find_if(mounts.begin(), mounts.end(), [&prefix](const wharf::Mount& each) {
    return each.prefix == prefix && std::holds_alternative<wharf::Proxy>(each.serves);
  });
  if (equals == std::string::npos || mount == mounts.end()) return "--proxy-option: there is no proxy at '" + prefix + "'";
  if (!take(std::get<wharf::Proxy>(mount->serves), std::string_view(text).substr(equals + 1)))
    return "--proxy-option takes PREFIX=NAME=VALUE, with on, off or a number, not '" + text + "'; the names: " + names();
  return {};
}

}  // namespace proxy_options
