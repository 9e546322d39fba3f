#include "load_options.h"

#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <string_view>

#include "process.h"
#include "wire.h"

namespace bench {

namespace {

constexpr std::string_view usage =
    R"(usage: load --port N [options]
A cheap WebSocket load client: sends messages and counts the answers, which must be the same bytes.

  --host NAME        server (127.0.0.1)
  --port N           its port
  --path PATH        request target (/)
  --protocol NAME    offered in Sec-WebSocket-Protocol (none)
  --connections N    (100)
  --in-flight K      messages outstanding per connection (1)
  --size BYTES       payload of a message (20)
  --kind text|binary (text)
  --warmup S         seconds before the measured window (0.5)
  --seconds S        length of the measured window (2)
  --messages N       end the window after that many messages instead
  --check            compare every answer byte for byte; without it the first 100 of each connection, and header and length of all
  --step             wait for a line on stdin after printing "start" and "end", so that a caller can read the server's CPU time
  --tls              over TLS 1.3; the certificate is not looked at
  --handshakes       with --tls: nothing but handshakes, on --connections new connections at once, again and again; each counts as a
                     message
  --latency          one message at a time at a steady pace, and how long their echoes take
  --resume           with --handshakes: each resumes the session of the one before
  --idle             open the connections, print "ready", hold them until stdin closes or SIGTERM
  --help

Prints "start" and "end" around the measured window, then one line of JSON. Exit 0 if every answer was right, 1 if not.
)";

constexpr std::size_t most_outstanding_bytes = 256 * 1024 * 1024;

template <typename Number>
bool take_number(std::string_view text, Number least, Number most, Number& into) {
  const auto number = parse_number<Number>(text);
  if (!number || !(*number >= least && *number <= most)) return false;
  into = *number;
  return true;
}

bool is_field_text(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return !text.empty();
}

bool take_text(std::string_view text, std::string& into) {
  into = text;
  return is_field_text(text);
}

bool take_kind(std::string_view text, Kind& into) {
  into = text == "binary" ? Kind::binary : Kind::text;
  return text == "binary" || text == "text";
}

using Setter = std::function<bool(std::string_view)>;

std::map<std::string_view, Setter> valued(LoadOptions& options) {
  return {
      {"--host", [&](auto text) { return take_text(text, options.host); }},
      {"--port", [&](auto text) { return take_number(text, 1, 65535, options.port); }},
      {"--path", [&](auto text) { return take_text(text, options.path) && text.starts_with('/'); }},
      {"--protocol", [&](auto text) { return take_text(text, options.protocol); }},
      {"--connections", [&](auto text) { return take_number<std::size_t>(text, 1, 1'000'000, options.connections); }},
      {"--in-flight", [&](auto text) { return take_number<std::size_t>(text, 1, 100'000, options.in_flight); }},
      {"--size", [&](auto text) { return take_number<std::size_t>(text, 0, longest_payload, options.size); }},
      {"--kind", [&](auto text) { return take_kind(text, options.kind); }},
      {"--seconds", [&](auto text) { return take_number(text, 0.001, 86400.0, options.seconds); }},
      {"--warmup", [&](auto text) { return take_number(text, 0.0, 86400.0, options.warmup); }},
      {"--messages", [&](auto text) { return take_number<std::uint64_t>(text, 1, UINT64_MAX, options.messages); }},
  };
}

std::map<std::string_view, std::function<void()>> flags(LoadOptions& options) {
  return {
      {"--check", [&] { options.check = Check::every; }},
      {"--step", [&] { options.pace = Pace::stepped; }},
      {"--idle", [&] { options.work = Work::idle; }},
      {"--latency", [&] { options.work = Work::latency; }},
      {"--tls", [&] { options.carrier = Carrier::tls; }},
      {"--handshakes", [&] { options.work = Work::handshakes; }},
      {"--resume", [&] { options.sessions = Sessions::resumed; }},
  };
}

std::nullopt_t wrong(int& exit_code, const std::string& what) {
  std::fprintf(stderr, "load: %s; see load --help\n", what.c_str());
  exit_code = 2;
  return std::nullopt;
}

}  // namespace

std::optional<LoadOptions> parse_load_options(int argc, char** argv, int& exit_code) {
  LoadOptions options;
  const auto setters = valued(options);
  const auto switches = flags(options);
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      std::fwrite(usage.data(), 1, usage.size(), stdout);
      exit_code = 0;
      return std::nullopt;
    }
    if (const auto flag = switches.find(name); flag != switches.end()) {
      flag->second();
      continue;
    }
    const auto setter = setters.find(name);
    if (setter == setters.end()) return wrong(exit_code, "unknown option " + name);
    if (++i == argc) return wrong(exit_code, name + " needs a value");
    if (!setter->second(argv[i])) return wrong(exit_code, name + " cannot be \"" + argv[i] + "\"");
  }
  if (options.port == 0) return wrong(exit_code, "--port is missing");
  if (options.work == Work::handshakes && options.carrier != Carrier::tls) return wrong(exit_code, "--handshakes needs --tls");
  if (options.sessions == Sessions::resumed && options.work != Work::handshakes)
    return wrong(exit_code, "--resume needs --handshakes");
  if (options.in_flight * (options.size + 14) > most_outstanding_bytes) {
    return wrong(exit_code, "--in-flight times --size is more than 256 MiB");
  }
  return options;
}

}  // namespace bench
