#include "wharf/server.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/ascii.h"
#include "base/shared_line_writer.h"
#include "base/standard_descriptors.h"
#include "files/mount.h"
#include "observe/access_log.h"
#include "protocol/plugin_loader.h"
#include "protocol/table.h"
#include "server/doors.h"
#include "server/worker.h"

namespace wharf {
namespace {

using server::Worker;

/// All descriptors that the process may have, less what the server itself and the program around it need.
std::size_t connections_by_descriptors(unsigned threads, std::size_t open_files, bool proxies) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1'000'000;
  const auto all = static_cast<std::size_t>(limit.rlim_cur);
  const std::size_t reserve = 32 + std::size_t{16} * threads;
  std::size_t left = all > reserve ? all - reserve : 1;
  left -= std::min(open_files * threads, left / 4);
  return std::max<std::size_t>(1, proxies ? left / 2 : left);  // behind a proxied client is another connection
}

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

/// The program is at fault, and cannot go on.
[[noreturn]] void fail(std::string_view why) {
  const auto standard_error = base::SharedLineWriter::of_stream(STDERR_FILENO);
  (*standard_error)->write(base::concat("wharf: ", why, "\n"));
  (*standard_error)->settle(base::LineWriter::longest_end);
  std::abort();
}

}  // namespace

class Server::Implementation {
 public:
  explicit Implementation(ServerOptions given)
      : options_(std::move(given)),
        log_(level_of(options_), sink_of(options_)),
        executors_(options_.limits),
        doors_(options_, log_) {
    base::occupy_standard_descriptors();
    options_.threads = std::max(1U, options_.threads);
  }
  ~Implementation();
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  Error add(const wharf_row& row) { return rows_.add(row); }
  Error add(const wharf_plugin& plugin);
  Error add(VirtualHost host);
  Error load_plugin(const std::string& file);
  Error load_plugins(const std::string& folder);
  [[nodiscard]] std::vector<std::string> protocols() const;
  server::Doors& doors() { return doors_; }
  Error run(const std::function<void()>& ready);
  Error start(uv_loop_s* loop);
  void stop(std::function<void()> stopped);
  void reopen_logs();

 private:
  /// A worker, made and destroyed on its own thread; that of the first is whoever calls run(), or runs the caller's loop.
  struct Place {
    std::unique_ptr<Worker> worker;
    std::thread thread;
  };
  /// What becomes of workers that have been made.
  enum class Verdict : std::uint8_t { serve, end };

  [[nodiscard]] bool proxies() const;
  Error prepare(uv_loop_s* foreign);
  Error read_fronts();
  [[nodiscard]] server::RoomLimits room_limits() const;
  Error make_worker(std::size_t number, uv_loop_s* foreign);
  Error make_workers(const std::shared_future<Verdict>& verdict);
  void live(std::size_t number, std::promise<Error> made, const std::shared_future<Verdict>& verdict);
  void other_ended();
  void end_worker(Place& place);
  void stop_where_asked();
  void terminated();
  void stop_place(Place& place);
  void join();

  ServerOptions options_;
  base::Log log_;
  server::RowList rows_;
  std::vector<VirtualHost> hosts_;
  codec::TrustedFronts fronts_;     // lent to the workers
  session::Statistics statistics_;  // outlives the workers
  server::Executors executors_;     // so do these
  server::Doors doors_;             // and these

  std::atomic<std::size_t> others_running_{0};  // loops, except the first
  int terminations_ = 0;                        // of signals, on the first loop's thread

  std::unique_ptr<io::Admission> admission_;  // of all workers, which it outlives

  std::mutex mutex_;           // guards what follows: stop() comes from any thread
  std::vector<Place> places_;  // as many from the start to the end
  bool started_ = false;
  bool foreign_ = false;
  bool stop_asked_ = false;
  std::function<void()> stopped_;
};

// ---- Setting up ----

namespace {

std::string absolute_name(const std::string& name) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(name, error);
  return error ? name : whole.string();
}

/// Relative names are relative to the present working folder, even if that changes later.
void resolve_names(VirtualHost& host) {
  for (Mount& mount : host.mounts) {
    server::kind_of(mount).resolve(mount);
    if (mount.access) mount.access->file = absolute_name(mount.access->file);
  }
  if (std::string& log = host.access_log.file; !log.empty() && log != server::AccessLog::standard_output) log = absolute_name(log);
}

}  // namespace

Error Server::Implementation::add(VirtualHost host) {
  for (const VirtualHost& other : hosts_)
    if (base::equal_ignoring_case(other.name, host.name)) return {"there are two virtual hosts '" + host.name + "'"};
  if (std::string fault = server::Router::check(host); !fault.empty()) return {std::move(fault)};
  resolve_names(host);
  std::vector<std::string> named = host.protocols;
  if (!host.default_protocol.empty()) named.push_back(host.default_protocol);
  for (const auto& [name, options] : host.options) named.push_back(name);
  for (const Mount& mount : host.mounts)
    if (const auto row = server::kind_of(mount).row_named(mount); !row.empty()) named.emplace_back(row);
  for (const std::string& name : named) {
    if (rows_.find(name) != nullptr) continue;
    std::string known;
    for (const std::string& row : protocols()) known += (known.empty() ? "" : ", ") + row;
    return {"there is no protocol '" + name + "'; there are: " + (known.empty() ? "none" : known)};
  }
  hosts_.push_back(std::move(host));
  return {};
}

