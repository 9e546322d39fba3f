// Common parts of the programs here: numbers from the command line, the descriptor limit, the ready line.
#pragma once
#include <sys/resource.h>

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
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

struct FloorOptions {
  int port = 0;
  std::string certificate;  // PEM; empty: without TLS
  std::string key;
};

// If there are none, `exit_code` says how to end.
inline std::optional<FloorOptions> floor_options(int argc, char** argv, int& exit_code) {
  const std::string_view name = argv[0];
  FloorOptions options;
  std::optional<int> port = 0;
  bool known = argc % 2 == 1;
  for (int i = 1; known && i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--port") port = parse_number<int>(argv[i + 1]);
    else if (option == "--certificate") options.certificate = argv[i + 1];
    else if (option == "--key") options.key = argv[i + 1];
    else known = false;
  }
  options.port = port.value_or(-1);
  if (known && options.port >= 0 && options.port <= 65535 && options.certificate.empty() == options.key.empty()) return options;
  exit_code = argc == 2 && std::string_view(argv[1]) == "--help" ? 0 : 2;
  std::fprintf(
      exit_code == 0 ? stdout : stderr,
      "usage: %.*s [--port N] [--certificate FILE --key FILE]   (0 to 65535; 0, the default, picks a free one)\n"
      "A bare WebSocket echo on 127.0.0.1, with TLS if it gets a certificate; the floor that bench/compare measures against.\n",
      static_cast<int>(name.size()), name.data());
  return std::nullopt;
}

inline void announce(const FloorOptions& options, int port) {
  std::printf("listening on %s://127.0.0.1:%d/\n", options.certificate.empty() ? "http" : "https", port);
  std::fflush(stdout);
}

}  // namespace bench
