#include "link/memory_link.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace wharf::session {

void MemoryLink::open(std::unique_ptr<Session> first) {
  begin(std::move(first));
  after();
}

void MemoryLink::receive(std::string_view bytes) {
  arrive(bytes);
  run();
}

void MemoryLink::receive_end() {
  arrive_end();
  run();
}

void MemoryLink::server_stops() {
  deliver_shut_down();
  after();
}

void MemoryLink::server_drains() {
  deliver_drain();
  after();
}

void MemoryLink::run() {
  if (!out().empty() && !held_back()) settle();
  bool more = run_one_turn();  // bytes that have come count before a deadline does
  if (deadline_ <= now_) {
    deadline_ = base::never;
    deliver_deadline();
    more = true;
  }
  while (more) more = run_one_turn();
  if (waiting_.empty() && reading() && marks_.take(Mark::peer_ended)) deliver_end_of_input();
  after();
}

bool MemoryLink::run_one_turn() {
  ++turn_;
  if (marks_.take(Mark::scheduled)) settle();
  if (!waiting_.empty() && reading()) {
    std::string bytes = std::exchange(waiting_, {});
    const std::size_t size = std::min(bytes.size(), most_read());
    deliver(std::span(bytes).first(size));
    if (size < bytes.size()) waiting_.insert(0, bytes, size);
  }
  return scheduled() || (!waiting_.empty() && reading());
}

std::size_t MemoryLink::copy_unread(std::span<char> into) {
  return marks_.has(Mark::peer_ended) ? 0 : waiting_.copy(into.data(), into.size());
}

void MemoryLink::tell_lost(const char* what) noexcept {
  try {
    lost_ = what;
  } catch (...) {  // there is no memory
  }
}

void MemoryLink::after() {
  if (aborted() || (finishing() && out().empty())) marks_.add(Mark::closed);
}

void MemoryLink::flush() {
  while (!out().empty() && window_ > 0 && !aborted()) {
    std::array<std::string_view, 16> room;
    const std::span pieces(room.data(), out().peek(room));
    std::size_t size = 0;
    for (const std::string_view piece : pieces) {
      const std::string_view taken = piece.substr(0, window_);
      written_ += taken;
      size += taken.size();
      if (window_ != unlimited) window_ -= taken.size();
    }
    out().consume(size);
    ++write_calls_;
  }
}

}  // namespace wharf::session