bool Server::Implementation::proxies() const {
  const auto connects = [](const Mount& mount) { return server::kind_of(mount).makes_connections(); };
  return std::any_of(hosts_.begin(), hosts_.end(), [&connects](const VirtualHost& host) {
    return std::any_of(host.mounts.begin(), host.mounts.end(), connects);
  });
}

Error Server::Implementation::add(const wharf_plugin& plugin) {
  if (const std::string fault = server::check_plugin(plugin); !fault.empty())
    return {"a plugin of this program is refused: " + fault};
  return rows_.add(std::span(plugin.rows, plugin.row_count));
}

Error Server::Implementation::load_plugin(const std::string& file) {
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

// ---- Running ----

Error Server::Implementation::prepare(uv_loop_s* foreign) {
  base::occupy_standard_descriptors();
  if (started_) return {"the server runs already, or has run; make another one"};
  if (foreign != nullptr && options_.threads > 1) return {"a server on a caller's loop has one thread"};
  const Limits& given = options_.limits;
  if (given.output_high_water == 0 || given.output_low_water > given.output_high_water ||
      given.output_high_water > given.output_hard_cap)
    return {"the output limits must be in order: low water, high water (at least 1), hard cap"};
  if (Error error = server::check_compression(options_.compression)) return error;
  if (Error error = read_fronts()) return error;
  if (hosts_.empty()) hosts_.emplace_back();
  statistics_.row_names = protocols();
  statistics_.since = std::chrono::duration_cast<base::Time>(std::chrono::steady_clock::now().time_since_epoch());
  statistics_.loops.clear();
  for (unsigned thread = 0; thread < options_.threads; ++thread) statistics_.loops.emplace_back(rows_.rows().size());
  const std::lock_guard lock(mutex_);
  started_ = true;
  places_ = std::vector<Place>(options_.threads);
  const std::size_t wanted = options_.limits.connections;
  admission_ = std::make_unique<io::Admission>(
      wanted != 0 ? wanted : connections_by_descriptors(options_.threads, options_.files.open_files, proxies()));
  return {};
}

Error Server::Implementation::read_fronts() {
  std::vector<base::PeerNetwork> networks;
  for (const std::string& text : options_.fronts.networks) {
    const auto network = base::PeerNetwork::parse(text);
    if (!network) return {"trusted fronts: " + network.error()};
    networks.push_back(*network);
  }
  fronts_ = codec::TrustedFronts(std::move(networks), static_cast<codec::ForwardingFields>(options_.fronts.fields));
  return {};
}

server::RoomLimits Server::Implementation::room_limits() const {
  server::RoomLimits limits(options_.limits, admission_->most());
  limits.loop.admission = admission_.get();
  limits.ws.compression = options_.compression;
  return limits;
}

/// On the worker's thread.
Error Server::Implementation::make_worker(std::size_t number, uv_loop_s* foreign) {
  const server::WorkerParts parts{rows_,      hosts_, options_.files, statistics_, statistics_.loops[number],
                                  executors_, log_,   &fronts_};
  auto made = Worker::create(foreign, room_limits(), parts);
  if (!made) return made.error();
  if (Error error = doors_.open_to(**made, number)) return error;
  const std::lock_guard lock(mutex_);
  places_[number].worker = std::move(*made);
  return {};
}

/// One after the other. Each thread has its worker serve, or end it, as soon as there is a verdict.
Error Server::Implementation::make_workers(const std::shared_future<Verdict>& verdict) {
  Error error = make_worker(0, nullptr);
  for (std::size_t number = 1; number < places_.size() && !error; ++number) {
    std::promise<Error> made;
    std::future<Error> outcome = made.get_future();
    try {
      places_[number].thread = std::thread(&Implementation::live, this, number, std::move(made), verdict);
    } catch (const std::system_error& fault) {
      return {base::concat("the system has no thread for loop ", number + 1, " of ", places_.size(), ": ", fault.code().message())};
    }
    error = outcome.get();
  }
  return error;
}

void Server::Implementation::live(std::size_t number, std::promise<Error> made, const std::shared_future<Verdict>& verdict) {
  try {
    made.set_value(make_worker(number, nullptr));
  } catch (...) {
    made.set_exception(std::current_exception());
  }
  Place& place = places_[number];
  if (verdict.get() == Verdict::serve) {
    place.worker->loop().run();
    other_ended();
  }
  end_worker(place);
}

/// The first loop heeds the signals, so it stays until the last of the others has ended.
void Server::Implementation::other_ended() {
  if (--others_running_ != 0) return;
  const std::lock_guard lock(mutex_);
  if (places_.front().worker) places_.front().worker->loop().release();
}

Error Server::Implementation::run(const std::function<void()>& ready) {
  if (Error error = prepare(nullptr)) return error;
  std::promise<Verdict> verdict;
  std::optional<Verdict> given;
  const auto end = [&] {
    if (!given) verdict.set_value(Verdict::end);
    doors_.close();
    stop({});
    end_worker(places_.front());
    join();
  };
  try {
    if (Error error = make_workers(verdict.get_future().share())) {
      end();
      return error;
    }
    doors_.close();
    io::Loop& own = places_.front().worker->loop();
    if (options_.stop_on_signals) own.on_signals([this] { terminated(); }, [this] { reopen_logs(); });
    others_running_ = places_.size() - 1;
    if (others_running_ != 0) own.hold();
    given = Verdict::serve;
    verdict.set_value(*given);
    stop_where_asked();
    if (ready) ready();
    own.run();
  } catch (...) {  // from `ready`, or if there is no memory: the others must not go on alone
    end();
    throw;
  }
  end_worker(places_.front());
  join();
  if (const std::function<void()> stopped = std::exchange(stopped_, nullptr)) stopped();
  return {};
}

Error Server::Implementation::start(uv_loop_s* loop) {
  if (loop == nullptr) return {"start() takes a loop; use run() for one of the server's own"};
  if (Error error = prepare(loop)) return error;
  foreign_ = true;
  Error error = make_worker(0, loop);
  doors_.close();
  if (!error) stop_where_asked();
  return error;
}

// ---- Stopping ----

void Server::Implementation::stop(std::function<void()> stopped) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stop_asked_, true)) return;
    stopped_ = std::move(stopped);
  }
  stop_where_asked();
}

