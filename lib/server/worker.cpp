#include "server/worker.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "files/source.h"

namespace wharf::server {
namespace {

/// A loop that never served, in a caller's loop: the caller's next turns close its handles, and only then it can be destroyed.
void abandon(std::unique_ptr<io::Loop> loop) {
  io::Loop* last = loop.release();
  last->stop(base::Time{0}, [last] { delete last; });
}

}  // namespace

io::KeepAlive keep_alive_of(const Limits& limits) {
  return {bounded(limits.tcp_keep_alive_idle), bounded(limits.tcp_keep_alive_interval), limits.tcp_keep_alive_count};
}

RoomLimits::RoomLimits(const Limits& limits, std::size_t connections) {
  apply(limits_of_hosts(limits), ws);
  apply(limits_of_hosts(limits), http);
  http.head = {limits.request_line, limits.request_head, limits.request_fields};
  http.head_time = bounded(limits.request_head_time);
  http.chunk = {limits.chunk_extension, limits.chunk_extensions, limits.trailer, limits.trailer_fields};
  http.dropped_body = limits.dropped_body;
  tls_handshake = bounded(limits.tls_handshake_time);
  proxy_header_time = bounded(limits.proxy_header_time);
  proxy_header = limits.proxy_header;
  loop.connections = connections;
  loop.write_stall = bounded(limits.write_stall);
  loop.write_progress = limits.write_progress;
  loop.keep_alive = keep_alive_of(limits);
  if (limits.address_connections != 0 || limits.address_connection_rate != 0) loop.room = io::LoopLimits::Room::after_admitting;
  loop.output = {limits.output_low_water, limits.output_high_water, limits.output_hard_cap};
}

base::Result<std::unique_ptr<Worker>, Error> Worker::create(uv_loop_s* foreign, const RoomLimits& limits,
                                                            const WorkerParts& parts) {
  auto loop = io::Loop::create(foreign, limits.loop, parts.log);
  if (!loop) return base::Failure{Error{loop.error()}};
  std::unique_ptr<Worker> worker(new Worker(limits, std::move(*loop), parts));
  const session::ExchangeLimits& exchanges = limits.http;
  auto router = Router::start(parts.rows, parts.hosts, {limits.ws, exchanges}, worker->home_, &worker->outside_, parts.files,
                              parts.clients, parts.unknown_hosts);
  if (!router) return base::Failure{router.error()};
  worker->router_ = std::move(*router);
  worker->http_.emplace(*worker->router_, limits.http, worker->loop_->log());
  if (parts.fronts != nullptr) worker->http_->fronts = *parts.fronts;
  return worker;
}

Worker::Worker(const RoomLimits& limits, std::unique_ptr<io::Loop> loop, const WorkerParts& parts)
    // clang-format off
    : limits_(limits),
      loop_(std::move(loop)),
      handles_(loop_->mailbox()),
      home_{loop_->log(), handles_, [this] { return loop_->now(); }, {}, &parts.statistics, &parts.counts, FileSource::open, &outside_},
      outside_(*loop_, parts.executors, parts.certificates),
      clients_(parts.clients) {
  // clang-format on
  loop_->count_clients_in(parts.counts.connections);
  if (parts.statistics.since == base::Time{0}) parts.statistics.since = loop_->now();
}

/// Sessions end with their loop, while everything that they use still exists; then the rows' shared states, which may ask for the
/// time.
Worker::~Worker() {
  handles_.retire();
  loop_->end();
  entrances_.clear();
  http_.reset();
  router_.reset();
  if (loop_->in_use_by_caller()) abandon(std::move(loop_));
}

/// The time that the conversations of a removed host still have.
class Worker::Farewell final : public io::Timed {
 public:
  Farewell(Worker& worker, std::uint64_t host) : worker_(worker), host_(host) {}

  void on_timer() override {
    Worker& worker = worker_;
    worker.router_->send_away(host_);
    worker.farewells_.remove_if([this](const auto& each) { return each.get() == this; });
  }

 private:
  Worker& worker_;
  std::uint64_t host_;
};

void Worker::commit(const HostChange& change) {
  const std::uint64_t host = router_->commit();
  if (change.kind != HostChange::Kind::remove || change.removal.web_sockets == Removal::WebSockets::keep) return;
  const base::Time grace = bounded(change.removal.grace);
  if (grace == base::Time{0}) return router_->send_away(host);
  Farewell& farewell = *farewells_.emplace_back(std::make_unique<Farewell>(*this, host));
  loop_->wheel().set(farewell, loop_->now() + grace);
}

bool Worker::admit(session::Link& link) {
  if (clients_ == nullptr || clients_->admit(link)) return true;
  session::add(home_.counts->openings.connections_refused);
  return false;
}

Error Worker::accept_from(io::ListeningSocket socket, const OpenDoor& door) {
  tls::LoopParts* const tls = door.tls != nullptr ? &outside_.tls_parts() : nullptr;
  if (tls != nullptr) {
    tls->handshake_time = limits_.tls_handshake;
    tls->counts = &home_.counts->openings;
  }
  const Entrance& entrance = *entrances_.emplace_back(std::make_unique<Entrance>(
      door, EntranceParts{*http_, *router_, tls, loop_->log(), limits_.tls_handshake, limits_.proxy_header_time,
                          limits_.proxy_header, &home_.counts->openings, [this](session::Link& link) { return admit(link); }}));
  auto listener = io::Listener::create(*loop_, std::move(socket), [this, &entrance](session::Link& link) {
    session::add(home_.counts->accepted);
    return entrance.first(link);
  });
  if (!listener) return {"the system refuses to watch a listening socket"};
  loop_->add(std::move(listener));
  return {};
}

}  // namespace wharf::server
