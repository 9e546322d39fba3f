/// wharf-test-server: a page over HTTP and, chosen by Sec-WebSocket-Protocol, the protocols of the plugins, on one port.

#include <CLI/CLI.hpp>
#include <algorithm>
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

#include "file_options.h"
#include "limit_options.h"
#include "proxy_options.h"
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

struct Settings {
  std::uint16_t port = 7681;
  std::string interface = "127.0.0.1";
  std::string resource_path;
  std::vector<std::string> plugin_folders;
  std::string debug = "warn";
  unsigned threads = 1;
  std::size_t connections = 0;
  std::string default_protocol;
  std::string compression = "shared";
  bool compress_all = false;
  std::vector<std::string> protocol_options;
  std::string unix_socket;
  std::string files;
  std::vector<std::string> files_options;
  std::vector<std::string> mounts;
  std::vector<std::string> proxies;
  std::vector<std::string> proxy_options;
  std::vector<std::string> passwords;
  std::vector<std::string> origins;
  std::vector<std::string> trusted;
  std::string trusted_fields = "either";
  std::string access_log;
  std::string access_log_format = "combined";
  std::vector<std::string> limits;
  bool list_protocols = false;
};

const std::map<std::string, wharf::Level> levels{
    {"error", wharf::Level::error}, {"warn", wharf::Level::warn}, {"info", wharf::Level::info}, {"debug", wharf::Level::debug}};

const std::map<std::string, wharf::Compression::Context> compressions{{"off", wharf::Compression::Context::off},
                                                                      {"shared", wharf::Compression::Context::shared},
                                                                      {"dedicated", wharf::Compression::Context::dedicated}};

const std::map<std::string, wharf::FrontFields> front_fields{{"either", wharf::FrontFields::either},
                                                             {"x-forwarded", wharf::FrontFields::x_forwarded},
                                                             {"forwarded", wharf::FrontFields::forwarded}};

int fail(int status, std::string_view text) {
  wharf::print_line(wharf::StandardStream::error, "wharf-test-server: " + std::string(text));
  return status;
}

