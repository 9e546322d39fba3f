/// lws-status: who is connected, and what the server is doing.
///
/// As a WebSocket protocol it is that of libwebsockets: whenever a client comes or goes, all get one text. Changes within 100 ms of
/// a client's last text come together in the next:
///
///     {"version":"0.1.0","wss_over_h2":"0","hostname":"pier","wsi":"1","conns":[{"peer":"hidden","time":"1767225600","ua":"curl/8"}]}
///
/// A client may also say `stats`, and gets one text with the server's statistics; or `watch`, and gets it at once and then
/// every second, until it says `unwatch`. Anything else is ignored:
///
///     {"version":"0.1.0","hostname":"pier","uptime":61000,"connections":3,"accepted":17,"exchanges":25,
///     "tls":{"handshakes":9,"version_1_2":1,"resumed":4,"failed":2,"cut":0},
///     "refused":{"connections":0,"proxy_headers":0,"openings":1,"requests":0},"rows":[
///     {"name":"lws-status","open":1,"opened":2,"exchanges":4}
///     ]}
///
/// `uptime` is in milliseconds, `connections` are open now, `accepted`, `exchanges` (requests handled), `tls` and `refused` count from
/// the start (wharf::TlsStatistics and wharf::RefusalStatistics have each); `open` and `opened` are WebSocket conversations.
///
/// At its mount, GET gives a page that shows all this live. With `json` behind the mount, or in the client's Accept, it
/// gives only the statistics.
///
/// The list spans all loops of a virtual host, and all virtual hosts that have the same value of option `group`. Option `addresses`:
/// `on` shows everybody the address of everybody, as libwebsockets does; `off`, if not given, says `hidden`. Option `hostname`: if
/// not given, the machine's name. Option `most`: clients at once, 1 to 10000, 100 if not given; more are refused with 503.

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "attendance.h"
#include "options.h"
#include "page.h"
#include "room.h"
#include "status.html.h"
#include "status.js.h"
#include "text.h"
#include "wharf/protocol.hpp"
#include "wharf/version.h"

namespace {

using plugins::Attendance;
using plugins::json_string;

constexpr std::size_t longest_agent = 128;  // bytes shown, as in libwebsockets
constexpr std::chrono::milliseconds rest{100};
constexpr std::chrono::milliseconds watch_period{1000};

bool shows_addresses(const wharf::Scope& scope) {
  const std::string_view value = scope.option("addresses").value_or("off");
  if (value != "on" && value != "off")
    throw std::invalid_argument("option addresses is '" + std::string(value) + "'; it takes on or off");
  return value == "on";
}

/// On Linux; empty elsewhere.
std::string machine_name() {
  std::string name;
  std::getline(std::ifstream("/proc/sys/kernel/hostname"), name);
  return name;
}

std::string seconds() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(since_1970).count());
}

