// Common parts of the programs here: numbers from the command line, the descriptor limit, the ready line.
#pragma once
#include <sys/resource.h>

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string_view>

namespace bench {

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Raises the soft limit of open descriptors to the hard one, and returns it.
inline std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(limit.rlim_cur);
}

// The port from `--port N`, the only option of a floor. If there is none, `exit_code` says how to end.
inline std::optional<int> floor_port(int argc, char** argv, int& exit_code) {
  const std::string_view name = argv[0];
  const std::string_view option = argc > 1 ? argv[1] : "";
  const auto port = argc == 3 && option == "--port" ? parse_number<int>(argv[2]) : argc == 1 ? 0 : std::optional<int>();
  if (port && *port >= 0 && *port <= 65535) return port;
  exit_code = option == "--help" ? 0 : 2;
  std::fprintf(exit_code == 0 ? stdout : stderr,
               "usage: %.*s [--port N]   (0 to 65535; 0, the default, picks a free one)\n"
               "A bare WebSocket echo on 127.0.0.1; the floor that bench/compare measures against.\n",
               static_cast<int>(name.size()), name.data());
  return std::nullopt;
}

inline void announce(int port) {
  std::printf("listening on http://127.0.0.1:%d/\n", port);
  std::fflush(stdout);
}

}  // namespace bench
