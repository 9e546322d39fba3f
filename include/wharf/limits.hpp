#pragma once
/// The limits of peers, and what zero stands for in Compression. Plain numbers, which every room of the library reads from here.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace wharf {

/// The limits of every peer, each with its default. wharf/options.hpp says in a few words what each is; docs/limits.md also says
/// what happens when it is reached. Sizes are in bytes.
struct Limits {
  std::size_t request_line = 8 * 1024;
  std::size_t request_head = 16 * 1024;
  std::size_t request_fields = 100;
  std::size_t proxy_header = 4 * 1024;
  std::chrono::milliseconds proxy_header_time{10'000};
  std::chrono::milliseconds tls_handshake_time{10'000};
  std::chrono::milliseconds request_head_time{10'000};
  std::chrono::milliseconds keep_alive_idle{75'000};
  std::size_t chunk_extension = 1024;
  std::size_t chunk_extensions = 16 * 1024;
  std::size_t trailer = 8 * 1024;
  std::size_t trailer_fields = 32;
  std::uint64_t body = 0;
  std::chrono::milliseconds body_idle{20'000};
  std::chrono::milliseconds body_grace{20'000};
  std::uint64_t body_rate = 500;
  std::uint64_t dropped_body = 64 * 1024;
  std::chrono::milliseconds answer_time{30'000};
  std::chrono::milliseconds pipe_idle{600'000};
  std::uint64_t message = 1024 * 1024;
  std::chrono::milliseconds close_handshake{5'000};
  std::chrono::milliseconds ping_after{300'000};
  std::chrono::milliseconds pong_timeout{20'000};
  std::size_t output_low_water = 16 * 1024;
  std::size_t output_high_water = 64 * 1024;
  std::size_t output_hard_cap = 4 * 1024 * 1024;
  std::chrono::milliseconds write_stall{30'000};
  std::size_t write_progress = 1024;
  std::chrono::milliseconds stop_grace{4'000};
  std::chrono::milliseconds drain_time{4'000};
  std::chrono::milliseconds takeover_time{30'000};
  std::size_t connections = 0;
  int backlog = 511;
  std::size_t address_connections = 0;
  std::size_t address_connection_rate = 0;
  std::size_t address_connection_burst = 0;
  std::size_t address_request_rate = 0;
  std::size_t address_request_burst = 0;
  std::size_t address_records = 16 * 1024;
  std::chrono::milliseconds tcp_keep_alive_idle{180'000};
  std::chrono::milliseconds tcp_keep_alive_interval{30'000};
  int tcp_keep_alive_count = 4;
  std::size_t password_threads = 4;
  std::size_t file_threads = 4;
  std::size_t lookup_threads = 8;
  std::size_t signing_threads = 2;
};

/// Those of Limits that a virtual host may have otherwise; nothing: as the server.
struct HostLimits {
  std::optional<std::uint64_t> body{};
  std::optional<std::chrono::milliseconds> body_idle{};
  std::optional<std::chrono::milliseconds> body_grace{};
  std::optional<std::uint64_t> body_rate{};
  std::optional<std::chrono::milliseconds> answer_time{};
  std::optional<std::chrono::milliseconds> keep_alive_idle{};
  std::optional<std::uint64_t> message{};
  std::optional<std::chrono::milliseconds> close_handshake{};
  std::optional<std::chrono::milliseconds> ping_after{};
  std::optional<std::chrono::milliseconds> pong_timeout{};
  std::optional<std::chrono::milliseconds> pipe_idle{};

  friend bool operator==(const HostLimits&, const HostLimits&) = default;
};

/// What zero stands for in Compression, if neither a protocol nor the server says anything; docs/compression.md says why.
struct StandardCompression {
  unsigned window_bits = 12;
  unsigned memory_level = 5;
  unsigned level = 6;
  std::uint64_t from_shared = 192;    ///< bytes from which a message is compressed by itself
  std::uint64_t from_dedicated = 64;  ///< the same, if each peer keeps its context
};

}  // namespace wharf
