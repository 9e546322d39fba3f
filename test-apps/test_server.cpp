/// wharf-test-server: a page over HTTP and the protocols of the plugins, chosen by Sec-WebSocket-Protocol, on one port.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "command_line.h"
#include "door_places.h"
#include "named_options.h"
#include "program_options.h"
#include "wharf/server.hpp"
#include "wharf/standard_streams.hpp"
#include "wharf/version.h"

#define WHARF_BUILTIN(symbol) extern "C" const wharf_plugin symbol;
#include "builtin_plugins.inc"
#undef WHARF_BUILTIN

namespace {

constexpr int wrong_usage = 2;
constexpr int cannot_serve = 1;

/// The same bytes back, type kept.
struct Echo {
  wharf::Peer peer;
  void message(wharf::Kind kind, std::string_view data) { peer.send(kind, data); }
};

using program_options::Settings;
using program_options::Talk;

int fail(int status, std::string_view text) {
  wharf::print_line(wharf::StandardStream::error, "wharf-test-server: " + std::string(text));
  return status;
}

bool is_folder(const char* path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

command_line::Texts texts() {
  return {{{"resource-path", WHARF_PAGE_FOLDER}, {"plugin-dir", WHARF_PLUGIN_FOLDER}}, "wharf-test-server " WHARF_VERSION};
}

wharf::ServerOptions server_options(const Settings& settings) {
  wharf::ServerOptions options;
  options.threads = settings.threads;
  options.quiet = settings.debug == Talk::quiet;
  if (!options.quiet) options.log_level = static_cast<wharf::Level>(settings.debug);
  options.stop_on_signals = true;
  options.service_manager = wharf::Switch::on;
  options.compression.context = settings.compression;
  if (settings.compress_all) options.compression.messages = wharf::Compression::Messages::all;
  options.limits.connections = settings.connections;
  options.fronts = {settings.trusted, settings.trusted_fields};
  options.unknown_hosts = settings.unknown_hosts;
  return options;
}

/// Adds the plugins that are built in, those of the given folders or else of the installed folder, and echo.
wharf::Error fill_table(wharf::Server& server, const Settings& settings) {
#define WHARF_BUILTIN(symbol) \
  if (wharf::Error error = server.add(symbol)) return error;
#include "builtin_plugins.inc"
#undef WHARF_BUILTIN
  for (const std::string& folder : settings.plugin_folders)
    if (wharf::Error error = server.load_plugins(folder)) return error;
  if (settings.plugin_folders.empty() && is_folder(WHARF_PLUGIN_FOLDER))
    if (wharf::Error error = server.load_plugins(WHARF_PLUGIN_FOLDER)) return error;
  return server.add(wharf::protocol<Echo>("echo"));
}

/// PROTOCOL.NAME=VALUE; a protocol's name may have dots, an option's may not.
bool take_protocol_option(wharf::VirtualHost& host, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t dot = text.rfind('.', equals);
  if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 == equals) return false;
  host.options[text.substr(0, dot)][text.substr(dot + 1, equals - dot - 1)] = text.substr(equals + 1);
  return true;
}

/// Exactly one line on stdout when all ports are open.
void print_ready_line(const wharf::Server& server, const std::vector<std::string>& places) {
  std::string line = "listening on";
  for (const std::string& place : places) line += " " + place;
  for (const std::string& name : server.protocols()) line += " " + name;
  wharf::print_line(wharf::StandardStream::output, line);
}

/// Adds the mounts, as far as the plugins are there.
void add_mounts(wharf::VirtualHost& host, const wharf::Server& server, const Settings& settings) {
  if (!settings.resource_path.empty()) host.mounts.push_back({"/", wharf::Files{settings.resource_path}});
  else if (is_folder(WHARF_PAGE_FOLDER)) host.mounts.push_back({"/", wharf::Files{WHARF_PAGE_FOLDER}});
  const std::vector<std::string> rows = server.protocols();
  for (const auto& [prefix, row] : std::map<std::string, std::string>{
           {"/echo/", "http-echo"}, {"/line/", "line-toy"}, {"/status/", "lws-status"}, {"/upload/", "post-demo"}})
    if (std::find(rows.begin(), rows.end(), row) != rows.end()) host.mounts.push_back({prefix, wharf::Requests{row}});
  if (!settings.files.empty()) {
    wharf::Files files{settings.files};
    files.index.clear();
    files.listing = wharf::Listing::on;
    host.mounts.push_back({"/files/", std::move(files)});
  }
}

/// The two sides of PREFIX=VALUE.
std::optional<std::pair<std::string, std::string>> split_assignment(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) return std::nullopt;
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

/// Replaces another mount with the same prefix.
void mount_instead(wharf::VirtualHost& host, wharf::Mount mount) {
  std::erase_if(host.mounts, [&mount](const wharf::Mount& other) { return other.prefix == mount.prefix; });
  host.mounts.push_back(std::move(mount));
}

/// The challenges of RFC 8555 section 8.3, which are asked for without TLS.
wharf::Mount acme_mount(const std::string& webroot) {
  const std::string prefix = "/.well-known/acme-challenge/";
  return {.prefix = prefix, .serves = wharf::Files{webroot + prefix}, .without_tls = wharf::Switch::on};
}

wharf::Error take_mounts(wharf::VirtualHost& host, const Settings& settings) {
  if (!settings.acme_webroot.empty()) mount_instead(host, acme_mount(settings.acme_webroot));
  for (const std::string& text : settings.files_options)
    if (std::string fault = named_options::take_of_files(host.mounts, text); !fault.empty()) return {std::move(fault)};
  for (const std::string& text : settings.mounts) {
    const auto parts = split_assignment(text);
    if (!parts) return {"--mount takes PREFIX=PROTOCOL, not '" + text + "'"};
    mount_instead(host, {parts->first, wharf::Requests{parts->second}});
  }
  for (const std::string& text : settings.proxies) {
    const auto parts = split_assignment(text);
    if (!parts) return {"--proxy takes PREFIX=URL, not '" + text + "'"};
    mount_instead(host, {parts->first, wharf::Proxy{parts->second}});
  }
  for (const std::string& text : settings.proxy_options)
    if (std::string fault = named_options::take_of_proxy(host.mounts, text); !fault.empty()) return {std::move(fault)};
  for (const std::string& text : settings.passwords) {
    const auto parts = split_assignment(text);
    if (!parts) return {"--password-file takes PREFIX=FILE, not '" + text + "'"};
    const auto mount = std::find_if(host.mounts.begin(), host.mounts.end(),
                                    [&parts](const wharf::Mount& each) { return each.prefix == parts->first; });
    if (mount == host.mounts.end()) return {"--password-file: nothing is mounted at '" + parts->first + "'"};
    mount->access = wharf::PasswordAccess{parts->second};
  }
  for (const std::string& text : settings.request_rates)
    if (std::string fault = named_options::take_request_rate(host.mounts, text); !fault.empty()) return {std::move(fault)};
  return {};
}

/// The first is the name, the others are aliases.
void take_names(wharf::VirtualHost& host, const std::string& names) {
  host.aliases.clear();
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t comma = std::min(names.find(',', at), names.size());
    std::string name = names.substr(at, comma - at);
    if (at == 0) host.name = std::move(name);
    else host.aliases.push_back(std::move(name));
    at = comma + 1;
  }
}

