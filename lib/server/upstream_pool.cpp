#include "server/upstream_pool.h"

#include <algorithm>
#include <utility>

namespace wharf::server {

UpstreamPool::UpstreamPool(UpstreamSettings settings, Outside& outside, base::Log* log)
    : settings_(std::move(settings)), outside_(outside), log_(log) {}

UpstreamSession* UpstreamPool::take() {
  while (!idle_.empty()) {
    UpstreamSession* const session = idle_.back();
    idle_.pop_back();
    if (session->usable()) return session;
    session->cancel();
  }
  return nullptr;
}

UpstreamPool::Place UpstreamPool::connect(Waiter& waiter) {
  const auto place = waiters_.insert(waiters_.end(), {&waiter, outside_.now()});
  if (attempts_ < waiters_.size()) attempt(settings_.connect_time);
  return place;
}

void UpstreamPool::attempt(base::Time limit) {
  ++attempts_;
  const base::Time began = outside_.now();
  outside_.connect(
      settings_.endpoint, limit,
      [this](session::Link& link) {
        --attempts_;
        return std::make_unique<UpstreamSession>(link, *this, settings_.limits);
      },
      [this, began, limit](std::string_view reason) {
        --attempts_;
        failed(began, limit, reason);
      });
}

void UpstreamPool::started(UpstreamSession& session) {
  if (!std::exchange(reachable_, true) && log_ != nullptr)
    log_->warn(base::LogKind("servers that are reached again"), "proxy: ", settings_.name, " is reached again");
  if (waiters_.empty()) return session.wait();
  Waiter& waiter = *waiters_.front().waiter;
  waiters_.pop_front();
  waiter.connected(session);
}

void UpstreamPool::failed(base::Time began, base::Time limit, std::string_view reason) {
  if (log_ != nullptr)
    log_->write(reachable_ ? base::LogLevel::warn : base::LogLevel::info, base::LogKind("servers that are not reached"),
                "proxy: ", settings_.name, " is not reached: ", reason);
  reachable_ = false;
  if (waiters_.empty()) return;
  const auto [waiter, since] = waiters_.front();
  const base::Time now = outside_.now();
  if (began < since) {  // it was begun for somebody who has gone
    const base::Time left = std::max(since + settings_.connect_time - now, base::Time{1});
    if (attempts_ < waiters_.size()) attempt(left);
    return;
  }
  waiters_.pop_front();
  waiter->not_connected(now >= began + limit ? UpstreamFailure::late : UpstreamFailure::unreachable);
}

bool UpstreamPool::keep(UpstreamSession& session) {
  if (idle_.size() >= settings_.idle_connections) return false;
  idle_.push_back(&session);
  return true;
}

void UpstreamPool::drop(const UpstreamSession& session) {
  idle_.erase(std::remove(idle_.begin(), idle_.end(), &session), idle_.end());
}

void UpstreamPool::tell(std::string_view what) {
  if (log_ != nullptr) log_->info(base::LogKind("answers of other servers"), "proxy: ", settings_.name, ": ", what);
}

}  // namespace wharf::server
