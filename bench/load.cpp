// A WebSocket load client that is so cheap that the server is what is measured. See load --help.
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "client.h"
#include "handshake.h"
#include "latency.h"
#include "process.h"

namespace bench {
namespace {

constexpr std::size_t other_descriptors = 16;

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Prints the word; with --step, waits until the caller has read what it wants to read.
void mark(const LoadOptions& options, const char* word) {
  std::puts(word);
  std::fflush(stdout);
  if (options.pace == Pace::free) return;
  int c = 0;
  while (c != '\n' && c != EOF) c = std::getchar();
}

template <class Worker>
void measure(const LoadOptions& options, Worker& client) {
  if (options.warmup > 0) client.run({options.warmup, UINT64_MAX});
  mark(options, "start");
  const auto begin = std::chrono::steady_clock::now();
  const double cpu_begin = cpu_seconds();
  const bool counted = options.messages > 0;
  const std::uint64_t messages = client.run({counted ? 86400.0 : options.seconds, counted ? options.messages : UINT64_MAX});
  const double cpu = cpu_seconds() - cpu_begin;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  mark(options, "end");
  std::printf(R"({"messages": %llu, "seconds": %.6f, "messages_per_second": %.1f, "errors": %llu, "client_cpu_seconds": %.6f})"
              "\n",
              static_cast<unsigned long long>(messages), seconds, static_cast<double>(messages) / seconds,
              static_cast<unsigned long long>(client.errors()), cpu);
}

void hold(const LoadOptions& options, Client& client) {
  std::puts("ready");
  std::fflush(stdout);
  client.hold();
  std::printf(R"({"connections": %zu, "errors": %llu})"
              "\n",
              options.connections, static_cast<unsigned long long>(client.errors()));
}

int probe(const LoadOptions& options, std::vector<Opened>&& opened) {
  Prober prober(options, std::move(opened));
  prober.run({options.warmup, UINT64_MAX});
  mark(options, "start");
  const std::uint64_t messages = prober.run({options.seconds, options.messages > 0 ? options.messages : UINT64_MAX});
  mark(options, "end");
  const auto part = [&times = prober.times()](double which) {
    return times[std::min(times.size() - 1, static_cast<std::size_t>(which * static_cast<double>(times.size())))];
  };
  std::printf(
      R"({"messages": %llu, "errors": %llu, "median_microseconds": %.1f, "p99_microseconds": %.1f, "most_microseconds": %.1f})"
      "\n",
      static_cast<unsigned long long>(messages), static_cast<unsigned long long>(prober.errors()), part(0.5), part(0.99),
      prober.times().back());
  return prober.errors() == 0 ? 0 : 1;
}

int run(const LoadOptions& options) {
  signal(SIGPIPE, SIG_IGN);
  const std::size_t limit = raise_descriptor_limit();
  if (options.connections + other_descriptors > limit) {
    std::fprintf(stderr,
                 "load: %zu connections need %zu descriptors and the hard limit is %zu; raise it (ulimit -Hn) or open fewer\n",
                 options.connections, options.connections + other_descriptors, limit);
    return 1;
  }
  if (options.work == Work::handshakes) {
    Handshaker handshaker(options);
    measure(options, handshaker);
    return handshaker.errors() == 0 ? 0 : 1;
  }
  std::vector<Opened> opened = open_connections(options);
  if (opened.empty()) return 1;
  if (options.work == Work::latency) return probe(options, std::move(opened));
  Client client(options, std::move(opened));
  if (options.work == Work::idle) {
    hold(options, client);
  } else {
    measure(options, client);
  }
  return client.errors() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto options = bench::parse_load_options(argc, argv, exit_code);
  return options ? bench::run(*options) : exit_code;
}