/// The hosts beside the first, which they are like, except for their names, folders and certificates.
wharf::Error add_vhosts(wharf::Server& server, const wharf::VirtualHost& first, const Settings& settings) {
  std::vector<wharf::VirtualHost> hosts;
  for (const std::string& text : settings.vhosts) {
    const auto parts = split_assignment(text);
    if (!parts) return {"--vhost takes NAMES=FOLDER, not '" + text + "'"};
    wharf::VirtualHost& host = hosts.emplace_back(first);
    take_names(host, parts->first);
    mount_instead(host, {"/", wharf::Files{parts->second}});
  }
  for (const std::string& text : settings.vhost_certs) {
    const auto parts = split_assignment(text);
    if (!parts) return {"--vhost-cert takes NAME=CERTIFICATE,KEY, not '" + text + "'"};
    const auto host =
        std::find_if(hosts.begin(), hosts.end(), [&](const wharf::VirtualHost& each) { return each.name == parts->first; });
    if (host == hosts.end()) return {"--vhost-cert: there is no --vhost '" + parts->first + "'"};
    const std::string& files = parts->second;
    const std::size_t comma = std::min(files.find(','), files.size());
    host->certificates.push_back({files.substr(0, comma), comma < files.size() ? files.substr(comma + 1) : std::string()});
  }
  for (const std::string& text : settings.vhost_limits)
    if (std::string fault = named_options::take_host_limit(hosts, text); !fault.empty()) return {std::move(fault)};
  for (wharf::VirtualHost& host : hosts)
    if (wharf::Error error = server.add(std::move(host))) return error;
  return {};
}