struct Status {
  struct Shared {
    explicit Shared(wharf::Scope its_scope)
        : scope(its_scope),
          attendance(plugins::in_group_of<Attendance>(scope)),
          with_addresses(shows_addresses(scope)),
          hostname(json_string(scope.option("hostname").value_or(machine_name()))),
          most(plugins::number_option(scope, "most", 100, {1, 10'000})) {}

    [[nodiscard]] std::string entry(const wharf::Request& request) const {
      const std::string_view address = with_addresses ? request.peer().host : "hidden";
      const std::string_view agent = request.field("user-agent").value_or("").substr(0, longest_agent);
      return R"({"peer":)" + json_string(address) + R"(,"time":")" + seconds() + R"(","ua":)" + json_string(agent) + "}";
    }
    [[nodiscard]] std::string list(std::string_view visitors) const {
      return "{\"version\":\"" WHARF_VERSION "\",\"wss_over_h2\":\"0\",\"hostname\":" + hostname + "," + std::string(visitors) +
             "}";
    }
    [[nodiscard]] std::string statistics() const {
      const auto member = [](const char* name, std::uint64_t number) {
        return "\"" + std::string(name) + "\":" + std::to_string(number);
      };
      const wharf::ServerStatistics server = scope.server_statistics();
      std::string text = "{\"version\":\"" WHARF_VERSION "\",\"hostname\":" + hostname + "," +
                         member("uptime", static_cast<std::uint64_t>(server.uptime.count())) + "," +
                         member("connections", server.connections) + "," + member("accepted", server.accepted) + "," +
                         member("exchanges", server.exchanges) + ",\n\"tls\":{" + member("handshakes", server.tls.handshakes) +
                         "," + member("version_1_2", server.tls.version_1_2) + "," + member("resumed", server.tls.resumed) + "," +
                         member("failed", server.tls.failed) + "," + member("cut", server.tls.cut) + "},\n\"refused\":{" +
                         member("connections", server.refused.connections) + "," +
                         member("proxy_headers", server.refused.proxy_headers) + "," + member("openings", server.refused.openings) +
                         "," + member("requests", server.refused.requests) + "},\"rows\":[";
      for (std::size_t i = 0; const auto row = scope.row_statistics(i); ++i)
        text += (i == 0 ? "\n{\"name\":" : ",\n{\"name\":") + json_string(row->name) + "," + member("open", row->open) + "," +
                member("opened", row->opened) + "," + member("exchanges", row->exchanges) + "}";
      return text += "\n]}\n";
    }

    wharf::Scope scope;
    std::shared_ptr<Attendance> attendance;
    bool with_addresses;
    std::string hostname;  // as JSON
    std::size_t most;
  };

  Status(wharf::Peer its_peer, Shared& its_shared) : peer(its_peer), shared(its_shared) {}
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  ~Status() { leave(); }

  // ---- As a WebSocket protocol ----

  static int accept(const wharf::Request&, Shared& shared) { return shared.attendance->size() < shared.most ? 0 : 503; }

  void opened(const wharf::Request& request) {
    const auto call = [handle = peer.handle<Status>()] { handle.post([](Status& status) { status.come(); }); };
    place = shared.attendance->enter({shared.entry(request), call});
  }
  void closing(std::uint16_t, std::string_view) { leave(); }
  void leave() {
    if (const auto left = std::exchange(place, std::nullopt)) shared.attendance->leave(*left);
  }

  void message(wharf::Kind, std::string_view text) {
    if (text == "stats" || text == "watch") say(shared.statistics());
    if (text == "watch" && !statistics_due) {
      statistics_due = peer.scope().now() + watch_period;
      if (!rests) peer.every(rest);
    }
    if (text == "unwatch") statistics_due.reset();
  }

  /// The list has changed.
  void come() {
    changed = true;
    tell();
  }
  void tick() {
    rests = false;
    tell();
    if (statistics_due && !held && peer.scope().now() >= *statistics_due) {
      statistics_due = peer.scope().now() + watch_period;
      say(shared.statistics());
    }
    if (!rests && !statistics_due) peer.every(std::chrono::milliseconds(0));
  }
  void drained() {
    held = false;
    tell();
  }

  /// A client that cannot keep up gets the current list when it can take it.
  void tell() {
    if (!place || !changed || rests || held) return;
    changed = false;
    if (!statistics_due) peer.every(rest);
    rests = true;
    say(shared.list(*shared.attendance->answer(*place)));
  }
  void say(std::string_view text) { held = peer.send_text(text) == wharf::Flow::hold || held; }

  // ---- As a handler of requests ----

  static void request(wharf::Exchange exchange, Shared& shared) {
    const std::string_view method = exchange.method();
    const std::string_view place = exchange.request().path_below_mount();
    if (method != "GET" && method != "HEAD") {
      exchange.add_field("Allow", "GET, HEAD");
      plugins::respond(exchange, 405, "text/plain; charset=utf-8", "this place takes GET and HEAD\n");
    } else if (place == "/json" || (place == "/" && plugins::wants_json(exchange))) {
      exchange.add_field("Vary", "Accept");
      plugins::respond(exchange, 200, "application/json", shared.statistics());
    } else if (place == "/") {
      plugins::respond_page(exchange, 200, {"Status", pages::StatusHtml::text, pages::StatusJs::text});
    } else if (!plugins::respond_part(exchange, place, pages::StatusJs::text)) {
      plugins::respond(exchange, 404, "text/plain; charset=utf-8", "there is nothing here\n");
    }
  }

  wharf::Peer peer;
  Shared& shared;
  std::optional<Attendance::Place> place;                   // on the list
  std::optional<std::chrono::milliseconds> statistics_due;  // nothing: the client does not watch them
  bool changed = false;                                     // the list, since this client was told
  bool rests = false;                                       // it was told just now
  bool held = false;                                        // the client takes no more for now
};

}  // namespace

WHARF_EXPORT(wharf::protocol<Status>("lws-status"))
