#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "link/link.h"
#include "link/memory_link.h"
#include "link/session.h"

namespace wharf::test {

/// What sessions did, in order, and what they have to do.
struct Story {
  std::vector<std::string> events;
  std::map<std::string, std::function<void(session::Link&)>> deeds;  ///< by event, like "first input"
  session::Session::Drains drains = session::Session::Drains::when_told;

  std::vector<std::string> take() { return std::exchange(events, {}); }
  [[nodiscard]] std::size_t count(std::string_view event) const {
    std::size_t found = 0;
    for (const std::string& each : events)
      if (each == event) ++found;
    return found;
  }
};

/// A session that writes down each call, and then does what the story says. It uses `most` bytes of each input.
class Scripted final : public session::Session {
 public:
  Scripted(session::Link& link, Story& story, std::string name) : link_(link), story_(story), name_(std::move(name)) {}
  ~Scripted() override { story_.events.push_back(name_ + " destroyed"); }
  Scripted(const Scripted&) = delete;
  Scripted& operator=(const Scripted&) = delete;

  void start() override { happened("start"); }
  std::size_t input(std::span<char> bytes) override {
    const std::size_t used = std::min(bytes.size(), most);
    happened("input", " " + std::string(bytes.data(), used));
    return used;
  }
  void end_of_input() override { happened("end of input"); }
  void room() override { happened("room"); }
  void turn() override { happened("turn"); }
  void deadline() override { happened("deadline"); }
  Drains drain() override {
    happened("drain");
    return story_.drains;
  }
  void shut_down() override { happened("shut down"); }
  void ended() override { happened("ended"); }

  std::size_t most = static_cast<std::size_t>(-1);

 private:
  void happened(const std::string& event, const std::string& more = {}) {
    CHECK_FALSE_MESSAGE(inside_, name_ << " " << event << " came from within a call that the session made");
    inside_ = true;
    story_.events.push_back(name_ + " " + event + more);
    if (const auto deed = story_.deeds.find(name_ + " " + event); deed != story_.deeds.end()) {
      const auto copy = deed->second;
      try {
        copy(link_);
      } catch (...) {
        inside_ = false;
        throw;
      }
    }
    inside_ = false;
  }

  session::Link& link_;
  Story& story_;
  std::string name_;
  bool inside_ = false;
};

/// A link in memory with what it needs around it.
struct LinkBench {
  base::ChunkPool pool;
  session::OutputLimits limits;
  base::Time now{1'000'000};
  Story story;
  std::unique_ptr<session::MemoryLink> link = std::make_unique<session::MemoryLink>(pool, limits, now);

  std::unique_ptr<Scripted> session(const std::string& name) { return std::make_unique<Scripted>(*link, story, name); }
  void open() { link->open(session("first")); }
  /// The first session uses one byte of each input.
  void open_slow() {
    auto first = session("first");
    first->most = 1;
    link->open(std::move(first));
  }
  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    link->run();
  }
};

inline void put(session::Link& link, std::string_view bytes) {
  link.out().append(bytes);
  link.touch();
}

/// Every call that a session gets, and its cause.
inline const std::vector<std::pair<std::string, std::function<void(LinkBench&)>>> provocations{
    {"start", [](LinkBench&) {}},
    {"input", [](LinkBench& bench) { bench.link->receive("x"); }},
    {"end of input", [](LinkBench& bench) { bench.link->receive_end(); }},
    {"room",
     [](LinkBench& bench) {
       bench.link->want_room();
       bench.link->touch();
       bench.link->run();
     }},
    {"turn",
     [](LinkBench& bench) {
       bench.link->want_turn();
       bench.link->run();
     }},
    {"deadline",
     [](LinkBench& bench) {
       bench.link->set_deadline(bench.now + base::Time{5});
       bench.advance(5);
     }},
    {"shut down", [](LinkBench& bench) { bench.link->server_stops(); }},
};

}  // namespace wharf::test
