#pragma once
/// Options of the library by name, as the test server takes them: `--limit NAME=NUMBER`, `--files-option` and `--proxy-option` with
/// PREFIX=NAME=VALUE.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include "wharf/options.hpp"

namespace named_options {

inline constexpr std::string_view of_files = "files.";  ///< before the names of FileLimits

/// NAME=VALUE. False if there is no such option, or it cannot have that value.
template <class Owner, std::size_t size>
bool take(const wharf::options::Option<Owner> (&table)[size], Owner& owner, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const auto* option = wharf::options::find(table, text.substr(0, equals));
  return option != nullptr && wharf::options::take(*option, owner, text.substr(equals + 1));
}

/// Empty, or what is wrong, in one line.
inline std::string take_limit(wharf::Limits& limits, wharf::FileLimits& files, std::string_view text) {
  namespace options = wharf::options;
  if (text.starts_with(of_files) ? take(options::of_file_limits, files, text.substr(of_files.size()))
                                 : take(options::of_limits, limits, text))
    return {};
  return "--limit takes NAME=NUMBER, not '" + std::string(text) + "'; the names: " + options::names(options::of_limits) + ", " +
         options::names(options::of_file_limits, of_files);
}

/// NAME=LIMIT=NUMBER, of one of these hosts. Empty, or what is wrong, in one line.
inline std::string take_host_limit(std::vector<wharf::VirtualHost>& hosts, const std::string& text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const auto host = std::find_if(hosts.begin(), hosts.end(),
                                 [name = text.substr(0, equals)](const wharf::VirtualHost& each) { return each.name == name; });
  if (host == hosts.end()) return "--vhost-limit: there is no --vhost '" + text.substr(0, equals) + "'";
  if (take(wharf::options::of_host_limits, host->limits, std::string_view(text).substr(std::min(equals + 1, text.size()))))
    return {};
  return "--vhost-limit takes NAME=LIMIT=NUMBER, not '" + text +
         "'; the limits: " + wharf::options::names(wharf::options::of_host_limits);
}

/// PREFIX=NAME=VALUE, of a mount of that kind among these. `option` is its name on the command line, `nothing` the complaint if
/// there is no such mount, and `values` says what values may be. Empty, or what is wrong, in one line.
template <class Kind, std::size_t size>
std::string take_of_mount(std::vector<wharf::Mount>& mounts, const std::string& text,
                          const wharf::options::Option<Kind> (&table)[size], const std::string& option, std::string_view nothing,
                          std::string_view values) {
  const std::size_t equals = text.find('=');
  const std::string prefix = text.substr(0, equals);
  const auto mount = std::find_if(mounts.begin(), mounts.end(), [&prefix](const wharf::Mount& each) {
    return each.prefix == prefix && std::holds_alternative<Kind>(each.serves);
  });
  if (equals == std::string::npos || mount == mounts.end()) return option + ": " + std::string(nothing) + " '" + prefix + "'";
  if (take(table, std::get<Kind>(mount->serves), std::string_view(text).substr(equals + 1))) return {};
  return option + " takes PREFIX=NAME=VALUE, with " + std::string(values) + ", not '" + text +
         "'; the names: " + wharf::options::names(table);
}

inline std::string take_of_files(std::vector<wharf::Mount>& mounts, const std::string& text) {
  return take_of_mount(mounts, text, wharf::options::of_files, "--files-option", "no folder is served at",
                       "on, off, a number, by_inode or by_time_and_size, or a text for cache_control");
}

inline std::string take_of_proxy(std::vector<wharf::Mount>& mounts, const std::string& text) {
  return take_of_mount(mounts, text, wharf::options::of_proxy, "--proxy-option", "there is no proxy at",
                       "on, off, a number, or a text for a name or a file");
}

/// PREFIX=NUMBER or PREFIX=NUMBER,BURST. Empty, or what is wrong, in one line.
inline std::string take_request_rate(std::vector<wharf::Mount>& mounts, std::string_view text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string_view prefix = text.substr(0, equals);
  const std::string_view values = text.substr(std::min(equals + 1, text.size()));
  const std::string_view number = values.substr(0, values.find(','));
  wharf::RequestRate rate;
  const auto is_read = [](std::string_view part, auto& value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc() && end == part.data() + part.size();
  };
  const bool has_burst = number.size() != values.size();
  if (!is_read(number, rate.per_second) || (has_burst && !is_read(values.substr(number.size() + 1), rate.burst)))
    return "--request-rate takes PREFIX=NUMBER or PREFIX=NUMBER,BURST, not '" + std::string(text) + "'";
  const auto mount = std::find_if(mounts.begin(), mounts.end(), [&](const wharf::Mount& each) { return each.prefix == prefix; });
  if (mount == mounts.end()) return "--request-rate: nothing is mounted at '" + std::string(prefix) + "'";
  mount->request_rate = rate;
  return {};
}

}  // namespace named_options
