#pragma once
/// `--limit NAME=VALUE`: the fields of wharf::Limits by name, and those of wharf::FileLimits as files.NAME.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/server.hpp"

namespace limit_options {

struct SizeLimit {
  std::string_view name;
  std::size_t wharf::Limits::*field;
};
inline constexpr SizeLimit sizes[] = {
    {"request_line", &wharf::Limits::request_line},           {"request_head", &wharf::Limits::request_head},
    {"request_fields", &wharf::Limits::request_fields},       {"chunk_extension", &wharf::Limits::chunk_extension},
    {"chunk_extensions", &wharf::Limits::chunk_extensions},   {"trailer", &wharf::Limits::trailer},
    {"trailer_fields", &wharf::Limits::trailer_fields},       {"output_low_water", &wharf::Limits::output_low_water},
    {"output_high_water", &wharf::Limits::output_high_water}, {"output_hard_cap", &wharf::Limits::output_hard_cap},
    {"write_progress", &wharf::Limits::write_progress},       {"connections", &wharf::Limits::connections},
    {"password_threads", &wharf::Limits::password_threads},   {"file_threads", &wharf::Limits::file_threads},
    {"lookup_threads", &wharf::Limits::lookup_threads},
};

struct NumberLimit {
  std::string_view name;
  int wharf::Limits::*field;
};
inline constexpr NumberLimit numbers[] = {{"backlog", &wharf::Limits::backlog},
                                          {"tcp_keep_alive_count", &wharf::Limits::tcp_keep_alive_count}};

struct CountLimit {
  std::string_view name;
  std::uint64_t wharf::Limits::*field;
};
inline constexpr CountLimit counts[] = {
    {"message", &wharf::Limits::message},
    {"body_rate", &wharf::Limits::body_rate},
    {"dropped_body", &wharf::Limits::dropped_body},
};

struct TimeLimit {
  std::string_view name;
  std::chrono::milliseconds wharf::Limits::*field;
};
inline constexpr TimeLimit times[] = {
    {"request_head_time", &wharf::Limits::request_head_time},
    {"keep_alive_idle", &wharf::Limits::keep_alive_idle},
    {"body_idle", &wharf::Limits::body_idle},
    {"body_grace", &wharf::Limits::body_grace},
    {"answer_time", &wharf::Limits::answer_time},
    {"pipe_idle", &wharf::Limits::pipe_idle},
    {"close_handshake", &wharf::Limits::close_handshake},
    {"ping_after", &wharf::Limits::ping_after},
    {"pong_timeout", &wharf::Limits::pong_timeout},
    {"write_stall", &wharf::Limits::write_stall},
    {"stop_grace", &wharf::Limits::stop_grace},
    {"tcp_keep_alive_idle", &wharf::Limits::tcp_keep_alive_idle},
    {"tcp_keep_alive_interval", &wharf::Limits::tcp_keep_alive_interval},
};

inline constexpr std::string_view of_files = "files.";

struct FileSizeLimit {
  std::string_view name;
  std::size_t wharf::FileLimits::*field;
};
inline constexpr FileSizeLimit file_sizes[] = {
    {"cached_bytes", &wharf::FileLimits::cached_bytes},
    {"cached_files", &wharf::FileLimits::cached_files},
    {"short_file", &wharf::FileLimits::short_file},
    {"open_files", &wharf::FileLimits::open_files},
    {"jobs", &wharf::FileLimits::jobs},
    {"jobs_of_mount", &wharf::FileLimits::jobs_of_mount},
    {"waiting_listings", &wharf::FileLimits::waiting_listings},
    {"kept_listings", &wharf::FileLimits::kept_listings},
    {"kept_listing_bytes", &wharf::FileLimits::kept_listing_bytes},
};

struct FileTimeLimit {
  std::string_view name;
  std::chrono::milliseconds wharf::FileLimits::*field;
};
inline constexpr FileTimeLimit file_times[] = {{"unused", &wharf::FileLimits::unused}, {"settling", &wharf::FileLimits::settling}};

inline bool take_of_files(wharf::FileLimits& limits, std::string_view name, std::uint64_t value) {
  for (const FileSizeLimit& each : file_sizes)
    if (each.name == name) return limits.*each.field = value, true;
  for (const FileTimeLimit& each : file_times)
    if (each.name == name && std::in_range<std::uint32_t>(value))
      return limits.*each.field = std::chrono::milliseconds(static_cast<std::uint32_t>(value)), true;
  return false;
}

/// False where there is no such limit, or the value is no number that it can have. Times are in milliseconds.
inline bool take(wharf::Limits& limits, wharf::FileLimits& files, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, equals);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + equals + 1, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (name.starts_with(of_files)) return take_of_files(files, name.substr(of_files.size()), value);
  for (const SizeLimit& each : sizes)
    if (each.name == name) return limits.*each.field = value, true;
  for (const NumberLimit& each : numbers)
    if (each.name == name && std::in_range<int>(value)) return limits.*each.field = static_cast<int>(value), true;
  for (const CountLimit& each : counts)
    if (each.name == name) return limits.*each.field = value, true;
  for (const TimeLimit& each : times)
    if (each.name == name && std::in_range<std::uint32_t>(value))
      return limits.*each.field = std::chrono::milliseconds(static_cast<std::uint32_t>(value)), true;
  return false;
}

inline std::string names() {
  std::string names;
  const auto add = [&names](std::string_view name, std::string_view before = {}) {
    ((names += names.empty() ? "" : ", ") += before) += name;
  };
  for (const SizeLimit& each : sizes) add(each.name);
  for (const NumberLimit& each : numbers) add(each.name);
  for (const CountLimit& each : counts) add(each.name);
  for (const TimeLimit& each : times) add(each.name);
  for (const FileSizeLimit& each : file_sizes) add(each.name, of_files);
  for (const FileTimeLimit& each : file_times) add(each.name, of_files);
  return names;
}

}  // namespace limit_options