using door_places::Kind;

/// What the server will listen on.
std::vector<Kind> kinds_of_places(const Settings& settings) {
  std::vector<Kind> kinds;
  const auto add = [&kinds](std::string_view text) {
    constexpr std::string_view of_unix = "unix:";
    kinds.push_back(text.starts_with(of_unix) ? door_places::kind_of_path(text.substr(of_unix.size())) : Kind::port);
  };
  for (const std::string& text : settings.listen) add(text);
  for (const std::string& text : settings.raw) add(text);
  if (!settings.unix_socket.empty()) kinds.push_back(door_places::kind_of_path(settings.unix_socket));
  if (!settings.inherited.empty()) kinds.push_back(Kind::passed);
  if (settings.listen.empty() && settings.unix_socket.empty() && settings.inherited.empty()) kinds.push_back(Kind::port);
  return kinds;
}

/// Whether one is for HTTP without TLS.
bool has_plain_port(const Settings& settings) {
  using door_places::Security;
  const auto is_plain = [usual = settings.ssl ? Security::tls : Security::plain](const std::string& text) {
    const auto place = door_places::parse(text, usual);
    return place && place->path.empty() && place->security == Security::plain;
  };
  if (std::any_of(settings.listen.begin(), settings.listen.end(), is_plain)) return true;
  return !settings.ssl && (!settings.inherited.empty() || (settings.listen.empty() && settings.unix_socket.empty()));
}

/// What was given for doors and would have an effect on none of them.
std::string fault_of_places(const Settings& settings) {
  const std::vector<Kind> kinds = kinds_of_places(settings);
  const auto none_is = [&kinds](Kind wanted) {
    return std::none_of(kinds.begin(), kinds.end(), [wanted](Kind kind) { return kind == wanted || kind == Kind::passed; });
  };
  if (none_is(Kind::file) && !settings.unix_mode.empty()) return "--unix-mode needs a unix socket that has a file";
  if (none_is(Kind::file) && !settings.unix_owner.empty()) return "--unix-owner needs a unix socket that has a file";
  if (none_is(Kind::port) && settings.fast_open != wharf::Door{}.fast_open) return "--fast-open needs a port";
  if (settings.https_port != 0 && !settings.redirect_to_ssl && !has_plain_port(settings))
    return "--https-port needs a port without TLS, or --redirect-to-ssl";
  wharf::Door door;
  door.proxy_header_from = settings.proxy_header_from;
  const auto takes_none = [&door](Kind kind) { return door_places::door_for(kind, door).proxy_header_from.empty(); };
  if (!door.proxy_header_from.empty() && std::all_of(kinds.begin(), kinds.end(), takes_none))
    return "--proxy-header-from needs a port, or `unix` a unix socket";
  return {};
}

