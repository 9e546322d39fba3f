#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "link/link.h"
#include "unit/link/scripted.h"

// What a link tells its carrier, and when.

namespace {

using namespace wharf;
using test::LinkBench;
using test::Scripted;
using Events = std::vector<std::string>;

/// A carrier that acts only on what it is told, and delivers whenever the test says so.
class Bare final : public session::Link {
 public:
  explicit Bare(LinkBench& around) : Link(around.pool, around.limits) {
    auto made = std::make_unique<Scripted>(*this, around.story, "first");
    session = made.get();
    begin(std::move(made));
    around.story.take();
  }

  void receive(std::string bytes) { deliver(bytes); }
  void receive_end() { deliver_end_of_input(); }
  /// Whether it had been asked to.
  bool run() {
    const bool was_scheduled = std::exchange(scheduled_, false);
    ++turn_;
    if (was_scheduled) settle();
    return was_scheduled;
  }
  /// Whether it reads, and has been told so.
  [[nodiscard]] bool reads() const {
    CHECK(told_to_read_ == may_read());
    return told_to_read_;
  }

  void flush() override { out().consume(out().size()); }
  void set_deadline(base::Time /*when*/) override {}
  [[nodiscard]] base::Time now() const override { return base::Time{0}; }

  Scripted* session = nullptr;
  int ends_of_output = 0;
  bool full = false;  // although nothing is queued

 private:
  [[nodiscard]] bool blocked() const override { return full; }
  [[nodiscard]] bool may_read() const { return !input_held() && !ending(); }
  [[nodiscard]] std::uint32_t turn_number() const override { return turn_; }
  void schedule() override { scheduled_ = true; }
  void input_wanted_changed() override { told_to_read_ = may_read(); }
  void wind_up() override {}
  void output_ended() override { ++ends_of_output; }

  std::uint32_t turn_ = 0;
  bool scheduled_ = false;
  bool told_to_read_ = true;
};

}  // namespace

TEST_CASE("link carrier: it is told when the session holds its input, and when it wants more") {
  LinkBench bench;
  Bare link(bench);
  CHECK(link.reads());
  link.hold_input();
  CHECK_FALSE(link.reads());
  link.resume_input();
  CHECK(link.reads());
}

TEST_CASE("link carrier: it is told when input is kept, and when all of that is used") {
  LinkBench bench;
  Bare link(bench);
  link.session->most = 1;
  link.receive("ab");
  CHECK(link.reads());
  link.session->most = 0;
  link.receive("cd");  // nothing is used, though nothing is held
  CHECK_FALSE(link.reads());
  bench.story.take();
  link.session->most = 2;
  link.touch();
  CHECK(link.run());
  CHECK(link.reads());
  CHECK_FALSE(link.run());
  CHECK(bench.story.take() == Events{"first input cd"});

  bench.story.deeds["first input"] = [](session::Link& of) {
    of.spend(session::work_per_turn);
    of.ask_again();
  };
  link.receive("ef");  // all is used, but the session has more to do with it in the next turn
  CHECK_FALSE(link.reads());
  bench.story.deeds.clear();
  CHECK(link.run());
  CHECK(link.reads());
  CHECK(bench.story.take() == Events{"first input ef", "first input "});
}

TEST_CASE("link carrier: it is told when the link begins to end, by a call or by an exception") {
  for (const int way : {0, 1, 2}) {
    CAPTURE(way);
    LinkBench bench;
    Bare link(bench);
    bench.story.deeds["first ended"] = [](session::Link& of) { of.touch(); };
    bench.story.deeds["first input"] = [](session::Link&) { throw std::runtime_error("enough"); };
    if (way == 0) link.finish();
    if (way == 1) link.abort();
    if (way == 2) link.receive("a");
    CHECK_FALSE(link.reads());
    CHECK(link.run() == (way != 2));
    CHECK(bench.story.events.back() == "first destroyed");
    CHECK_FALSE(link.reads());
    CHECK_FALSE(link.run());
  }
}

TEST_CASE("link carrier: the end of input waits for what is kept, and is told once, however often the carrier sees it") {
  LinkBench bench;
  Bare link(bench);
  link.session->most = 1;
  bench.story.deeds["first input"] = [](session::Link& of) { of.hold_input(); };
  link.receive("ab");
  link.receive_end();
  link.receive_end();
  CHECK(bench.story.take() == Events{"first input a"});
  bench.story.deeds.clear();
  link.resume_input();
  CHECK(link.run());
  CHECK(bench.story.take() == Events{"first input b", "first end of input"});
  link.receive_end();
  link.touch();
  CHECK(link.run());
  CHECK(bench.story.take().empty());
}

TEST_CASE("link carrier: one that takes nothing is not asked again for a session that wants room") {
  LinkBench bench;
  Bare link(bench);
  bench.story.deeds["first room"] = [&link](session::Link& of) {
    of.want_room();
    link.full = true;
  };
  link.want_room();
  link.touch();
  CHECK(link.run());
  CHECK(bench.story.take() == Events{"first room"});
  CHECK_FALSE(link.run());
  link.full = false;
  link.touch();
  CHECK(link.run());
  CHECK(bench.story.take() == Events{"first room"});
}

TEST_CASE("link carrier: the end of output comes by itself, once, though a session ends it again") {
  LinkBench bench;
  Bare link(bench);
  for (int i = 0; i < 2; ++i) {
    link.end_output();
    CHECK(link.run());
    CHECK(link.ends_of_output == 1);
  }
}
