#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "link/link.h"
#include "unit/link/scripted.h"

namespace {

using namespace wharf;
using test::LinkBench;
using test::provocations;
using test::put;
using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("link: a link that nobody wants any more when it begins is cut") {
  LinkBench bench;
  bench.link->open(nullptr);
  CHECK(bench.link->was_aborted());
  CHECK(bench.link->closed());
  bench.link->receive("x");
  CHECK(bench.story.events.empty());
}

// ---- Cork ----

TEST_CASE("link: between cork and uncork output is gathered, over turns, and leaves in one write") {
  LinkBench bench;
  bench.open();
  bench.link->cork();
  for (int i = 0; i < 10; ++i) {
    put(*bench.link, "0123456789");
    bench.link->run();
  }
  CHECK(bench.link->take().empty());
  bench.link->uncork();
  CHECK(bench.link->take().empty());  // at the end of the turn
  CHECK(bench.link->scheduled());
  bench.link->run();
  CHECK(bench.link->take().size() == 100);
  CHECK(bench.link->write_calls() == 1);
  put(*bench.link, "x");
  bench.link->run();
  CHECK(bench.link->take() == "x");
}

TEST_CASE("link: corking and uncorking within a call of the session leaves one write at its end") {
  LinkBench bench;
  bench.open();
  bench.story.deeds["first input"] = [](session::Link& link) {
    link.cork();
    put(link, "a");
    link.uncork();
    link.cork();
    put(link, "b");
    link.uncork();
  };
  bench.link->receive("x");
  CHECK(bench.link->take() == "ab");
  CHECK(bench.link->write_calls() == 1);
}

TEST_CASE("link: a cork holds up to the high-water mark and no more") {
  LinkBench bench;
  bench.open();
  bench.link->cork();
  put(*bench.link, std::string(bench.limits.high_water, 'x'));
  bench.link->run();
  CHECK(bench.link->out().size() == bench.limits.high_water);
  put(*bench.link, "y");
  bench.link->run();
  CHECK(bench.link->take() == std::string(bench.limits.high_water, 'x') + "y");
}

TEST_CASE("link: a corked session that waits for room gets it: output above the low-water mark leaves") {
  LinkBench bench;
  bench.open();
  bench.story.take();
  bench.link->cork();
  put(*bench.link, std::string(bench.limits.low_water + 1, 'x'));
  bench.link->want_room();
  bench.link->run();
  CHECK(bench.link->take().size() == bench.limits.low_water + 1);
  CHECK(bench.story.take() == Events{"first room"});
  put(*bench.link, std::string(bench.limits.low_water, 'x'));
  bench.link->want_room();
  bench.link->run();
  CHECK(bench.link->take().empty());
  CHECK(bench.story.take() == Events{"first room"});
}

TEST_CASE("link: a corked session that fills whenever there is room is called until its queue is above the low-water mark") {
  LinkBench bench;
  bench.open();
  bench.story.deeds["first room"] = [](session::Link& link) {
    put(link, std::string(1000, 'x'));
    if (link.out().size() <= link.limits().low_water) link.want_room();
  };
  bench.link->cork();
  bench.link->want_room();
  bench.link->touch();
  bench.link->run();
  CHECK(bench.link->take().empty());
  CHECK(bench.link->out().size() == bench.limits.low_water / 1000 * 1000 + 1000);
}

TEST_CASE("link: flush writes through a cork, and the cork stays") {
  LinkBench bench;
  bench.open();
  bench.link->cork();
  put(*bench.link, "a");
  bench.link->flush();
  CHECK(bench.link->take() == "a");
  put(*bench.link, "b");
  bench.link->run();
  CHECK(bench.link->take().empty());
}

TEST_CASE("link: finishing from within every call sends what a cork held") {
  for (const auto& entry : provocations) {
    const auto& event = entry.first;
    const auto& provoke = entry.second;
    CAPTURE(event);
    LinkBench bench;
    bench.story.deeds["first " + event] = [](session::Link& link) {
      link.cork();
      put(link, "bye");
      link.finish();
    };
    bench.open();
    provoke(bench);
    CHECK(bench.link->take() == "bye");
    CHECK(bench.link->closed());
  }
}

TEST_CASE("link: a cork ends with its session") {
  LinkBench bench;
  bench.open();
  bench.link->cork();
  put(*bench.link, "of the first");
  bench.link->become(bench.session("second"));
  bench.link->run();
  CHECK(bench.link->take() == "of the first");
  put(*bench.link, "of the second");
  bench.link->run();
  CHECK(bench.link->take() == "of the second");
}

// ---- The end of output ----

TEST_CASE("link: the end of output comes after all that was queued, and input goes on") {
  LinkBench bench;
  bench.open();
  bench.link->set_window(3);
  put(*bench.link, "abcdef");
  bench.link->end_output();
  bench.link->run();
  CHECK(bench.link->take() == "abc");
  CHECK_FALSE(bench.link->output_is_over());
  bench.link->receive("x");
  CHECK_FALSE(bench.link->output_is_over());
  bench.link->set_window(3);
  bench.link->run();
  CHECK(bench.link->take() == "def");
  CHECK(bench.link->output_is_over());
  bench.link->receive("y");
  bench.link->receive_end();
  CHECK(bench.story.take() == Events{"first start", "first input x", "first input y", "first end of input"});
  CHECK_FALSE(bench.link->closed());
  bench.link->finish();
  bench.link->run();
  CHECK(bench.link->closed());
}

TEST_CASE("link: a session may end its output from within every call; the peer is told in the same turn") {
  for (const auto& entry : provocations) {
    const auto& event = entry.first;
    const auto& provoke = entry.second;
    for (const char* const last : {"", "last"}) {
      CAPTURE(event);
      CAPTURE(last);
      LinkBench bench;
      bench.story.deeds["first " + event] = [&](session::Link& link) {
        put(link, last);
        link.end_output();
      };
      bench.open();
      provoke(bench);
      CHECK(bench.link->take() == last);
      CHECK(bench.link->output_is_over());
      CHECK_FALSE(bench.link->closed());
    }
  }
}

TEST_CASE("link: ending the output sends what a cork held, and no later cork holds it") {
  for (const bool corked_later : {false, true}) {
    LinkBench bench;
    bench.open();
    bench.link->cork();
    put(*bench.link, "last");
    bench.link->end_output();
    if (corked_later) bench.link->cork();
    bench.link->run();
    CHECK(bench.link->take() == "last");
    CHECK(bench.link->output_is_over());
  }
}

TEST_CASE("link: the end of the link takes the place of an end of output that is still to come") {
  LinkBench bench;
  bench.open();
  bench.link->set_window(0);
  put(*bench.link, "abc");
  bench.link->end_output();
  bench.link->finish();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first start", "first ended", "first destroyed"});
  bench.link->set_window(3);
  bench.link->run();
  CHECK(bench.link->take() == "abc");
  CHECK(bench.link->closed());
  CHECK_FALSE(bench.link->output_is_over());
}

// ---- Files and room ----

TEST_CASE("link: a carrier that cannot send files says so, and sends nothing") {
  LinkBench bench;
  bench.open();
  CHECK_FALSE(bench.link->send_file(0, 0, 1));
  bench.link->run();
  CHECK(bench.link->take().empty());
}

// A session that needs an empty queue, such as for a file, asks for room again while a few bytes are left.
TEST_CASE("link: a session that wants more room than there is gets its turn when the peer takes more, and not before") {
  LinkBench bench;
  bench.open();
  bench.story.take();
  bench.story.deeds["first room"] = [](session::Link& link) {
    if (!link.out().empty()) link.want_room();
  };
  bench.link->set_window(0);
  put(*bench.link, "head");
  bench.link->want_room();
  bench.link->run();
  CHECK(bench.story.count("first room") > 0);
  CHECK_FALSE(bench.link->scheduled());
  bench.story.take();
  bench.link->set_window(4);
  bench.link->run();
  CHECK(bench.story.take() == Events{"first room"});
  CHECK_FALSE(bench.link->scheduled());
}