/// What was given for virtual hosts and their logs and would have no effect.
std::string fault_of_hosts(const Settings& settings) {
  if (settings.names.empty() && settings.unknown_hosts != wharf::ServerOptions{}.unknown_hosts)
    return "--unknown-hosts needs --name";
  if (settings.trusted.empty() && settings.trusted_fields != wharf::TrustedFronts{}.fields) return "--trust-fields needs --trust";
  if (settings.access_log.empty() && settings.access_log_format != wharf::AccessLogFile{}.format)
    return "--access-log-format needs --access-log";
  return {};
}

/// What was given for TLS and would have no effect.
std::string fault_of_tls(const Settings& settings) {
  if (settings.ssl && !settings.unix_socket.empty() && settings.listen.empty() && settings.inherited.empty())
    return "--ssl is for a port, not for --unix-socket";
  if (settings.ssl_verify_client && settings.ssl_ca.empty()) return "--ssl-verify-client needs --ssl-ca";
  if (settings.allow_non_ssl && settings.redirect_to_ssl) return "--allow-non-ssl and --redirect-to-ssl exclude each other";
  if (!settings.ssl_crl.empty() && settings.ssl_ca.empty()) return "--ssl-crl needs --ssl-ca";
  const std::size_t pairs = settings.ssl_certs.size();
  if (pairs == 0 && !settings.ssl_keys.empty()) return "--ssl-key needs --ssl-cert";
  if (pairs == 0 && !settings.ssl_passphrase.empty()) return "--ssl-passphrase needs --ssl-cert";
  if (pairs == 0 && !settings.ssl_ocsp.empty()) return "--ssl-ocsp needs --ssl-cert";
  if (!settings.ssl_keys.empty() && settings.ssl_keys.size() != pairs)
    return "give --ssl-key once for each --ssl-cert, or not at all";
  if (!settings.ssl_ocsp.empty() && settings.ssl_ocsp.size() != pairs)
    return "give --ssl-ocsp once for each --ssl-cert, or not at all";
  const bool any = pairs != 0 || !settings.ssl_ca.empty() || !settings.ssl_ticket_keys.empty() ||
                   settings.ssl_watch != wharf::Tls{}.watch || settings.ssl_profile != wharf::Tls{}.profile;
  const auto is_sealed = [](const std::string& text) { return text.starts_with("https://") || text.starts_with("tls://"); };
  const bool https = settings.ssl || std::any_of(settings.listen.begin(), settings.listen.end(), is_sealed);
  const bool ssl = https || std::any_of(settings.raw.begin(), settings.raw.end(), is_sealed);
  if (settings.allow_non_ssl && !https) return "--allow-non-ssl needs --ssl";
  if (settings.redirect_to_ssl && !https) return "--redirect-to-ssl needs --ssl";
  if (!https && !settings.alpn.empty()) return "--alpn needs --ssl";
  if (!https && !settings.vhost_certs.empty()) return "--vhost-cert needs --ssl";
  if (settings.unknown_names != wharf::Tls{}.unknown_names) {
    if (!https) return "--unknown-names needs --ssl";
    if (settings.names.empty() && settings.vhosts.empty()) return "--unknown-names needs --name or --vhost";
  }
  if (!https && settings.hsts != 0 && settings.trusted.empty() && settings.proxy_header_from.empty())
    return "--hsts needs --ssl, or a server in front that says that requests came by it";
  return any && !ssl ? "options of TLS need --ssl" : std::string();
}

wharf::Tls tls_of(const Settings& settings) {
  wharf::Tls tls;
  for (std::size_t i = 0; i < settings.ssl_certs.size(); ++i)
    tls.certificates.push_back({settings.ssl_certs[i], settings.ssl_keys.empty() ? std::string() : settings.ssl_keys[i],
                                settings.ssl_passphrase, settings.ssl_ocsp.empty() ? std::string() : settings.ssl_ocsp[i]});
  tls.revocation_lists = settings.ssl_crl;
  tls.ticket_keys = settings.ssl_ticket_keys;
  tls.watch = settings.ssl_watch;
  tls.client_authorities = settings.ssl_ca;
  using wharf::ClientCertificates;
  if (!settings.ssl_ca.empty())
    tls.clients = settings.ssl_verify_client ? ClientCertificates::required : ClientCertificates::optional;
  tls.profile = settings.ssl_profile;
  tls.unknown_names = settings.unknown_names;
  return tls;
}

