#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "session/failing_allocator.h"
#include "tls/tls_dialer.h"
#include "unit/link/test_outside.h"
#include "unit/tls/tls_bench.h"

// A connection of our own over TLS with the n-th allocation failing, OpenSSL's among them, for every n until a run needs no more.

namespace wharf::test {
namespace {

/// What our session was told. It takes no memory to write it down.
struct Notes {
  int starts = 0;
  std::size_t heard = 0;
};

class Listening final : public session::Session {
 public:
  Listening(session::Link& link, Notes& notes) : link_(link), notes_(notes) {}

  void start() override { ++notes_.starts; }
  std::size_t input(std::span<char> bytes) override {
    notes_.heard += bytes.size();
    return bytes.size();
  }
  void end_of_input() override { link_.finish(); }
  void shut_down() override {}

 private:
  session::Link& link_;
  Notes& notes_;
};

constexpr std::string_view greeting = "greeting";

/// Until the server's greeting has come.
class Dial {
 public:
  explicit Dial(std::size_t nth) : nth_(nth) {
    server_.open(*server_side_);
    failing([this] { dial(); });
    if (outside_.attempts.empty()) ++outcomes;  // the exception
    else reach();
    for (bool moved = outside_.attempts.empty() && !client_.closed(); moved;) {
      failing([this] { client_.run(); });
      const std::string asked = client_.take();
      server_.below.receive(asked);
      const bool greets = server_.above != nullptr && !server_.below.closed();
      if (greets && !std::exchange(greeted_, true)) server_.say(greeting);
      server_.below.run();
      const std::string answered = server_.below.take();
      client_.arrive(answered);
      moved = !asked.empty() || !answered.empty();
    }
  }
  ~Dial() {
    for (session::MemoryLink* const link : {&server_.below, &client_}) {
      link->abort();
      link->run();
    }
  }
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

  [[nodiscard]] bool failed() const { return nth_ == 0; }

  Notes notes;
  int outcomes = 0;

 private:
  template <class Deed>
  void failing(Deed&& deed) {
    until_failure = nth_;
    try {
      deed();
    } catch (const std::bad_alloc&) {
      came_ = true;
    }
    nth_ = std::exchange(until_failure, 0);
  }
  void dial() {
    attempt_ = dialer_.connect(
        {"localhost", "443", {}}, base::Time{5'000},
        [this](session::Link& link) {
          auto session = std::make_unique<Listening>(link, notes);
          ++outcomes;
          return session;
        },
        [this](std::string_view) { ++outcomes; });
  }
  /// As a loop does it.
  void reach() {
    const auto reached = std::move(outside_.attempts.front());
    outside_.attempts.pop_front();
    std::unique_ptr<session::Session> first;
    came_ = false;
    failing([&] { first = reached.connected(client_); });
    client_.open(std::move(first));
    if (came_) reached.failed("no memory");
  }

  std::size_t nth_;
  bool came_ = false;
  bool greeted_ = false;
  base::Time now_{1'000'000};
  session::OutputLimits limits_;
  base::ChunkPool pool_;
  base::Log log_{base::LogLevel::quiet, {}};
  std::unique_ptr<tls::Context> server_side_ = server_context();
  server::TestOutside outside_{now_};
  tls::LoopParts parts_{pool_, limits_, log_};
  TlsEnd server_{pool_, limits_, now_, log_, "server"};
  session::MemoryLink client_{pool_, limits_, now_};
  std::shared_ptr<tls::CurrentContexts> contexts_ = std::make_shared<tls::CurrentContexts>(
      std::make_shared<tls::NamedContexts>(std::shared_ptr<const tls::Context>(client_context())));
  tls::TlsDialer dialer_{outside_, parts_, contexts_, "localhost"};
  std::unique_ptr<server::Attempt> attempt_;
};

}  // namespace

TEST_CASE("memory short: whichever allocation of a connection of our own over TLS fails, whoever asked for it is told once") {
  CHECK(Dial(0).notes.heard == greeting.size());
  int lost = 0;
  bool failed = true;
  for (std::size_t nth = 1; failed; ++nth) {
    CAPTURE(nth);
    REQUIRE(nth < 20'000);
    const Dial dial(nth);
    failed = dial.failed();
    CHECK(dial.outcomes == 1);
    if (dial.notes.starts == 0) ++lost;
  }
  CHECK(lost > 0);
}

}  // namespace wharf::test
