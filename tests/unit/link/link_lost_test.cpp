#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "unit/link/scripted.h"

// An exception of a session ends at the waist, and costs only that link.

namespace {

using namespace wharf;
using namespace wharf::test;

/// Throws in one of its calls.
class Throws final : public session::Session {
 public:
  Throws(session::Link& link, std::string where, std::string& story) : link_(link), where_(std::move(where)), story_(story) {}
  ~Throws() override { story_ += "destroyed"; }
  Throws(const Throws&) = delete;
  Throws& operator=(const Throws&) = delete;

  void start() override {
    link_.set_deadline(link_.now() + base::Time{1000});
    link_.want_room();
    happens("start");
  }
  std::size_t input(std::span<char> bytes) override {
    happens("input");
    return bytes.size();
  }
  void end_of_input() override { happens("end of input"); }
  void room() override { happens("room"); }
  void deadline() override { happens("deadline"); }
  void shut_down() override { happens("shut down"); }
  void ended() override {
    story_ += "ended ";
    happens("ended");
  }

 private:
  void happens(const std::string& what) {
    if (what == where_) throw std::bad_alloc();
  }

  session::Link& link_;
  std::string where_;
  std::string& story_;
};

/// At the end it looks at the bytes that it was given when it threw, like a session whose request's head is not copied yet.
class LooksBack final : public session::Session {
 public:
  LooksBack(session::Link& link, std::string& seen) : link_(link), seen_(seen) {}

  std::size_t input(std::span<char> bytes) override {
    if (bytes.front() == 'a') {
      link_.hold_input();
      return 1;
    }
    given_ = {bytes.data(), bytes.size()};
    throw std::bad_alloc();
  }
  void end_of_input() override {}
  void shut_down() override {}
  void ended() override { seen_ = given_; }

 private:
  session::Link& link_;
  std::string& seen_;
  std::string_view given_;
};

}  // namespace

TEST_CASE("link lost: an exception of a session, in whichever call, passed through the carrier and ended the process") {
  for (const char* where : {"start", "input", "end of input", "room", "deadline", "shut down", "ended"}) {
    CAPTURE(where);
    LinkBench bench;
    std::string story;
    bench.link->open(std::make_unique<Throws>(*bench.link, where, story));
    bench.link->receive("x");
    bench.link->receive_end();
    bench.advance(2000);
    bench.link->server_stops();
    bench.link->abort();
    bench.link->run();
    CHECK(story == "ended destroyed");  // once each
    CHECK(bench.link->was_aborted());
    CHECK(bench.link->lost() == "std::bad_alloc");
  }
}

TEST_CASE("link lost: nothing more is asked of a session that threw something, but its end") {
  LinkBench bench;
  bench.story.deeds["first input"] = [](session::Link& link) {
    link.out().append("half an answer");
    link.want_room();
    throw std::runtime_error("enough");
  };
  bench.open();
  bench.link->run();
  bench.story.take();
  bench.link->arrive("x");
  bench.link->arrive_end();
  bench.link->run();
  CHECK(bench.story.count("first ended") == 1);
  CHECK(bench.story.count("first room") == 0);
  CHECK(bench.story.count("first end of input") == 0);
  CHECK(bench.link->take().empty());
  CHECK(bench.link->lost() == "enough");
}

TEST_CASE("link lost: input that was kept had gone when the session that threw over it was told of its end") {
  LinkBench bench;
  const std::string rest(64, 'b');
  std::string seen;
  bench.link->open(std::make_unique<LooksBack>(*bench.link, seen));
  bench.link->receive("a" + rest);
  bench.link->resume_input();
  bench.link->run();
  CHECK(bench.link->lost() == "std::bad_alloc");
  CHECK(seen == rest);
}
