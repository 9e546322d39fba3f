/// The server of steady_test.py: it echoes what comes by WebSocket and in requests, on a door without TLS and on one with it, and
/// counts that. Whoever asks for /operator/add?NAME or /operator/remove?NAME adds or removes a virtual host. Every process of it
/// says at its end how much it has handled.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <wharf/server.hpp>
#include <wharf/standard_streams.hpp>

namespace {

using std::chrono::milliseconds;

/// That were handed to a row.
std::atomic<std::uint64_t> messages{0};
std::atomic<std::uint64_t> requests{0};

struct Echo {
  wharf::Peer peer;
  void message(wharf::Kind kind, std::string_view data) const {
    ++messages;
    peer.send(kind, data);
  }
  static void request(wharf::Exchange exchange) {
    ++requests;
    exchange.respond(200, "application/octet-stream", exchange.method() == "GET" ? exchange.query() : exchange.body());
  }
};

/// Hosts that come and go: a page that says the name of the host, and a certificate of their own.
struct Operator {
  static inline wharf::Server* server = nullptr;
  static inline wharf::Certificate certificate;

  static wharf::VirtualHost guest(const std::string& name) {
    wharf::VirtualHost host;
    host.name = name;
    host.mounts.push_back({"/", wharf::Fixed{200, "text/plain", name}});
    host.certificates = {certificate};
    return host;
  }

  /// The response is the outcome.
  static void request(wharf::Exchange exchange) {
    const auto done = [handle = exchange.handle()](const wharf::Error& error) {
      handle.post([text = error.message](wharf::Exchange asked) { asked.respond(text.empty() ? 200 : 500, "text/plain", text); });
    };
    const std::string name(exchange.query());
    if (exchange.path() == "/operator/add") server->add(guest(name), done);
    else server->remove(name, {}, done);
  }
};

bool failed(const wharf::Error& error) {
  if (error) wharf::print_line(wharf::StandardStream::error, error.message);
  return static_cast<bool>(error);
}

/// A busy machine must not take clients for slow ones: limits of time are longer than usual.
wharf::ServerOptions options(milliseconds drain_time) {
  wharf::ServerOptions options;
  options.threads = 2;
  options.stop_on_signals = true;
  options.log_level = wharf::Level::info;
  options.unknown_hosts = wharf::UnknownHosts::misdirected;
  options.limits.drain_time = drain_time;
  options.limits.close_handshake = options.limits.tls_handshake_time = options.limits.request_head_time = drain_time;
  return options;
}

int serve(const wharf::Certificate& own, milliseconds drain_time) {
  wharf::Server server(options(drain_time));
  Operator::server = &server;
  wharf::VirtualHost host;
  host.name = "localhost";
  host.mounts = {{"/echo/", wharf::Requests{"echo"}}, {"/operator/", wharf::Requests{"operator"}}};
  if (failed(server.add(wharf::protocol<Echo>("echo"))) || failed(server.add(wharf::protocol<Operator>("operator"))) ||
      failed(server.add(std::move(host))))
    return EXIT_FAILURE;
  wharf::Tls tls;
  tls.certificates = {own};
  if (failed(server.listen("127.0.0.1", 0)) || failed(server.listen("127.0.0.1", 0, {tls}))) return EXIT_FAILURE;
  const auto ready = [&server] {
    const auto addresses = server.addresses();
    wharf::print_line(wharf::StandardStream::output, "listening on http://" + addresses[0] + "/ and https://" + addresses[1] + "/");
  };
  return failed(server.run(ready)) ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

/// CERTIFICATE KEY, CERTIFICATE and KEY of the hosts that come, how many milliseconds a drain may take.
int main(int count, char** arguments) {
  if (count != 6) return EXIT_FAILURE;
  Operator::certificate = {arguments[3], arguments[4]};
  const int status = serve({arguments[1], arguments[2]}, milliseconds(std::atoi(arguments[5])));
  wharf::print_line(wharf::StandardStream::output, "process " + std::to_string(::getpid()) + " has echoed " +
                                                       std::to_string(messages) + " messages and answered " +
                                                       std::to_string(requests) + " requests");
  return status;
}
