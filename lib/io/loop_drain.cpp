/// How a loop ends slowly.

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "io/connection.h"
#include "io/listener.h"
#include "io/loop.h"

namespace wharf::io {

namespace {

/// In one turn of the loop.
constexpr std::size_t most_visited = 512;
/// After the entrance was closed: for handshakes under way, whose clients may think already that they are connected.
constexpr base::Time last_handshakes{100};

}  // namespace

void Loop::drain(base::Time time, Backlog backlog, std::function<void()> stopped) {
  if (stage_ != Stage::running) return;
  stage_ = Stage::draining;
  stopped_ = std::move(stopped);
  drain_ = std::make_unique<Drain>(now(), time);
  std::erase_if(listeners_, [backlog](const auto& listener) {
    return backlog == Backlog::left || listener->socket().holder() == ListeningSocket::Holder::service_manager;
  });
  for (const auto& listener : listeners_) listener->close_entrance();
  if (!listeners_.empty()) drain_->close_listeners = now() + last_handshakes;
  drain_->next = connections_;
  drain_on();
}

void Loop::drain_on() {
  if (!drain_) return;
  if (now() >= drain_->close_listeners) {
    std::erase_if(listeners_, [](const auto& listener) { return listener->is_emptied(); });
    drain_->close_listeners = listeners_.empty() ? base::never : now() + last_handshakes;
  }
  drain_connections();
  end_where_done();
}

/// Goes through the connections up to three times: at once, at an even pace, and at the end of that.
void Loop::drain_connections() {
  using Phase = Drain::Phase;
  const auto soon = [this] { wheel_.set(drain_turn_, now()); };
  if (drain_->phase == Phase::announcing) {
    const auto announce = [this](Connection& connection) {
      connection.on_drain();
      if (connection.waits_to_be_told()) ++drain_->to_be_told;
      return true;
    };
    if (!walk(announce)) return soon();
    drain_->phase = Phase::telling;
    drain_->next = connections_;
    const base::Time left = std::max(drain_->telling_until - now(), base::Time{0});
    drain_->pace = EvenPace(now(), left, drain_->to_be_told);
  }
  if (drain_->phase == Phase::telling) {
    const bool all = tell_those_due();
    if (now() < drain_->telling_until) {
      base::Time next = std::min(drain_->telling_until, drain_->close_listeners);
      if (!all) next = std::min(next, drain_->pace.next());
      return wheel_.set(drain_turn_, next);
    }
    drain_->phase = Phase::ending;
    drain_->next = connections_;
    stage_ = Stage::stopping;
    wheel_.cancel(accept_retry_);
    listeners_.clear();
    wheel_.set(stop_grace_, drain_->cut_at);
  }
  const auto tell = [](Connection& connection) {
    connection.on_shut_down();
    return true;
  };
  if (!walk(tell)) return soon();
  drain_.reset();
}

/// False: there are others, whose time comes.
bool Loop::tell_those_due() {
  std::size_t due = drain_->pace.due(now());
  if (due == 0) return drain_->pace.over();
  const bool end = walk([this, &due](Connection& connection) {
    if (!connection.waits_to_be_told()) return true;
    connection.on_shut_down();
    drain_->pace.done();
    return --due != 0;
  });
  return end || drain_->pace.over();
}

/// Goes on as long as `visit` returns true. False: there are more. A connection that ends within the visit leaves the list later.
template <class Visit>
bool Loop::walk(Visit&& visit) {
  std::size_t left = most_visited;
  bool more = true;
  while (more && left-- != 0 && drain_->next != nullptr) more = visit(*std::exchange(drain_->next, drain_->next->next_));
  return drain_->next == nullptr;
}

}  // namespace wharf::io
