/// How a server starts, runs and stops.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include "base/shared_line_writer.h"
#include "base/standard_descriptors.h"
#include "server/implementation.h"

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

/// The program is at fault, and cannot go on.
[[noreturn]] void fail(std::string_view why) {
  const auto standard_error = base::SharedLineWriter::of_stream(STDERR_FILENO);
  (*standard_error)->write(base::concat("wharf: ", why, "\n"));
  (*standard_error)->settle(base::LineWriter::longest_end);
  std::abort();
}

}  // namespace

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
  if (std::string fault = server::Clients::check(given); !fault.empty()) return {std::move(fault)};
  if (Error error = read_fronts()) return error;
  if (hosts_.empty()) hosts_.emplace_back();
  for (const std::string& row : doors_.raw_rows()) {
    const wharf_row* const found = rows_.find(row);
    if (found == nullptr || found->raw == nullptr)
      return {base::concat("a door is for the raw protocol '", row, "', and there is no such ",
                           found == nullptr ? "protocol" : "raw one")};
  }
  if (Error error = doors_.use_hosts(hosts_)) return error;
  for (const VirtualHost& host : hosts_) doors_.warn_of(host);
  statistics_.row_names = protocols();
  statistics_.since = std::chrono::duration_cast<base::Time>(std::chrono::steady_clock::now().time_since_epoch());
  statistics_.loops.clear();
  for (unsigned thread = 0; thread < options_.threads; ++thread) statistics_.loops.emplace_back(rows_.rows().size());
  if (foreign == nullptr) doors_.keep();
  const std::lock_guard lock(mutex_);
  started_ = true;
  places_ = std::vector<Place>(options_.threads);
  clients_ = std::make_unique<server::Clients>(given, fronts_, log_);
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
  {
    const std::lock_guard lock(mutex_);
    places_[number].lives_on = std::this_thread::get_id();
  }
  const server::WorkerParts parts{
      rows_, hosts_,   options_.files, statistics_,           statistics_.loops[number], executors_, doors_.certificates(),
      log_,  &fronts_, clients_.get(), options_.unknown_hosts};
  auto made = Worker::create(foreign, room_limits(), parts);
  if (!made) return made.error();
  if (Error error = doors_.open_to(**made, number)) return error;
  std::shared_ptr<server::CertificateKeeper> keeper;
  if (number == 0) {
    keeper = std::make_shared<server::CertificateKeeper>((*made)->loop(), executors_.files, doors_.certificates());
    keeper->begin();
  }
  const std::lock_guard lock(mutex_);
  places_[number].worker = std::move(*made);
  places_[number].keeper = std::move(keeper);
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
  std::unique_lock changing(changing_);
  if (Error error = prepare(nullptr)) return error;
  std::promise<Verdict> verdict;
  std::optional<Verdict> given;
  const auto end = [&] {
    if (!given) verdict.set_value(Verdict::end);
    doors_.close();
    stop({});
    end_serving();
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
    if (options_.stop_on_signals)
      own.on_signals({[this](int number) { terminated(number); }, [this] { hung_up(); }, [this] { replaced(); }});
    others_running_ = places_.size() - 1;
    if (others_running_ != 0) own.hold();
    changing.unlock();
    given = Verdict::serve;
    verdict.set_value(*given);
    begin_serving(own);
    stop_where_asked();
    if (ready) ready();
    tell_serving();
    own.run();
  } catch (...) {  // from `ready`, or if there is no memory: the others must not go on alone
    end();
    throw;
  }
  end_serving();
  end_worker(places_.front());
  join();
  if (const std::function<void()> stopped = std::exchange(stopped_, nullptr)) stopped();
  return {};
}

Error Server::Implementation::start(uv_loop_s* loop) {
  if (loop == nullptr) return {"start() takes a loop; use run() for one of the server's own"};
  const std::lock_guard changing(changing_);
  if (Error error = prepare(loop)) return error;
  foreign_ = true;
  Error error = make_worker(0, loop);
  doors_.close();
  if (error) return error;
  places_.front().worker->loop().mailbox().post([this] {  // whoever called this, the loop's thread is the one that runs it
    const std::lock_guard lock(mutex_);
    places_.front().lives_on = std::this_thread::get_id();
  });
  stop_where_asked();
  return {};
}

bool Server::Implementation::running() {
  const std::lock_guard lock(mutex_);
  return started_;
}

bool Server::Implementation::stops_or_has() {
  const std::lock_guard lock(mutex_);
  return asked_ != Asked::nothing ||
         std::none_of(places_.begin(), places_.end(), [](const Place& place) { return place.worker != nullptr; });
}

bool Server::Implementation::on_a_loop() {
  const std::lock_guard lock(mutex_);
  return std::any_of(places_.begin(), places_.end(),
                     [](const Place& place) { return place.lives_on == std::this_thread::get_id(); });
}

// ---- Stopping ----

void Server::Implementation::end(Asked how, std::function<void()> stopped) {
  bool begins = false;
  {
    const std::lock_guard lock(mutex_);
    if (asked_ >= how) return;
    begins = serving_ && asked_ == Asked::nothing && backlog_ == io::Backlog::served;
    asked_ = how;
    if (stopped && stopped_)
      stopped_ = [first = std::move(stopped_), second = std::move(stopped)] {
        first();
        second();
      };
    else if (stopped) stopped_ = std::move(stopped);
    if (takeover_) takeover_->cancel();
  }
  if (begins) manager_.tell(how == Asked::drain ? "STOPPING=1\nSTATUS=Draining" : "STOPPING=1\nSTATUS=Stopping");
  stop_where_asked();
}

/// Workers that do not exist yet are stopped when all exist.
void Server::Implementation::stop_where_asked() {
  const std::lock_guard lock(mutex_);
  if (asked_ == Asked::nothing) return;
  doors_.close_kept();
  for (Place& place : places_)
    if (place.worker) stop_place(place);
}

/// The first signal ends the server, SIGTERM slowly; the second takes the grace away. On the first loop's thread.
void Server::Implementation::terminated(int number) {
  if (number == SIGTERM) drain({});
  else stop({});
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

void Server::Implementation::reload() {
  const std::lock_guard lock(mutex_);
  for (const Place& place : places_)
    if (place.worker && place.keeper)
      place.worker->loop().mailbox().post([weak = std::weak_ptr(place.keeper)] {
        if (const auto keeper = weak.lock()) keeper->reload();
      });
}

/// On a caller's loop this is the end when nothing is left in the loop; own loops return from run(). If the loop never ran, it
/// runs what was posted while its worker is being destroyed.
void Server::Implementation::stop_place(Place& place) {
  io::Loop& loop = place.worker->loop();
  loop.mailbox().post([this, &place, &loop, how = asked_, backlog = backlog_] {
    const auto stopped = [this, &place] {
      if (!foreign_) return;
      end_worker(place);
      if (const std::function<void()> call = std::exchange(stopped_, nullptr)) call();
    };
    if (how == Asked::drain) loop.drain(server::bounded(options_.limits.drain_time), backlog, stopped);
    else loop.stop(server::bounded(options_.limits.stop_grace), stopped);
  });
}

/// On the worker's thread. It is destroyed without the lock: the rows' shared states may wait for threads that call stop().
void Server::Implementation::end_worker(Place& place) {
  std::unique_ptr<Worker> gone;
  std::shared_ptr<server::CertificateKeeper> keeper;  // the first to go: it has a timer of the loop
  const std::unique_lock lock(mutex_);
  gone = std::move(place.worker);
  keeper = std::move(place.keeper);
  place.lives_on = {};
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

}  // namespace wharf