/// What every door has, except its TLS.
bool take_door(wharf::Door& door, const Settings& settings) {
  door.fast_open = settings.fast_open;
  door.proxy_header_from = settings.proxy_header_from;
  const std::size_t colon = settings.unix_owner.find(':');
  door.owner = settings.unix_owner.substr(0, colon);
  if (colon != std::string::npos) door.group = settings.unix_owner.substr(colon + 1);
  return settings.unix_mode.empty() || door_places::take_mode(door.mode, settings.unix_mode);
}

/// How clients name what was opened since the last call.
void add_places(std::vector<std::string>& places, const wharf::Server& server, std::string_view scheme) {
  const std::vector<std::string> addresses = server.addresses();
  for (std::size_t i = places.size(); i < addresses.size(); ++i)
    places.push_back(addresses[i].starts_with("unix:") ? addresses[i] : std::string(scheme) + "://" + addresses[i] + "/");
}

/// Places for one raw protocol each.
wharf::Error open_raw_doors(wharf::Server& server, const Settings& settings, wharf::Door plain, wharf::Door secure,
                            std::vector<std::string>& places) {
  for (wharf::Door* const door : {&plain, &secure}) {
    door->plain_http = wharf::PlainHttp::refused;
    door->https_port = 0;
  }
  for (const std::string& text : settings.raw) {
    const std::size_t equals = text.rfind('=');
    std::string where = text.substr(0, equals);
    using door_places::Security;
    const Security security = where.starts_with("tls://") ? Security::tls : Security::plain;
    if (where.starts_with("tls://") || where.starts_with("tcp://")) where.erase(0, std::string_view("tls://").size());
    const bool is_url = where.find("://") != std::string::npos;
    const auto place = equals != std::string::npos && !is_url ? door_places::parse(where, security) : std::nullopt;
    if (!place || equals + 1 == text.size())
      return {"--raw takes tcp://ADDRESS:PORT=PROTOCOL, tls://ADDRESS:PORT=PROTOCOL or unix:PATH=PROTOCOL, not '" + text + "'"};
    wharf::Door door = door_places::door_for(door_places::kind_of(*place), security == Security::tls ? secure : plain);
    door.raw = text.substr(equals + 1);
    door.raw_use = wharf::RawUse::always;
    if (door.tls) door.tls->raw_by_alpn.clear();
    if (wharf::Error error =
            place->path.empty() ? server.listen(place->interface, place->port, door) : server.listen_unix(place->path, door))
      return error;
    add_places(places, server, security == Security::tls ? "tls" : "tcp");
  }
  return {};
}

