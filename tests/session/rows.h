#pragma once
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/protocol.hpp"

/// The protocols that the session tests serve.
namespace wharf::test {

/// The same bytes back, kind kept.
struct Echo {
  Peer peer;
  void message(Kind kind, std::string_view data) const noexcept { peer.send(kind, data); }  // C could pass no exception on either
};

/// What happened on the server's threads, for the test's thread.
class Record {
 public:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  [[nodiscard]] std::size_t count(std::string_view part) const {
    const std::vector<std::string> all = lines();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [part](const std::string& line) { return line.find(part) != line.npos; }));
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// "closing CODE" and "destroyed" of every actor since the site was made.
inline Record& actor_record() {
  static Record the;
  return the;
}

/// What the actor does for "stop". Set before the server runs.
inline std::function<void()>& stop_deed() {
  static std::function<void()> the;
  return the;
}

/// Does what its client says, to itself and to all others of its loop.
struct Actor {
  struct Shared {
    std::vector<Actor*> all;
  };

  Peer peer;
  Shared& shared;
  std::size_t flood_left = 0;

  void opened(const Request&) { shared.all.push_back(this); }
  ~Actor() {
    std::erase(shared.all, this);
    actor_record().add("destroyed");
  }
  void closing(std::uint16_t code, std::string_view) { actor_record().add("closing " + std::to_string(code)); }

  void message(Kind, std::string_view data) {
    if (data == "close me") peer.close(4000, "asked");
    else if (data == "abort me") peer.abort();
    else if (data == "close all") each([](Actor& actor) { actor.peer.close(4001, "all"); });
    else if (data == "abort others")
      each([this](Actor& actor) {
        if (&actor != this) actor.peer.abort();
      });
    else if (data == "throw") throw 1;
    else if (data == "stop") stop_deed()();
    else if (data.starts_with("flood ")) flood(data.substr(6));
    else if (data.starts_with("heedless ")) send_heedless(data.substr(9));
    else peer.send_text("what is " + std::string(data));
  }
  void drained() { go_on_flooding(); }

 private:
  template <class Do>
  void each(Do&& act) {
    for (Actor* actor : shared.all) act(*actor);
  }
  /// That many binary messages of 10,000 bytes, whatever send() returns.
  void send_heedless(std::string_view text) const {
    std::size_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    for (; count > 0; --count) peer.send_binary(std::string(10'000, 'x'));
  }
  void flood(std::string_view count) {
    std::from_chars(count.data(), count.data() + count.size(), flood_left);
    go_on_flooding();
  }
  /// Binary messages of 10,000 bytes, as long as they are accepted.
  void go_on_flooding() {
    for (Flow flow = Flow::go; flood_left > 0 && flow == Flow::go; --flood_left)
      flow = peer.send_binary(std::string(10'000, static_cast<char>('a' + flood_left % 26)));
  }
};

}  // namespace wharf::test
