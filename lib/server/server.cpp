#include "wharf/server.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "base/ascii.h"
#include "base/shared_line_writer.h"
#include "base/standard_descriptors.h"
#include "observe/access_log.h"
#include "protocol/plugin_loader.h"
#include "server/implementation.h"
#include "server/life/inherited_sockets.h"

namespace wharf {

// ---- Setting up ----

namespace {

base::LogLevel level_of(const ServerOptions& options) {
  return options.quiet ? base::LogLevel::quiet : static_cast<base::LogLevel>(options.log_level);
}

base::Log::Sink sink_of(const ServerOptions& options) {
  if (options.log)
    return [sink = options.log](base::LogLevel level, std::string_view text) { sink(static_cast<Level>(level), text); };
  std::shared_ptr<base::SharedLineWriter> standard_error = base::SharedLineWriter::of_stream(STDERR_FILENO);
  return [file = std::move(standard_error)](base::LogLevel level, std::string_view text) {
    (*file)->write(base::concat(base::name_of(level), ": ", text, "\n"));
  };
}

}  // namespace

Server::Implementation::Implementation(ServerOptions given)
    : options_(std::move(given)),
      log_(level_of(options_), sink_of(options_)),
      executors_(options_.limits),
      doors_(options_, log_),
      manager_(options_.service_manager == Switch::on ? server::ServiceManager::Variables::of_process()
                                                      : server::ServiceManager::Variables{},
               log_) {
  base::occupy_standard_descriptors();
  server::Program::of_process();
  server::InheritedSockets::of_process();
  options_.threads = std::max(1U, options_.threads);
}

namespace {

/// Loops read the table while they run.
const Error table_in_use{"the server runs: rows and plugins are added before"};

}  // namespace

Error Server::Implementation::add(const wharf_row& row) { return running() ? table_in_use : rows_.add(row); }

bool Server::Implementation::proxies() const {
  if (!doors_.raw_rows().empty()) return true;  // which may hand their connections on
  const auto connects = [](const Mount& mount) { return server::kind_of(mount).makes_connections(); };
  return std::any_of(hosts_.begin(), hosts_.end(), [&connects](const VirtualHost& host) {
    return std::any_of(host.mounts.begin(), host.mounts.end(), connects);
  });
}

Error Server::Implementation::add(const wharf_plugin& plugin) {
  if (running()) return table_in_use;
  if (const std::string fault = server::check_plugin(plugin); !fault.empty())
    return {"a plugin of this program is refused: " + fault};
  return rows_.add(std::span(plugin.rows, plugin.row_count));
}

Error Server::Implementation::load_plugin(const std::string& file) {
  if (running()) return table_in_use;
  const auto plugin = server::load_plugin(file);
  if (!plugin) return plugin.error();
  if (Error error = rows_.add(std::span(plugin->plugin->rows, plugin->plugin->row_count)))
    return {"plugin '" + file + "' is refused: " + error.message};
  if (!plugin->warning.empty()) log_.warn(plugin->warning);
  log_.debug("plugin '", file, "' is loaded");
  return {};
}

Error Server::Implementation::load_plugins(const std::string& folder) {
  const auto files = server::list_plugins(folder);
  if (!files) return files.error();
  for (const std::string& file : *files)
    if (const Error error = load_plugin(file)) log_.error(error.message);
  return {};
}

std::vector<std::string> Server::Implementation::protocols() const {
  std::vector<std::string> names;
  for (const wharf_row& row : rows_.rows()) names.emplace_back(row.name);
  return names;
}

// ---- The public face ----

Server::Server(ServerOptions options) : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Server::~Server() = default;

Error Server::add(const wharf_row& row) { return implementation_->add(row); }
Error Server::add(const wharf_plugin& plugin) { return implementation_->add(plugin); }
Error Server::load_plugin(const std::string& file) { return implementation_->load_plugin(file); }
Error Server::load_plugins(const std::string& folder) { return implementation_->load_plugins(folder); }
std::vector<std::string> Server::protocols() const { return implementation_->protocols(); }
Error Server::listen(const std::string& interface, std::uint16_t port, const Door& door) {
  return implementation_->doors().listen(interface, port, door);
}
Error Server::listen_unix(const std::string& path, Door door) {
  return implementation_->doors().listen_unix(path, std::move(door));
}
Error Server::listen_inherited(const std::string& name, const Door& door) {
  return implementation_->doors().listen_inherited(name, door);
}
std::vector<std::string> Server::addresses() const { return implementation_->doors().addresses(); }
Error Server::run(const std::function<void()>& ready) { return implementation_->run(ready); }
Error Server::start(uv_loop_s* loop) { return implementation_->start(loop); }
void Server::stop(std::function<void()> stopped) { implementation_->stop(std::move(stopped)); }
void Server::drain(std::function<void()> stopped) { implementation_->drain(std::move(stopped)); }
Error Server::hand_over(Successor successor) { return implementation_->hand_over(std::move(successor)); }
void Server::reopen_logs() { implementation_->reopen_logs(); }
void Server::reload() { implementation_->reload(); }

}  // namespace wharf