/// Workers that do not exist yet are stopped when all exist.
void Server::Implementation::stop_where_asked() {
  const std::lock_guard lock(mutex_);
  if (!stop_asked_) return;
  for (Place& place : places_)
    if (place.worker) stop_place(place);
}

/// The first signal stops the server; the second takes the grace away. On the first loop's thread.
void Server::Implementation::terminated() {
  stop({});
  if (++terminations_ < 2) return;
  const std::lock_guard lock(mutex_);
  for (Place& place : places_)
    if (place.worker) place.worker->loop().mailbox().post([&loop = place.worker->loop()] { loop.cut(); });
}

void Server::Implementation::reopen_logs() {
  const std::lock_guard lock(mutex_);
  for (Place& place : places_)
    if (place.worker) place.worker->loop().mailbox().post([worker = place.worker.get()] { worker->reopen_logs(); });
}

/// On a caller's loop this is the end when nothing is left in the loop; own loops return from run(). If the loop never ran, it
/// runs what was posted while its worker is being destroyed.
void Server::Implementation::stop_place(Place& place) {
  io::Loop& loop = place.worker->loop();
  loop.mailbox().post([this, &place, &loop] {
    loop.stop(server::bounded(options_.limits.stop_grace), [this, &place] {
      if (!foreign_) return;
      end_worker(place);
      if (const std::function<void()> stopped = std::exchange(stopped_, nullptr)) stopped();
    });
  });
}

/// On the worker's thread. It is destroyed without the lock: the rows' shared states may wait for threads that call stop().
void Server::Implementation::end_worker(Place& place) {
  std::unique_ptr<Worker> gone;
  const std::unique_lock lock(mutex_);
  gone = std::move(place.worker);
}

void Server::Implementation::join() {
  for (Place& place : places_)
    if (place.thread.joinable()) place.thread.join();
}

/// A caller's loop would call objects that have gone, and only the caller can run it to the end.
Server::Implementation::~Implementation() {
  for (const Place& place : places_)
    if (place.worker)
      fail("a Server is destroyed while it runs on a caller's loop; call stop(), and run the loop until that calls back");
}

// ---- The public face ----

Server::Server(ServerOptions options) : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Server::~Server() = default;

Error Server::add(const wharf_row& row) { return implementation_->add(row); }
Error Server::add(const wharf_plugin& plugin) { return implementation_->add(plugin); }
Error Server::add(VirtualHost host) { return implementation_->add(std::move(host)); }
Error Server::load_plugin(const std::string& file) { return implementation_->load_plugin(file); }
Error Server::load_plugins(const std::string& folder) { return implementation_->load_plugins(folder); }
std::vector<std::string> Server::protocols() const { return implementation_->protocols(); }
Error Server::listen(const std::string& interface, std::uint16_t port) {
  return implementation_->doors().listen(interface, port, nullptr);
}
Error Server::listen(const std::string& interface, std::uint16_t port, const Tls& tls) {
  return implementation_->doors().listen(interface, port, &tls);
}
Error Server::listen_unix(const std::string& path) { return implementation_->doors().listen_unix(path); }
std::vector<std::string> Server::addresses() const { return implementation_->doors().addresses(); }
Error Server::run(const std::function<void()>& ready) { return implementation_->run(ready); }
Error Server::start(uv_loop_s* loop) { return implementation_->start(loop); }
void Server::stop(std::function<void()> stopped) { implementation_->stop(std::move(stopped)); }
void Server::reopen_logs() { implementation_->reopen_logs(); }

}  // namespace wharf
