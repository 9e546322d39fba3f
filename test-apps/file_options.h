#pragma once
/// `--files-option PREFIX=NAME=VALUE`: the fields of wharf::Files by name.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wharf/server.hpp"

namespace file_options {

inline constexpr std::array<std::string_view, 8> all{"cache_control", "listing",     "ready_made", "compression",
                                                     "compress_from", "compress_to", "etag",       "listed"};

/// One of two values that each have a name.
template <class Value>
bool choose(Value& field, std::string_view text, std::string_view first, std::string_view second) {
  if (text != first && text != second) return false;
  field = static_cast<Value>(text == second ? 1 : 0);
  return true;
}

inline bool count(std::size_t& field, std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  field = number;
  return true;
}

/// False where there is no such field, or the value is none of its.
inline bool take(wharf::Files& files, std::string_view name, std::string_view value) {
  if (name == "cache_control") return files.cache_control = value, true;
  if (name == "listing") return choose(files.listing, value, "off", "on");
  if (name == "ready_made") return choose(files.ready_made, value, "off", "on");
  if (name == "compression") return choose(files.compression, value, "off", "on");
  if (name == "compress_from") return count(files.compress_from, value);
  if (name == "compress_to") return count(files.compress_to, value);
  if (name == "etag") return choose(files.etag, value, "by_inode", "by_time_and_size");
  return name == "listed" && count(files.listed, value);
}

inline std::string names() {
  std::string names;
  for (const std::string_view name : all) (names += names.empty() ? "" : ", ") += name;
  return names;
}

/// PREFIX=NAME=VALUE, of a folder among these mounts. Empty, or what is wrong, in one line.
inline std::string apply(std::vector<wharf::Mount>& mounts, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string prefix = text.substr(0, equals);
  const auto mount = std::find_if(mounts.begin(), mounts.end(), [&prefix](const wharf::Mount& each) {
    return each.prefix == prefix && std::holds_alternative<wharf::Files>(each.serves);
  });
  if (equals == std::string::npos || mount == mounts.end()) return "--files-option: no folder is served at '" + prefix + "'";
  const std::string_view option = std::string_view(text).substr(equals + 1);
  const std::size_t end = option.find('=');
  if (end == std::string_view::npos || !take(std::get<wharf::Files>(mount->serves), option.substr(0, end), option.substr(end + 1)))
    return "--files-option takes PREFIX=NAME=VALUE, with on, off, a number, by_inode or by_time_and_size, or a text for "
           "cache_control, not '" +
           text + "'; the names: " + names();
  return {};
}

}  // namespace file_options
