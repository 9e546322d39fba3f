#include "proxy/upstream_pool.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace wharf::server {

UpstreamPool::UpstreamPool(UpstreamSettings settings, Outside& outside, base::Log* log)
    : settings_(std::move(settings)), outside_(outside), log_(log), clients_{*this, settings_.limits} {}

session::H1Client* UpstreamPool::take() { return waiters_.empty() ? take_idle() : nullptr; }

session::H1Client* UpstreamPool::take_idle() {
  while (!idle_.empty()) {
    session::H1Client* const client = idle_.back();
    idle_.pop_back();
    if (client->usable()) return client;
    client->cancel();
  }
  return nullptr;
}

std::optional<UpstreamPool::Place> UpstreamPool::connect(Waiter& waiter) {
  const bool has_own = is_room() || attempts_.size() > waiters_.size();
  if (!has_own && waiters_.size() - attempts_.size() >= settings_.most_waiting) {
    tell_crowded();
    return std::nullopt;
  }
  const auto place = waiters_.insert(waiters_.end(), {&waiter, outside_.now()});
  try {
    if (may_attempt()) attempt(settings_.connect_time);
  } catch (...) {
    waiters_.erase(place);
    throw;
  }
  return place;
}

void UpstreamPool::forget(Place place) noexcept {
  waiters_.erase(place);
  give_up_surplus();
}

bool UpstreamPool::is_under_way(Place place) const {
  return static_cast<std::size_t>(std::distance(waiters_.begin(), std::list<Waiting>::const_iterator(place))) < attempts_.size();
}

/// If there is no memory to begin, nothing is counted.
void UpstreamPool::attempt(base::Time limit) {
  const base::Time began = outside_.now();
  const auto place = attempts_.emplace(attempts_.end());
  const auto connected = [this, place](session::Link& link) {
    // Memory first: a share without a client would give the link back, and failed() would count it once more.
    // NOLINTNEXTLINE(modernize-make-unique)
    std::unique_ptr<session::H1Client> client(new session::H1Client(link, clients_, session::LinkShare(*this)));
    attempts_.erase(place);  // otherwise it has failed
    return client;
  };
  const auto not_connected = [this, place, began, limit](std::string_view reason) {
    attempts_.erase(place);
    count_one_less();
    failed(began, limit, reason);
    attempt_for_others();
  };
  try {
    Dialer& dialer = settings_.dialer ? *settings_.dialer : outside_;
    *place = dialer.connect(settings_.endpoint, limit, connected, not_connected);
  } catch (...) {
    attempts_.erase(place);
    throw;
  }
  count_one();
}

void UpstreamPool::count_one() {
  ++connections_;
  if (settings_.users != nullptr) settings_.users->come();
}

/// Nobody destroys the pool within the call.
void UpstreamPool::count_one_less() noexcept {
  --connections_;
  if (settings_.users != nullptr) settings_.users->go();
}

/// False: there is no memory for it.
bool UpstreamPool::try_attempt(base::Time limit) noexcept {
  try {
    attempt(limit);
    return true;
  } catch (...) {
    return false;
  }
}

/// A connection is no longer counted. If there is no memory for another, those who wait go on waiting, at most waiting_time.
void UpstreamPool::attempt_for_others() noexcept {
  if (may_attempt()) static_cast<void>(try_attempt(settings_.connect_time));
}

/// Those that were begun last, as the others will be there sooner.
void UpstreamPool::give_up_surplus() noexcept {
  const std::size_t kept = settings_.idle_connections - std::min(settings_.idle_connections, idle_.size());
  while (attempts_.size() > kept && attempts_.size() - kept > waiters_.size()) {
    attempts_.pop_back();
    count_one_less();
  }
}

void UpstreamPool::connected(session::H1Client& client) {
  if (!std::exchange(reachable_, true) && log_ != nullptr)
    log_->warn(base::LogKind("servers that are reached again"), "proxy: ", settings_.name, " is reached again");
  if (waiters_.empty()) return client.wait();
  serve_first(client);
}

void UpstreamPool::serve_first(session::H1Client& client) {
  Waiter& waiter = *waiters_.front().waiter;
  waiters_.pop_front();
  if (waiters_.empty()) crowded_ = false;
  waiter.connected(client);
}

void UpstreamPool::failed(base::Time began, base::Time limit, std::string_view reason) {
  if (log_ != nullptr)
    log_->write(reachable_ ? base::LogLevel::warn : base::LogLevel::info, base::LogKind("servers that are not reached"),
                "proxy: ", settings_.name, " is not reached: ", reason);
  reachable_ = false;
  if (waiters_.empty()) return;
  const auto [waiter, since] = waiters_.front();
  const base::Time now = outside_.now();
  if (began < since) {  // the attempt was begun for somebody who has gone
    const base::Time left = std::max(since + settings_.connect_time - now, base::Time{1});
    if (!may_attempt() || try_attempt(left)) return;
  }
  waiters_.pop_front();
  waiter->not_connected(now >= began + limit ? UpstreamFailure::late : UpstreamFailure::unreachable);
}

bool UpstreamPool::idle(session::H1Client& client) {
  if (settings_.idle_connections == 0 || (waiters_.empty() && idle_.size() >= settings_.idle_connections)) return false;
  idle_.push_back(&client);
  if (waiters_.empty()) give_up_surplus();
  if (waiters_.empty() || handing_over_) return true;
  outside_.at_turn_end([this] { hand_over(); });
  handing_over_ = true;  // only now: at_turn_end() may have thrown
  return true;
}

/// Only when the turn ends: bytes right behind a response show that the connection is of no more use.
void UpstreamPool::hand_over() {
  handing_over_ = false;
  while (!waiters_.empty()) {
    session::H1Client* const client = take_idle();
    if (client == nullptr) break;
    serve_first(*client);
  }
  while (idle_.size() > settings_.idle_connections) {
    session::H1Client* const client = idle_.front();
    idle_.erase(idle_.begin());
    client->cancel();
  }
  give_up_surplus();
}

void UpstreamPool::retire() {
  settings_.idle_connections = 0;
  give_up_surplus();
  while (session::H1Client* const client = take_idle()) client->cancel();
}

void UpstreamPool::link_gone() noexcept {
  count_one_less();
  attempt_for_others();
}

void UpstreamPool::idle_ended(const session::H1Client& client) noexcept {
  idle_.erase(std::remove(idle_.begin(), idle_.end(), &client), idle_.end());
}

void UpstreamPool::tell_crowded() {
  if (std::exchange(crowded_, true) || log_ == nullptr) return;
  log_->warn(base::LogKind("requests that find no connection"), "proxy: ", settings_.name, " has the ", settings_.most_connections,
             " connections that it may have, and requests are refused with 503");
}

void UpstreamPool::response_failed(std::string_view reason) {
  if (log_ != nullptr) log_->info(base::LogKind("responses of other servers"), "proxy: ", settings_.name, ": ", reason);
}

}  // namespace wharf::server
