#pragma once
/// The options of wharf-test-server's command line: the program, its --help and docs/getting-started.md have them from here.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wharf/options.hpp"

namespace program_options {

/// How much is logged: the levels of the library, and nothing at all.
enum class Talk : std::uint8_t { quiet, error = WHARF_ERROR, warn = WHARF_WARN, info = WHARF_INFO, debug = WHARF_DEBUG };

struct Settings {
  std::uint16_t port = 7681;
  std::string interface = "127.0.0.1";
  std::string resource_path;
  std::vector<std::string> plugin_folders;
  Talk debug = static_cast<Talk>(wharf::ServerOptions{}.log_level);
  unsigned threads = wharf::ServerOptions{}.threads;
  std::size_t connections = wharf::Limits{}.connections;
  std::string default_protocol;
  wharf::Compression::Context compression = wharf::Compression::Context::shared;
  bool compress_all = false;
  std::vector<std::string> protocol_options;
  std::string unix_socket;
  std::vector<std::string> listen;
  std::vector<std::string> raw;
  std::string fallback;
  std::vector<std::string> alpn;
  std::string unix_mode;
  std::string unix_owner;
  int fast_open = wharf::Door{}.fast_open;
  std::vector<std::string> request_rates;
  std::size_t host_connections = wharf::VirtualHost{}.connections;
  std::string inherited;
  bool ssl = false;  // these names are those of libwebsockets
  std::vector<std::string> ssl_certs;
  std::vector<std::string> ssl_keys;
  std::string ssl_passphrase;
  std::string ssl_ca;
  bool ssl_verify_client = false;
  std::vector<std::string> ssl_ocsp;
  std::string ssl_crl;
  std::string ssl_ticket_keys;
  std::chrono::milliseconds ssl_watch = wharf::Tls{}.watch;
  wharf::TlsProfile ssl_profile = wharf::Tls{}.profile;
  bool allow_non_ssl = false;
  bool redirect_to_ssl = false;
  std::uint16_t https_port = wharf::Door{}.https_port;
  std::string acme_webroot;
  unsigned hsts = 0;
  std::vector<std::string> proxy_header_from;
  std::string files;
  std::vector<std::string> files_options;
  std::string names;
  std::vector<std::string> vhosts;
  std::vector<std::string> vhost_certs;
  std::vector<std::string> vhost_limits;
  wharf::UnknownHosts unknown_hosts = wharf::ServerOptions{}.unknown_hosts;
  wharf::UnknownNames unknown_names = wharf::Tls{}.unknown_names;
  std::vector<std::string> mounts;
  std::vector<std::string> proxies;
  std::vector<std::string> proxy_options;
  std::vector<std::string> passwords;
  std::vector<std::string> origins;
  std::vector<std::string> trusted;
  wharf::FrontFields trusted_fields = wharf::TrustedFronts{}.fields;
  std::string access_log;
  wharf::LogFormat access_log_format = wharf::AccessLogFile{}.format;
  std::vector<std::string> limits;
  bool list_protocols = false;
};

using wharf::options::choice;
using wharf::options::Unit;

inline constexpr std::string_view talk[] = {"quiet", "error", "warn", "info", "debug"};
inline constexpr std::string_view contexts[] = {"off", "shared", "dedicated"};
inline constexpr std::string_view front_fields[] = {"either", "x-forwarded", "forwarded"};
inline constexpr std::string_view tls_profiles[] = {"intermediate", "modern"};
inline constexpr std::string_view unknown_hosts[] = {"served", "421", "404"};
inline constexpr std::string_view unknown_names[] = {"served", "refused"};
inline constexpr std::string_view log_formats[] = {"combined", "json"};

/// In the order of --help, which says first what most need.
inline constexpr wharf::options::Option<Settings> table[] = {
    {.name = "help", .about = "print this help and exit", .letter = 'h'},
    {.name = "version", .about = "print the version and exit", .letter = 'V'},
    {.name = "port",
     .place = &Settings::port,
     .unit = Unit::number,
     .about = "port to listen on; 0 picks a free one, which the ready line names",
     .range = {.most = 65535},
     .letter = 'p'},
    {.name = "interface",
     .place = &Settings::interface,
     .about = "address (IPv4 or IPv6), network interface such as `lo` or `eth0`, or host name to listen on; `*` is every address",
     .page = "doors.md#addresses",
     .letter = 'i'},
    {.name = "resource-path",
     .place = &Settings::resource_path,
     .about = "folder with the pages to serve",
     .otherwise = "the installed pages, if there are any",
     .letter = 'r'},
    {.name = "plugin-dir",
     .place = &Settings::plugin_folders,
     .about = "folder to load protocol plugins (`*.so`) from",
     .otherwise = "the installed plugins, if there are any",
     .letter = 'P'},
    {.name = "debug",
     .place = choice<&Settings::debug>(),
     .unit = Unit::word,
     .about = "how much to log on stderr: quiet, error, warn, info or debug",
     .words = talk,
     .letter = 'd'},
    {.name = "threads",
     .place = &Settings::threads,
     .unit = Unit::count,
     .about = "event loops, each on a thread of its own; 1 to 256",
     .range = {.least = 1, .most = 256},
     .letter = 't'},
    {.name = "connections",
     .place = &Settings::connections,
     .unit = Unit::count,
     .about = "most connections at once; 0: what the descriptor limit allows. `--limit connections=NUMBER` is the same and goes "
              "before it"},
    {.name = "default-protocol",
     .place = &Settings::default_protocol,
     .about = "protocol for clients that offer none; without it they are refused"},
    {.name = "compression",
     .place = choice<&Settings::compression, 1>(),
     .unit = Unit::word,
     .about = "permessage-deflate of protocols that leave it to the server: `off`, `shared` (no memory between messages) or "
              "`dedicated`",
     .words = contexts,
     .page = "compression.md"},
    {.name = "compress-all",
     .place = &Settings::compress_all,
     .unit = Unit::flag,
     .about = "compress every message, even short ones, for clients that cannot read others",
     .page = "compression.md#clients-that-are-known-to-misbehave"},
    {.name = "protocol-option",
     .place = &Settings::protocol_options,
     .about = "option of a protocol as `PROTOCOL.NAME=VALUE`, like `dumb-increment-protocol.period=20`"},
    {.name = "unix-socket",
     .place = &Settings::unix_socket,
     .about = "path of a unix socket to listen on, instead of a port; `@NAME` is an abstract one",
     .page = "doors.md#unix-sockets",
     .letter = 'U'},
    {.name = "listen",
     .place = &Settings::listen,
     .about = "one more place to listen on, like `8080`, `*:443`, `[::1]:8080`, `https://eth0:443`, `http://localhost:8080` or "
              "`unix:/run/wharf.socket`; with any of these, --port and --interface do not count",
     .page = "doors.md#addresses"},
    {.name = "raw",
     .place = &Settings::raw,
     .about = "one more place to listen on, for a raw protocol alone, as `PLACE=PROTOCOL`, like `tcp://*:7000=raw-echo`, "
              "`tls://127.0.0.1:7001=raw-proxy` or `unix:/run/raw.socket=raw-echo`",
     .page = "raw.md"},
    {.name = "fallback",
     .place = &Settings::fallback,
     .about = "raw protocol for connections that begin with neither HTTP nor TLS, or with nothing",
     .otherwise = "they are refused",
     .page = "raw.md"},
    {.name = "alpn",
     .place = &Settings::alpn,
     .about = "raw protocol for clients of TLS that choose a name by ALPN, as `NAME=PROTOCOL`",
     .page = "raw.md"},
    {.name = "unix-mode",
     .place = &Settings::unix_mode,
     .about = "mode of the files of unix sockets, in octal",
     .otherwise = "0660",
     .page = "doors.md#unix-sockets"},
    {.name = "unix-owner",
     .place = &Settings::unix_owner,
     .about = "owner of these files as `USER`, `USER:GROUP` or `:GROUP`, names or numbers",
     .otherwise = "those of the process",
     .page = "doors.md#unix-sockets"},
    {.name = "fast-open",
     .place = &Settings::fast_open,
     .unit = Unit::count,
     .about = "connections of a port that may bring bytes along before they are complete (TCP Fast Open); 0: off",
     .range = {.most = 65535},
     .page = "doors.md#options-of-sockets"},
    {.name = "request-rate",
     .place = &Settings::request_rates,
     .about = "how often a client may send requests to a mount, as `PREFIX=NUMBER` a second or `PREFIX=NUMBER,BURST`, like "
              "`/upload/=0.5,10`",
     .page = "doors.md#rates-and-counts"},
    {.name = "host-connections",
     .place = &Settings::host_connections,
     .unit = Unit::count,
     .about = "most requests in progress and WebSockets of the virtual host at once; 0: no limit",
     .page = "doors.md#rates-and-counts"},
    {.name = "inherited",
     .place = &Settings::inherited,
     .about = "name of the sockets to listen on that systemd passes, instead of a port: `FileDescriptorName=` of the socket's unit",
     .page = "operating.md"},
    {.name = "ssl",
     .place = &Settings::ssl,
     .unit = Unit::flag,
     .about = "TLS on the port: https and wss; without --ssl-cert with a certificate that is made at the start and signs itself",
     .page = "tls.md",
     .letter = 's'},
    {.name = "ssl-cert",
     .place = &Settings::ssl_certs,
     .about =
         "PEM file of the certificate, followed by those between it and a root; one for each kind of key, such as ECDSA and RSA",
     .letter = 'C'},
    {.name = "ssl-key",
     .place = &Settings::ssl_keys,
     .about = "PEM file of its key; with several certificates, one for each, in the same order",
     .otherwise = "that of the certificate",
     .letter = 'K'},
    {.name = "ssl-passphrase", .place = &Settings::ssl_passphrase, .about = "file whose first line opens an encrypted key"},
    {.name = "ssl-ca",
     .place = &Settings::ssl_ca,
     .about = "PEM file of the authorities that sign certificates of clients; a client may show one",
     .letter = 'A'},
    {.name = "ssl-verify-client",
     .place = &Settings::ssl_verify_client,
     .unit = Unit::flag,
     .about = "refuse clients that show no certificate of --ssl-ca",
     .letter = 'v'},
    {.name = "ssl-crl",
     .place = &Settings::ssl_crl,
     .about = "PEM file of revocation lists: certificates of clients that are refused",
     .letter = 'R'},
    {.name = "ssl-ocsp",
     .place = &Settings::ssl_ocsp,
     .about =
         "DER file of an OCSP response about the certificate, for clients that ask; with several certificates, one for each, in "
         "the same order"},
    {.name = "ssl-ticket-keys",
     .place = &Settings::ssl_ticket_keys,
     .about = "file of keys of session tickets that several machines share, 80 bytes each; the first encrypts",
     .otherwise = "the server's own, new ones each day"},
    {.name = "ssl-watch",
     .place = &Settings::ssl_watch,
     .unit = Unit::milliseconds,
     .about = "time between looks whether these files have changed, as SIGHUP has them read again; 0: never"},
    {.name = "ssl-profile",
     .place = choice<&Settings::ssl_profile>(),
     .unit = Unit::word,
     .about = "`intermediate` (TLS 1.2 and 1.3) or `modern` (TLS 1.3)",
     .words = tls_profiles},
    {.name = "allow-non-ssl",
     .place = &Settings::allow_non_ssl,
     .unit = Unit::flag,
     .about = "serve plain HTTP on the port with TLS too; without it such requests are refused with 400",
     .page = "doors.md#plain-http-on-a-door-with-tls",
     .letter = 'a'},
    {.name = "redirect-to-ssl",
     .place = &Settings::redirect_to_ssl,
     .unit = Unit::flag,
     .about = "redirect plain HTTP on the port with TLS to https",
     .page = "doors.md#plain-http-on-a-door-with-tls"},
    {.name = "https-port",
     .place = &Settings::https_port,
     .unit = Unit::number,
     .about =
         "port to which plain HTTP is redirected, also on ports without TLS; 0: --redirect-to-ssl redirects to the same port, and "
         "ports without TLS serve plain HTTP",
     .range = {.most = 65535},
     .page = "doors.md#plain-http-on-a-door-without-tls"},
    {.name = "acme-webroot",
     .place = &Settings::acme_webroot,
     .about =
         "folder into which an ACME client writes the challenges of its authority; `/.well-known/acme-challenge/` of it is served "
         "without TLS, too",
     .page = "tls.md#from-an-acme-client"},
    {.name = "hsts",
     .place = &Settings::hsts,
     .unit = Unit::count,
     .about = "seconds for which browsers shall use nothing but https (Strict-Transport-Security); 0: nothing is said",
     .page = "tls.md#strict-transport-security"},
    {.name = "proxy-header-from",
     .place = &Settings::proxy_header_from,
     .about = "network of balancers whose connections begin with a header of the PROXY protocol, like `127.0.0.1`, `10.0.0.0/8` or "
              "`unix`",
     .otherwise = "nobody",
     .page = "doors.md#proxy-headers"},
    {.name = "name",
     .place = &Settings::names,
     .about = "names of the host that the other options are for, with commas, like `example.com,*.example.com`",
     .otherwise = "it serves all names",
     .page = "virtual-hosts.md"},
    {.name = "vhost",
     .place = &Settings::vhosts,
     .about = "another host as `NAMES=FOLDER`: it serves that folder, and the rest as the first",
     .page = "virtual-hosts.md"},
    {.name = "vhost-cert",
     .place = &Settings::vhost_certs,
     .about = "certificate of such a host as `NAME=CERTIFICATE,KEY` or `NAME=FILE` with both, for clients that ask for the name"},
    {.name = "vhost-limit",
     .place = &Settings::vhost_limits,
     .about = "limit that such a host has otherwise than `--limit` says, as `NAME=LIMIT=NUMBER`, like `two.example=body=1000000`",
     .page = "virtual-hosts.md#limits"},
    {.name = "unknown-hosts",
     .place = choice<&Settings::unknown_hosts>(),
     .unit = Unit::word,
     .about = "what requests for other names get if --name is given: `served` by the first host, or `421` or `404`",
     .words = unknown_hosts},
    {.name = "unknown-names",
     .place = choice<&Settings::unknown_names>(),
     .unit = Unit::word,
     .about =
         "what clients of TLS get that ask for a name that neither --name nor --vhost has: `served` with the certificate of the "
         "port, or `refused`",
     .words = unknown_names,
     .page = "tls.md#several-certificates"},
    {.name = "files", .place = &Settings::files, .about = "folder to serve with listings at `/files/`"},
    {.name = "files-option",
     .place = &Settings::files_options,
     .about = "option of a folder that is served as `PREFIX=NAME=VALUE`, like `/=etag=by_time_and_size` or "
              "`/files/=cache_control=max-age=60`",
     .page = "http.md#files"},
    {.name = "mount", .place = &Settings::mounts, .about = "prefix whose requests a protocol handles, like `/tally/=tally`"},
    {.name = "proxy",
     .place = &Settings::proxies,
     .about = "prefix whose requests another server handles, like `/app/=http://127.0.0.1:8080/` or `/app/=unix:/run/app.sock`"},
    {.name = "proxy-option",
     .place = &Settings::proxy_options,
     .about = "option of such a prefix as `PREFIX=NAME=VALUE`: on, off, a count, or milliseconds, like `/app/=send_via=off` or "
              "`/app/=most_connections=100`",
     .page = "http.md#proxy"},
    {.name = "password-file",
     .place = &Settings::passwords,
     .about = "prefix of a mount that asks for a user of an htpasswd file (`htpasswd -B`), like `/status/=/etc/wharf.htpasswd`"},
    {.name = "allow-origin",
     .place = &Settings::origins,
     .about = "origin whose pages may open WebSockets, like `https://example.com`, `same-origin`, `null` or `file://`",
     .otherwise = "all"},
    {.name = "access-log",
     .place = &Settings::access_log,
     .about = "file for a line about each request, opened again on SIGHUP; `-` is stdout, which must not be closed"},
    {.name = "access-log-format",
     .place = choice<&Settings::access_log_format>(),
     .unit = Unit::word,
     .about = "`combined` or `json`",
     .words = log_formats},
    {.name = "limit",
     .place = &Settings::limits,
     .about = "limit of every peer as `NAME=NUMBER`: bytes, a count, or milliseconds, like `body_idle=5000`; or of what is kept of "
              "files, like `files.kept_listings=0`",
     .page = "limits.md"},
    {.name = "trust",
     .place = &Settings::trusted,
     .about =
         "network of servers in front of this one that are trusted to name the client, like `127.0.0.1`, `10.0.0.0/8`, `::1`, or "
         "`unix` for all unix sockets",
     .otherwise = "nobody",
     .page = "http.md#behind-other-servers"},
    {.name = "trust-fields",
     .place = choice<&Settings::trusted_fields>(),
     .unit = Unit::word,
     .about = "which fields they write: `x-forwarded`, `forwarded`, or `either`, which is X-Forwarded-* if there are any",
     .words = front_fields},
    {.name = "list-protocols",
     .place = &Settings::list_protocols,
     .unit = Unit::flag,
     .about = "print the names of all protocols, one a line, and exit"},
};

}  // namespace program_options
