#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace bench {

enum class Kind : std::uint8_t { text = 1, binary = 2 };
enum class Check { sample, every };
enum class Work { echo, idle, handshakes, latency };
enum class Carrier { tcp, tls };
enum class Sessions { fresh, resumed };
enum class Pace { free, stepped };

struct LoadOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string path = "/";
  std::string protocol;
  std::size_t connections = 100;
  std::size_t in_flight = 1;
  std::size_t size = 20;
  Kind kind = Kind::text;
  double seconds = 2;
  std::uint64_t messages = 0;  // 0: as many as fit in the seconds
  double warmup = 0.5;
  Work work = Work::echo;
  Carrier carrier = Carrier::tcp;
  Sessions sessions = Sessions::fresh;
  Check check = Check::sample;
  Pace pace = Pace::free;
};

// When to stop sending; the first limit that is reached counts.
struct Bound {
  double seconds;
  std::uint64_t messages;
};

// Nothing if the program has to end now: with 0 after --help, with 2 and a line on stderr after wrong usage.
std::optional<LoadOptions> parse_load_options(int argc, char** argv, int& exit_code);

}  // namespace bench
