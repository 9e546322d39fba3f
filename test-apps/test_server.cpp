/// wharf-test-server: a page over HTTP and, chosen by Sec-WebSocket-Protocol, the protocols of the plugins, on one port.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "wharf/server.hpp"
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
  std::vector<std::string> protocol_options;
  bool list_protocols = false;
};

const std::map<std::string, wharf::Level> levels{
    {"error", wharf::Level::error}, {"warn", wharf::Level::warn}, {"info", wharf::Level::info}, {"debug", wharf::Level::debug}};

const std::map<std::string, wharf::Compression::Context> compressions{{"off", wharf::Compression::Context::off},
                                                                      {"shared", wharf::Compression::Context::shared},
                                                                      {"dedicated", wharf::Compression::Context::dedicated}};

int fail(int status, std::string_view text) {
  std::cerr << "wharf-test-server: " << text << '\n';
  return status;
}

bool is_folder(const char* path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
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
  app.add_option("--protocol-option", settings.protocol_options,
                 "Option of a protocol, as PROTOCOL.NAME=VALUE, like dumb-increment-protocol.period=20; may be given several times")
      ->allow_extra_args(false);
  app.add_flag("--list-protocols", settings.list_protocols, "Print the names of all protocols, one a line, and exit");
}

wharf::ServerOptions server_options(const Settings& settings) {
  wharf::ServerOptions options;
  options.threads = settings.threads;
  options.quiet = settings.debug == "quiet";
  if (!options.quiet) options.log_level = levels.at(settings.debug);
  options.stop_on_signals = true;
  options.compression.context = compressions.at(settings.compression);
  options.limits.connections = settings.connections;
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
  for (const std::string& address : server.addresses()) line += " http://" + address + "/";
  for (const std::string& name : server.protocols()) line += " " + name;
  std::cout << line << std::endl;
}

int list_protocols(const wharf::Server& server) {
  for (const std::string& name : server.protocols()) std::cout << name << '\n';
  return 0;
}

int serve(const Settings& settings) {
  wharf::Server server(server_options(settings));
  if (const wharf::Error error = fill_table(server, settings)) return fail(cannot_serve, error.message);
  if (settings.list_protocols) return list_protocols(server);

  wharf::VirtualHost host;
  if (!settings.resource_path.empty()) host.mounts.push_back({"/", settings.resource_path});
  else if (is_folder(WHARF_PAGE_FOLDER)) host.mounts.push_back({"/", WHARF_PAGE_FOLDER});
  host.default_protocol = settings.default_protocol;
  for (const std::string& text : settings.protocol_options)
    if (!take_protocol_option(host, text))
      return fail(wrong_usage, "--protocol-option takes PROTOCOL.NAME=VALUE, not '" + text + "'");
  if (const wharf::Error error = server.add(std::move(host))) return fail(cannot_serve, error.message);
  if (const wharf::Error error = server.listen(settings.interface, settings.port)) return fail(cannot_serve, error.message);
  if (const wharf::Error error = server.run([&server] { print_ready_line(server); })) return fail(cannot_serve, error.message);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {  // NOLINT(bugprone-exception-escape): CLI11 throws at options that were declared wrongly
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