bool is_folder(const char* path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

void add_http_options(CLI::App& app, Settings& settings) {
  app.add_option("-U,--unix-socket", settings.unix_socket, "Path of a unix socket to listen on, instead of a port");
  app.add_option("--files", settings.files, "Folder to serve with listings at /files/");
  app.add_option("--files-option", settings.files_options,
                 "Option of a folder that is served, as PREFIX=NAME=VALUE, like /=etag=by_time_and_size (docs/http.md); may be "
                 "given several "
                 "times")
      ->allow_extra_args(false);
  app.add_option("--mount", settings.mounts,
                 "Prefix whose requests a protocol answers, like /tally/=tally; may be given several times")
      ->allow_extra_args(false);
  app.add_option("--proxy", settings.proxies,
                 "Prefix that another server answers, like /app/=http://127.0.0.1:8080/ or /app/=unix:/run/app.sock; may be given "
                 "several times")
      ->allow_extra_args(false);
  app.add_option(
         "--proxy-option", settings.proxy_options,
         "Option of such a prefix, as PREFIX=NAME=VALUE, like /app/=send_via=off (docs/http.md); may be given several times")
      ->allow_extra_args(false);
  app.add_option("--password-file", settings.passwords,
                 "Prefix of a mount that asks for a user of an htpasswd file (htpasswd -B), like /status/=/etc/wharf.htpasswd; "
                 "may be given several times")
      ->allow_extra_args(false);
  app.add_option("--allow-origin", settings.origins,
                 "Origin whose pages may open WebSockets, like https://example.com, same-origin, null or file://; may be given "
                 "several times. "
                 "Default: all")
      ->allow_extra_args(false);
  app.add_option("--access-log", settings.access_log, "File for a line about each request, reopened on SIGHUP; - is stdout");
  app.add_option("--access-log-format", settings.access_log_format, "combined or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"combined", "json"}));
  app.add_option(
         "--limit", settings.limits,
         "Limit, as NAME=NUMBER: bytes, a count, or milliseconds, of every peer, like body_idle=5000, or of what is kept of "
         "files, like files.kept_listings=0 (docs/limits.md); may be given several times")
      ->allow_extra_args(false);
}

void add_front_options(CLI::App& app, Settings& settings) {
  app.add_option("--trust", settings.trusted,
                 "Network of servers in front of this one that are believed who asked them, like 127.0.0.1, 10.0.0.0/8, ::1, or "
                 "unix for all unix sockets; may be given several times. Default: nobody is")
      ->allow_extra_args(false);
  app.add_option("--trust-fields", settings.trusted_fields,
                 "Which fields they write: x-forwarded, forwarded, or either, which is X-Forwarded-* where there are any")
      ->capture_default_str()
      ->check(CLI::IsMember({"either", "x-forwarded", "forwarded"}));
}

void add_options(CLI::App& app, Settings& settings) {
  app.option_defaults()->take_last();  // so that a wrapper's options can be overridden
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("-v,--version", "wharf-test-server " WHARF_VERSION, "Print the version and exit");
  app.add_option("-p,--port", settings.port, "Port to listen on; 0 picks a free one")->capture_default_str();
  app.add_option("-i,--interface", settings.interface, "Address, network interface or host name to listen on")
      ->capture_default_str();
  app.add_option("-r,--resource-path", settings.resource_path, "Folder with the pages to serve. Default: " WHARF_PAGE_FOLDER);
  app.add_option("-P,--plugin-dir", settings.plugin_folders,
                 "Folder to load protocol plugins (*.so) from; may be given several times. Default: " WHARF_PLUGIN_FOLDER)
      ->allow_extra_args(false);
  app.add_option("-d,--debug", settings.debug, "How much to log on stderr: quiet, error, warn, info or debug")
      ->capture_default_str()
      ->check(CLI::IsMember({"quiet", "error", "warn", "info", "debug"}));
  app.add_option("-t,--threads", settings.threads, "Event loops, each on a thread of its own")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--connections", settings.connections, "Most connections at once; 0: what the descriptor limit allows")
      ->capture_default_str();
  app.add_option("--default-protocol", settings.default_protocol, "Protocol for clients that offer none");
  app.add_option(
         "--compression", settings.compression,
         "permessage-deflate of protocols that leave it to the server: off, shared (no memory between messages) or dedicated")
      ->capture_default_str()
      ->check(CLI::IsMember({"off", "shared", "dedicated"}));
  app.add_flag("--compress-all", settings.compress_all,
               "Compress every message, also short ones, for clients that cannot read others (docs/compression.md)");
  app.add_option("--protocol-option", settings.protocol_options,
                 "Option of a protocol, as PROTOCOL.NAME=VALUE, like dumb-increment-protocol.period=20; may be given several times")
      ->allow_extra_args(false);
  add_http_options(app, settings);
  add_front_options(app, settings);
  app.add_flag("--list-protocols", settings.list_protocols, "Print the names of all protocols, one a line, and exit");
}

wharf::ServerOptions server_options(const Settings& settings) {
  wharf::ServerOptions options;
  options.threads = settings.threads;
  options.quiet = settings.debug == "quiet";
  if (!options.quiet) options.log_level = levels.at(settings.debug);
  options.stop_on_signals = true;
  options.compression.context = compressions.at(settings.compression);
  if (settings.compress_all) options.compression.messages = wharf::Compression::Messages::all;
  options.limits.connections = settings.connections;
  options.fronts = {settings.trusted, front_fields.at(settings.trusted_fields)};
  return options;
}

/// The plugins that are built in, those of the folders named or else of the installed folder, and echo.
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
void print_ready_line(const wharf::Server& server) {
  std::string line = "listening on";
  for (const std::string& address : server.addresses())
    line += address.starts_with("unix:") ? " " + address : " http://" + address + "/";
  for (const std::string& name : server.protocols()) line += " " + name;
  wharf::print_line(wharf::StandardStream::output, line);
}

/// What is mounted where, as far as the plugins are there.
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

/// In the place of what was mounted there.
void mount_instead(wharf::VirtualHost& host, wharf::Mount mount) {
  std::erase_if(host.mounts, [&mount](const wharf::Mount& other) { return other.prefix == mount.prefix; });
  host.mounts.push_back(std::move(mount));
}

wharf::Error take_mounts(wharf::VirtualHost& host, const Settings& settings) {
  for (const std::string& text : settings.files_options)
    if (std::string fault = file_options::apply(host.mounts, text); !fault.empty()) return {std::move(fault)};
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
    if (std::string fault = proxy_options::apply(host.mounts, text); !fault.empty()) return {std::move(fault)};
  for (const std::string& text : settings.passwords) {
    const auto parts = split_assignment(text);
    if (!parts) return {"--password-file takes PREFIX=FILE, not '" + text + "'"};
    const auto mount = std::find_if(host.mounts.begin(), host.mounts.end(),
                                    [&parts](const wharf::Mount& each) { return each.prefix == parts->first; });
    if (mount == host.mounts.end()) return {"--password-file: nothing is mounted at '" + parts->first + "'"};
    mount->access = wharf::PasswordAccess{parts->second};
  }
  return {};
}

int list_protocols(const wharf::Server& server) {
  for (const std::string& name : server.protocols()) std::cout << name << '\n';
  return 0;
}

int serve(const Settings& settings) {
  wharf::ServerOptions options = server_options(settings);
  for (const std::string& text : settings.limits)
    if (!limit_options::take(options.limits, options.files, text))
      return fail(wrong_usage, "--limit takes NAME=NUMBER, not '" + text + "'; the names: " + limit_options::names());
  wharf::Server server(std::move(options));
  if (const wharf::Error error = fill_table(server, settings)) return fail(cannot_serve, error.message);
  if (settings.list_protocols) return list_protocols(server);

  wharf::VirtualHost host;
  add_mounts(host, server, settings);
  if (const wharf::Error error = take_mounts(host, settings)) return fail(wrong_usage, error.message);
  host.origins = settings.origins;
  host.access_log.file = settings.access_log;
  if (settings.access_log_format == "json") host.access_log.format = wharf::LogFormat::json;
  host.default_protocol = settings.default_protocol;
  for (const std::string& text : settings.protocol_options)
    if (!take_protocol_option(host, text))
      return fail(wrong_usage, "--protocol-option takes PROTOCOL.NAME=VALUE, not '" + text + "'");
  if (const wharf::Error error = server.add(std::move(host))) return fail(cannot_serve, error.message);
  if (const wharf::Error error = settings.unix_socket.empty() ? server.listen(settings.interface, settings.port)
                                                              : server.listen_unix(settings.unix_socket))
    return fail(cannot_serve, error.message);
  if (const wharf::Error error = server.run([&server] { print_ready_line(server); })) return fail(cannot_serve, error.message);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {  // NOLINT(bugprone-exception-escape): CLI11 throws at options that were declared wrongly
  wharf::occupy_standard_streams();
  Settings settings;
  CLI::App app("Serves a page over HTTP and the protocols of its plugins over WebSocket, on one port.", "wharf-test-server");
  try {
    add_options(app, settings);
    app.parse(count, arguments);
  } catch (const CLI::Success& asked) {  // --help and --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return fail(wrong_usage, std::string(error.what()) + " (see --help)");
  }
  return serve(settings);
}
