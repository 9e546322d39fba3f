#pragma once
/// What configures a server: limits, mounts, virtual hosts, options. Plain values; the server (wharf/server.hpp) copies each when
/// it is handed over, and says there what is wrong with it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "wharf/door.hpp"    // IWYU pragma: export
#include "wharf/limits.hpp"  // IWYU pragma: export
#include "wharf/mounts.hpp"  // IWYU pragma: export
#include "wharf/protocol.hpp"
#include "wharf/tls.hpp"  // IWYU pragma: export

namespace wharf {

/// What went wrong, in one line that says how to mend it; converts to true if something did.
struct [[nodiscard]] Error {
  std::string message;
  explicit operator bool() const { return !message.empty(); }
};

/// Options of one protocol on one virtual host, by name.
using Options = std::map<std::string, std::string, std::less<>>;

/// Requests that a row of the protocol table handles, with its request() or its Responder.
struct Requests {
  std::string protocol;
};

/// Another place: 301 or 302, which let clients turn a POST into a GET, or 307 or 308, which do not.
struct Redirect {
  std::string location;  ///< if it ends in '/', the rest of the path behind the prefix is appended. The query goes along
  int status = 308;
};

enum class Switch : std::uint8_t { off, on };

/// Another HTTP/1.1 server, which is asked in the client's place (RFC 9110 section 3.7). WebSockets and other upgrades are passed
/// through.
struct Proxy {
  std::string to;  ///< http://host:port/base/, https://host:port/base/, unix:/path/of/socket or unix:/path/of/socket:/base/
  std::chrono::milliseconds connect_time{5'000};   ///< to reach it, with the handshake of TLS; then 504
  std::chrono::milliseconds answer_time{60'000};   ///< from the end of the request to the beginning of its response; then 504
  std::size_t idle_connections = 16;               ///< kept for later requests, by each loop
  std::size_t most_connections = 0;                ///< by each loop, upgraded ones too. 0: one for each client that needs one
  std::size_t most_waiting = 1'024;                ///< requests that wait for one of those, by each loop; then 503
  std::chrono::milliseconds waiting_time{30'000};  ///< for one of those; then 503

  // docs/http.md says more about each of these.
  Switch add_slash = Switch::on;     ///< GET and HEAD of the prefix without its last '/' are redirected to the prefix
  Switch map_places = Switch::on;    ///< Location, Content-Location and Refresh that point into `to` point below the prefix instead
  Switch map_cookies = Switch::on;   ///< and so do the paths of cookies; a Domain that is the host of `to` is left out
  Switch send_host = Switch::on;     ///< Host is the client's; off: host and port of `to`. X-Forwarded-Host is the client's always
  Switch send_prefix = Switch::on;   ///< X-Forwarded-Prefix has the prefix
  Switch send_via = Switch::on;      ///< off: no Via passes in either direction, and circles are not noticed
  Switch send_interim = Switch::on;  ///< interim responses (1xx) are passed on

  // Only for https. Files are PEM, and read again by Server::reload(). docs/tls.md says more.
  Switch tls_verify = Switch::on;  ///< off: whoever answers is believed to be the server
  std::string tls_authorities{};   ///< a file: who may have signed the server's certificate; empty: those of the system
  std::string tls_server_name{};   ///< asked for (SNI), and named by the certificate; empty: the host of `to`
  std::string tls_certificate{};   ///< a file: our own, for servers that ask for one, then those between it and a root
  std::string tls_key{};           ///< a file; empty: the key is in the file of the certificate
  std::string tls_passphrase{};    ///< a file whose first line opens an encrypted key; empty: it is not encrypted
};

/// Always the same response.
struct Fixed {
  int status = 200;
  std::string media_type = "text/plain; charset=utf-8";
  std::string body;
};

/// Users who may come in, by basic authentication (RFC 7617). Without TLS, passwords travel in the clear.
struct PasswordAccess {
  std::string file;  ///< of htpasswd: `htpasswd -B`; docs/http.md says which hashes are taken. Read again when it changes
  std::string realm = "wharf";
};

/// Fields that tell browsers to be careful: nosniff, no framing, no referrer to others, own content only.
enum class SecurityFields : std::uint8_t { off, on };

/// How often one client may send requests; those beyond it get 429. The client is an IPv4 address or an IPv6 network of 64 bits,
/// which a trusted front or a PROXY header may name. docs/doors.md says more.
struct RequestRate {
  double per_second = 0;  ///< on average, such as 0.1: one in ten seconds. 0: no limit
  std::size_t burst = 0;  ///< at once, before that applies; 0: as many as in a second, and at least one
};

/// A URL prefix and what serves it. The longest prefix that fits the percent-decoded path wins.
struct Mount {
  std::string prefix = "/";  ///< starts and ends with '/'; the same path without the last '/' belongs to it
  std::variant<Files, Requests, Redirect, Proxy, Fixed> serves;
  std::vector<std::pair<std::string, std::string>> fields{};  ///< added to every response
  SecurityFields security = SecurityFields::off;
  std::optional<PasswordAccess> access{};  ///< nothing: everybody may come in
  RequestRate request_rate{};              ///< of one client, WebSockets included; besides that of the host and of the server
  Switch without_tls = Switch::off;        ///< on: also served where a door redirects or refuses plain HTTP
};

enum class LogFormat : std::uint8_t { combined, json };

/// A line for each request, when its response is complete.
struct AccessLogFile {
  std::string file;  ///< appended to, and opened again by Server::reopen_logs(); "-": standard output; empty: none is written
  LogFormat format = LogFormat::combined;
};

/// Tells browsers to use nothing but https for a host (RFC 6797): a field of each response over TLS, and of each that a trusted front
/// passes on over TLS. It is never sent over plain HTTP.
struct StrictTransportSecurity {
  std::chrono::seconds max_age{0};          ///< how long browsers keep to it after each response; 0: nothing is sent
  Switch include_subdomains = Switch::off;  ///< it is for all names below the host's too
  Switch preload = Switch::off;             ///< browsers may have it built in; only with `include_subdomains`
};

/// A name with its own mounts, protocol table and options. A name is an address, or labels of letters, digits, '-' and '_' with dots
/// between them; the first label may be '*', which stands for any one label. Case and a dot at the end do not count, nor do the
/// brackets of an IPv6 address.
struct VirtualHost {
  std::string name;  ///< compared with the Host of requests; empty: for all others. docs/virtual-hosts.md says what fits it
  std::vector<Mount> mounts;
  std::vector<std::string> protocols;      ///< which rows clients may select here; empty: all that the server has
  std::string default_protocol;            ///< the row for clients that offer no subprotocol; empty: they are refused, unless the
                                           ///< table has a row with the empty name
  std::map<std::string, Options> options;  ///< by subprotocol name
  std::vector<std::string>
      origins;  ///< pages that may open WebSockets: origins like https://example.com, `same-origin`, `null` or `file://`;
                ///< others are refused with 403. Empty: all may. Clients that are no browser send none, and may
  AccessLogFile access_log;
  std::vector<Certificate> certificates{};  ///< for clients that ask for this name (RFC 6066 section 3), on every door with TLS;
                                            ///< of different kinds of keys, as those of Tls. None: the door's
  std::size_t connections = 0;              ///< requests in progress and WebSockets at once; beyond it 503. 0: no limit
  RequestRate request_rate{};               ///< of one client; besides Limits::address_request_rate
  StrictTransportSecurity strict_transport_security{};
  std::vector<std::string> aliases{};  ///< more names of the same host
  HostLimits limits{};                 ///< those that are set go before ServerOptions::limits; docs/virtual-hosts.md
};

/// What becomes of a virtual host that is removed while the server runs. Its requests in progress are finished in any case.
struct Removal {
  enum class WebSockets : std::uint8_t {
    end,  ///< they get 1001, and pipes are closed
    keep  ///< they live on, and so do pipes
  };
  WebSockets web_sockets = WebSockets::end;
  std::chrono::milliseconds grace{0};  ///< until they are ended
};

/// What a request gets if no virtual host has the name in its Host, and none is for all others.
enum class UnknownHosts : std::uint8_t {
  served,       ///< what the virtual host that was added first has for it
  misdirected,  ///< 421 (RFC 9110 section 15.5.20)
  not_found     ///< 404
};

/// Receives each log line, without line feed; control characters and others that could begin a second line are \xHH. Called by one
/// thread at a time, usually the one whose line it is, and without a lock. It may use the library like any code on its thread: log,
/// send to a peer of that loop, post, stop the server. Lines that arise meanwhile, on other threads or in the sink itself, wait
/// until it returns, and the same thread hands them over; what it logs about lines that it logged itself is lost, so that there is
/// an end. Its exceptions are dropped. It should be quick: the loop waits.
using LogSink = std::function<void(Level, std::string_view)>;

/// Which fields the servers in front of this one write. Most let a client's fields of the other kind through.
enum class FrontFields : std::uint8_t {
  either,       ///< X-Forwarded-For, -Proto, -Host and -Port; Forwarded (RFC 7239) if there are none of those
  x_forwarded,  ///< only those
  forwarded     ///< only Forwarded
};

/// Servers in front of this one that are believed when they name the client, its scheme and the host that it asked for.
/// Request::address(), Request::scheme() and Request::host(), the access log, passwords, `same-origin` and servers behind a Proxy
/// use that. A virtual host is chosen by the Host that the front sends.
struct TrustedFronts {
  std::vector<std::string> networks;  ///< like 192.0.2.0/24, 2001:db8::/32, ::1, or `unix` for all unix sockets. Empty: nobody is
  FrontFields fields = FrontFields::either;
};

struct ServerOptions {
  unsigned threads = 1;           ///< loops; each has its own connections and shared states
  bool quiet = false;             ///< nothing is logged at all
  Level log_level = Level::warn;  ///< the most talkative level that is logged
  LogSink log;                    ///< default: lines on stderr, for which no loop waits (docs/limits.md, Logs)
  Compression compression;        ///< for what protocols leave to the server, member by member; standard means shared
  bool stop_on_signals = false;   ///< SIGINT calls stop() and SIGTERM drain(), the second of them takes the grace away and further
      ///< ones have the effect that they had before; SIGHUP calls reopen_logs() and reload(), and SIGUSR2
      ///< hand_over(). Only with run(). docs/operating.md says more
  Switch service_manager =
      Switch::off;  ///< on: systemd hears how the server is (sd_notify), and whether its loops turn (WatchdogSec).
                    ///< Only with run(), and if the environment has NOTIFY_SOCKET
  Limits limits;
  FileLimits files;
  TrustedFronts fronts{};
  UnknownHosts unknown_hosts = UnknownHosts::served;
};

}  // namespace wharf