wharf::Error open_doors(wharf::Server& server, const Settings& settings, std::vector<std::string>& places) {
  wharf::Door plain;
  if (!take_door(plain, settings)) return {"--unix-mode takes an octal number like 0660, not '" + settings.unix_mode + "'"};
  plain.raw = settings.fallback;
  if (!plain.raw.empty()) plain.raw_use = wharf::RawUse::fallback;
  wharf::Door secure = plain;
  secure.tls = tls_of(settings);
  for (const std::string& text : settings.alpn) {
    const auto parts = split_assignment(text);
    if (!parts) return {"--alpn takes NAME=PROTOCOL, not '" + text + "'"};
    secure.tls->raw_by_alpn[parts->first] = parts->second;
  }
  if (settings.allow_non_ssl) secure.plain_http = wharf::PlainHttp::served;
  if (settings.redirect_to_ssl) {
    secure.plain_http = wharf::PlainHttp::redirected;
    secure.https_port = settings.https_port;
  }
  if (settings.https_port != 0) {
    plain.plain_http = wharf::PlainHttp::redirected;
    plain.https_port = settings.https_port;
  }
  using door_places::Security;
  for (const std::string& text : settings.listen) {
    const auto place = door_places::parse(text, settings.ssl ? Security::tls : Security::plain);
    if (!place)
      return {"--listen takes PORT, ADDRESS:PORT, http://ADDRESS:PORT, https://ADDRESS:PORT or unix:PATH, not '" + text + "'"};
    const wharf::Door door = door_places::door_for(door_places::kind_of(*place), place->security == Security::tls ? secure : plain);
    if (wharf::Error error =
            place->path.empty() ? server.listen(place->interface, place->port, door) : server.listen_unix(place->path, door))
      return error;
    add_places(places, server, place->security == Security::tls ? "https" : "http");
  }
  if (!settings.unix_socket.empty()) {
    const Kind kind = door_places::kind_of_path(settings.unix_socket);
    if (wharf::Error error = server.listen_unix(settings.unix_socket, door_places::door_for(kind, plain))) return error;
    add_places(places, server, "http");
  }
  const wharf::Door& usual = settings.ssl ? secure : plain;
  wharf::Error error;
  if (!settings.inherited.empty()) error = server.listen_inherited(settings.inherited, usual);
  else if (settings.listen.empty() && settings.unix_socket.empty())
    error = server.listen(settings.interface, settings.port, door_places::door_for(Kind::port, usual));
  if (error) return error;
  add_places(places, server, settings.ssl ? "https" : "http");
  return open_raw_doors(server, settings, plain, secure, places);
}

int list_protocols(const wharf::Server& server) {
  for (const std::string& name : server.protocols()) std::cout << name << '\n';
  return 0;
}

int serve(const Settings& settings) {
  wharf::ServerOptions options = server_options(settings);
  for (const std::string& text : settings.limits)
    if (const std::string fault = named_options::take_limit(options.limits, options.files, text); !fault.empty())
      return fail(wrong_usage, fault);
  wharf::Server server(std::move(options));
  if (const wharf::Error error = fill_table(server, settings)) return fail(cannot_serve, error.message);
  if (settings.list_protocols) return list_protocols(server);

  wharf::VirtualHost host;
  add_mounts(host, server, settings);
  if (const wharf::Error error = take_mounts(host, settings)) return fail(wrong_usage, error.message);
  host.origins = settings.origins;
  host.connections = settings.host_connections;
  host.access_log = {settings.access_log, settings.access_log_format};
  host.default_protocol = settings.default_protocol;
  host.strict_transport_security.max_age = std::chrono::seconds(settings.hsts);
  for (const std::string& text : settings.protocol_options)
    if (!take_protocol_option(host, text))
      return fail(wrong_usage, "--protocol-option takes PROTOCOL.NAME=VALUE, not '" + text + "'");
  take_names(host, settings.names);
  if (const wharf::Error error = server.add(host)) return fail(cannot_serve, error.message);
  if (const wharf::Error error = add_vhosts(server, host, settings)) return fail(cannot_serve, error.message);
  for (const auto fault_of : {fault_of_hosts, fault_of_tls, fault_of_places})
    if (const std::string fault = fault_of(settings); !fault.empty()) return fail(wrong_usage, fault);
  std::vector<std::string> places;
  if (const wharf::Error error = open_doors(server, settings, places)) return fail(cannot_serve, error.message);
  if (const wharf::Error error = server.run([&] { print_ready_line(server, places); })) return fail(cannot_serve, error.message);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {  // NOLINT(bugprone-exception-escape): CLI11 throws at options that were declared wrongly
  wharf::occupy_standard_streams();
  Settings settings;
  CLI::App app("Serves a page over HTTP and the protocols of its plugins over WebSocket, on one port.", "wharf-test-server");
  try {
    app.option_defaults()->take_last();  // so that a wrapper's options can be overridden
    command_line::add(app, program_options::table, settings, texts());
    app.parse(count, arguments);
  } catch (const CLI::Success& asked) {  // --help and --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return fail(wrong_usage, std::string(error.what()) + " (see --help)");
  }
  return serve(settings);
}
