#include "io/connection.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "io/loop.h"

namespace {

using namespace wharf;

/// Two ends of a stream: the server's, and one that the test holds.
struct Ends {
  Ends() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) == 0); }
  ~Ends() { close(both[1]); }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  std::size_t read(std::size_t most) const {
    std::string bytes(most, '\0');
    const ssize_t size = recv(both[1], bytes.data(), bytes.size(), 0);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  int both[2] = {-1, -1};  // the first becomes the connection's
};

/// Says what happened; the rest is the test's.
struct Told final : session::Session {
  Told(std::string& into, std::function<void()> then) : what(into), on_start(std::move(then)) {}
  void start() override { on_start(); }
  std::size_t input(std::span<char> bytes) override { return bytes.size(); }
  void end_of_input() override { what += "end "; }
  void room() override { what += "room "; }
  void deadline() override { what += "deadline "; }
  void shut_down() override { what += "shut "; }
  void ended() override { what += "ended "; }

  std::string& what;
  std::function<void()> on_start;
};

}  // namespace

// A socket counts as writable only if much of its buffer is free. What a slow peer makes room for below that is found when the time
// of the write stall has come; the session must hear of it, or it would wait for ever.
TEST_CASE("connection: output that leaves when the write stall is looked at gives the session room") {
  base::Log log{base::LogLevel::quiet, nullptr};
  io::LoopLimits limits;
  limits.write_stall = base::Time{50};
  limits.output.low_water = 100;
  const auto loop = std::move(*io::Loop::create(nullptr, limits, log));
  const Ends ends;
  std::string told;
  const auto fill = [&](session::Link& link) {
    while (link.out().empty()) {
      link.out().append(std::string(1000, 'x'));
      link.flush();
    }
    link.want_room();
  };
  REQUIRE(io::Connection::adopt(*loop, ends.both[0],
                                [&](session::Link& link) { return std::make_unique<Told>(told, [&] { fill(link); }); }));
  CHECK(told.empty());
  CHECK(ends.read(8'000) == 8'000);
  uv_timer_t enough{};
  uv_timer_init(loop->uv(), &enough);
  enough.data = loop.get();
  uv_timer_start(
      &enough,
      [](uv_timer_t* timer) {
        static_cast<io::Loop*>(timer->data)->stop(base::Time{0}, nullptr);
        uv_close(reinterpret_cast<uv_handle_t*>(timer), nullptr);
      },
      300, 0);
  loop->run();
  CHECK(told == "room shut ended ");
}
