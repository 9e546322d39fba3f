#include "link/link.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/link/scripted.h"

namespace {

using namespace wharf;
using test::LinkBench;
using test::provocations;
using test::put;
using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("link: a session is started once, fed, and told when the peer ends") {
  LinkBench bench;
  bench.open();
  CHECK(bench.story.take() == Events{"first start"});
  bench.link->receive("ab");
  bench.link->receive("c");
  CHECK(bench.story.take() == Events{"first input ab", "first input c"});
  bench.link->receive_end();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first end of input"});
  CHECK_FALSE(bench.link->closed());
}

TEST_CASE("link: the next session gets every byte that the one before did not use, in the same turn") {
  LinkBench bench;
  auto first = bench.session("first");
  first->most = 3;
  bench.link->open(std::move(first));
  bench.story.deeds["first input"] = [&](session::Link& link) { link.become(bench.session("second")); };
  bench.link->receive("abcdef");
  CHECK(bench.story.take() == Events{"first start", "first input abc", "second start", "first destroyed", "second input def"});
  bench.link->receive("g");
  CHECK(bench.story.take() == Events{"second input g"});
}

TEST_CASE("link: a session that takes over may hand on at once, and left-over bytes go to the last") {
  LinkBench bench;
  bench.open_slow();
  bench.story.deeds["first input"] = [&](session::Link& link) { link.become(bench.session("second")); };
  bench.story.deeds["second start"] = [&](session::Link& link) { link.become(bench.session("third")); };
  bench.story.take();
  bench.link->receive("abc");
  CHECK(bench.story.take() ==
        Events{"first input a", "second start", "first destroyed", "third start", "second destroyed", "third input bc"});
}

TEST_CASE("link: a session may become another from within every call") {
  for (const auto& entry : provocations) {
    const auto& event = entry.first;
    const auto& provoke = entry.second;
    CAPTURE(event);
    LinkBench bench;
    bench.story.deeds["first " + event] = [&](session::Link& link) { link.become(bench.session("second")); };
    bench.open();
    provoke(bench);
    bench.link->run();
    CHECK(bench.story.count("second start") == 1);
    CHECK(bench.story.count("first destroyed") == 1);
    CHECK(bench.story.count("first ended") == 0);
    bench.link->abort();
    bench.link->run();
    CHECK(bench.story.count("second ended") == 1);
    CHECK(bench.story.count("second destroyed") == 1);
  }
}

TEST_CASE("link: a session may finish from within every call; it is told ended once and then destroyed") {
  for (const auto& entry : provocations) {
    const auto& event = entry.first;
    const auto& provoke = entry.second;
    CAPTURE(event);
    LinkBench bench;
    bench.story.deeds["first " + event] = [](session::Link& link) {
      put(link, "bye");
      link.finish();
      link.finish();
      CHECK(link.ending());
    };
    bench.open();
    provoke(bench);
    CHECK(bench.story.count("first ended") == 1);
    CHECK(bench.story.events.back() == "first destroyed");
    CHECK(bench.link->take() == "bye");
    CHECK(bench.link->closed());
    CHECK_FALSE(bench.link->was_aborted());
    const std::size_t before = bench.story.events.size();
    bench.link->receive("late");
    bench.link->receive_end();
    bench.link->server_stops();
    bench.advance(1'000'000);
    CHECK(bench.story.events.size() == before);
  }
}

TEST_CASE("link: a session may abort from within every call; nothing that was queued leaves") {
  for (const auto& entry : provocations) {
    const auto& event = entry.first;
    const auto& provoke = entry.second;
    CAPTURE(event);
    LinkBench bench;
    bench.story.deeds["first " + event] = [](session::Link& link) {
      put(link, "lost");
      link.abort();
      link.abort();
      link.finish();
    };
    bench.open();
    provoke(bench);
    CHECK(bench.story.count("first ended") == 1);
    CHECK(bench.story.events.back() == "first destroyed");
    CHECK(bench.link->take().empty());
    CHECK(bench.link->was_aborted());
  }
}

TEST_CASE("link: finishing or aborting from ended() changes nothing any more") {
  LinkBench bench;
  bench.open();
  bench.story.deeds["first ended"] = [&](session::Link& link) {
    link.finish();
    link.abort();
    link.become(bench.session("second"));
    link.touch();
  };
  bench.link->finish();
  bench.link->run();
  CHECK(bench.story.count("first ended") == 1);
  CHECK(bench.story.count("second start") == 0);
}

TEST_CASE("link: a session that asks for another session and for the end gets the end") {
  LinkBench bench;
  bench.open();
  bench.story.deeds["first input"] = [&](session::Link& link) {
    link.become(bench.session("second"));
    link.finish();
  };
  bench.link->receive("x");
  CHECK(bench.story.take() == Events{"first start", "first input x", "second destroyed", "first ended", "first destroyed"});
}

TEST_CASE("link: held input waits at the link, in order, and comes when resumed") {
  LinkBench bench;
  auto first = bench.session("first");
  first->most = 2;
  bench.link->open(std::move(first));
  bench.story.deeds["first input"] = [](session::Link& link) { link.hold_input(); };
  bench.link->receive("abcd");
  CHECK_FALSE(bench.link->reading());
  bench.link->receive("ef");
  CHECK(bench.story.take() == Events{"first start", "first input ab"});
  for (const char* const expected : {"first input cd", "first input ef"}) {
    bench.link->resume_input();
    CHECK(bench.story.events.empty());  // on a fresh stack, not from within the call
    bench.link->run();
    CHECK(bench.story.take() == Events{expected});
    CHECK_FALSE(bench.link->reading());
  }
  bench.link->resume_input();
  bench.link->run();
  CHECK(bench.story.take().empty());
  CHECK(bench.link->reading());
}

TEST_CASE("link: holding and resuming twice is holding and resuming once") {
  LinkBench bench;
  bench.open();
  bench.link->hold_input();
  bench.link->hold_input();
  bench.link->receive("ab");
  CHECK(bench.story.take() == Events{"first start"});
  bench.link->resume_input();
  bench.link->resume_input();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first input ab"});
}

TEST_CASE("link: a session that resumes in the same call gets the rest in the same turn") {
  LinkBench bench;
  bench.open_slow();
  bench.story.deeds["first input"] = [](session::Link& link) {
    link.hold_input();
    link.resume_input();
  };
  bench.link->receive("abc");
  CHECK(bench.story.take() == Events{"first start", "first input a", "first input b", "first input c"});
}

TEST_CASE("link: the end of input comes after the input that was kept") {
  LinkBench bench;
  bench.open_slow();
  bench.story.deeds["first input"] = [](session::Link& link) { link.hold_input(); };
  bench.link->receive("ab");
  bench.link->receive_end();
  CHECK(bench.story.take() == Events{"first start", "first input a"});
  bench.story.deeds.clear();
  bench.link->resume_input();
  bench.link->run();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first input b", "first end of input"});
}

TEST_CASE("link: the end of input is told once, however often a carrier sees it") {
  LinkBench bench;
  bench.open();
  bench.link->receive_end();
  bench.link->receive_end();
  CHECK(bench.story.take() == Events{"first start", "first end of input"});
}

TEST_CASE("link: a session that takes over after the end of input is told of it too") {
  LinkBench bench;
  bench.story.deeds["first end of input"] = [&](session::Link& link) { link.become(bench.session("second")); };
  bench.open();
  bench.link->receive_end();
  bench.link->run();
  CHECK(bench.story.take() ==
        Events{"first start", "first end of input", "second start", "first destroyed", "second end of input"});
}

TEST_CASE("link: time and the stop are told to the session that was asked for, before the link has had its turn") {
  LinkBench late;
  late.open();
  late.link->become(late.session("second"));
  late.link->set_deadline(late.now + base::Time{5});  // as the second's maker did
  late.advance(5);
  CHECK(late.story.take() == Events{"first start", "second start", "first destroyed", "second deadline"});

  LinkBench stopped;
  stopped.open();
  stopped.link->become(stopped.session("second"));
  stopped.link->server_stops();
  CHECK(stopped.story.take() == Events{"first start", "second start", "first destroyed", "second shut down"});
}

TEST_CASE("link: a session that takes over after the stop is told of it too, once") {
  LinkBench bench;
  bench.story.deeds["second start"] = [&](session::Link& link) { link.become(bench.session("third")); };
  bench.open();
  bench.link->server_stops();
  bench.link->become(bench.session("second"));
  bench.link->run();
  CHECK(bench.story.take() == Events{"first start", "first shut down", "second start", "first destroyed", "third start",
                                     "second destroyed", "third shut down"});
}

TEST_CASE("link: kept input outlives the session that held it") {
  LinkBench bench;
  bench.open_slow();
  bench.story.deeds["first input"] = [](session::Link& link) { link.hold_input(); };
  bench.link->receive("abc");
  bench.link->become(bench.session("second"));
  bench.link->run();
  CHECK(bench.story.take() == Events{"first start", "first input a", "second start", "first destroyed"});
  bench.link->resume_input();
  bench.link->run();
  CHECK(bench.story.take() == Events{"second input bc"});
}

TEST_CASE("link: everything that a turn queues leaves in one write") {
  LinkBench bench;
  bench.open();
  bench.story.deeds["first input"] = [](session::Link& link) {
    for (int i = 0; i < 100; ++i) put(link, "0123456789");
  };
  bench.link->receive("x");
  CHECK(bench.link->take().size() == 1000);
  CHECK(bench.link->write_calls() == 1);
}

TEST_CASE("link: output from outside any call waits for touch() and the end of the turn") {
  LinkBench bench;
  bench.open();
  put(*bench.link, "a");
  put(*bench.link, "b");
  CHECK(bench.link->take().empty());
  bench.link->run();
  CHECK(bench.link->take() == "ab");
  CHECK(bench.link->write_calls() == 1);
}

TEST_CASE("link: write-through keeps the order with output queued before and after") {
  LinkBench bench;
  bench.open();
  bench.story.deeds["first input"] = [](session::Link& link) {
    put(link, "1");
    link.write_through("2", std::string(100'000, '3'));
    put(link, "4");
  };
  bench.link->receive("x");
  CHECK(bench.link->take() == "12" + std::string(100'000, '3') + "4");
}

TEST_CASE("link: flush writes now what the peer takes, and the rest waits") {
  LinkBench bench;
  bench.open();
  bench.link->set_window(4);
  put(*bench.link, "abcdef");
  bench.link->flush();
  CHECK(bench.link->take() == "abcd");
  CHECK(bench.link->out().size() == 2);
  bench.link->set_window(100);
  bench.link->run();
  CHECK(bench.link->take() == "ef");
}

TEST_CASE("link: room is told once for each time it was wanted, at the low-water mark") {
  LinkBench bench;
  bench.open();
  bench.story.take();
  bench.link->set_window(0);
  const std::size_t size = bench.limits.low_water + 10;
  put(*bench.link, std::string(size, 'x'));
  bench.link->want_room();
  bench.link->want_room();
  bench.link->set_window(9);
  bench.link->run();
  CHECK(bench.link->out().size() == bench.limits.low_water + 1);
  CHECK(bench.story.take().empty());
  bench.link->set_window(1);
  bench.link->run();
  CHECK(bench.story.take() == Events{"first room"});
  bench.link->set_window(1000);
  bench.link->run();
  CHECK(bench.story.take().empty());
}

TEST_CASE("link: a session that fills the queue whenever there is room is called until the peer takes no more") {
  LinkBench bench;
  bench.open();
  int left = 10;
  bench.story.deeds["first room"] = [&left](session::Link& link) {
    put(link, std::string(1000, 'x'));
    if (--left > 0) link.want_room();
  };
  bench.link->want_room();
  bench.link->touch();
  bench.link->run();
  CHECK(left == 0);
  CHECK(bench.link->take().size() == 10'000);
}

TEST_CASE("link: overfull is above the high-water mark, after trying to write") {
  LinkBench bench;
  bench.open();
  put(*bench.link, std::string(bench.limits.high_water + 1, 'x'));
  CHECK_FALSE(bench.link->overfull());
  CHECK(bench.link->out().empty());
  bench.link->set_window(0);
  put(*bench.link, std::string(bench.limits.high_water, 'x'));
  CHECK_FALSE(bench.link->overfull());
  put(*bench.link, "y");
  CHECK(bench.link->overfull());
}

TEST_CASE("link: a deadline comes once, at its time; a later one replaces it; never is never") {
  LinkBench bench;
  bench.open();
  bench.story.take();
  bench.link->set_deadline(bench.now + base::Time{10});
  bench.link->set_deadline(bench.now + base::Time{20});
  bench.advance(19);
  CHECK(bench.story.take().empty());
  bench.advance(1);
  bench.advance(100);
  CHECK(bench.story.take() == Events{"first deadline"});
  bench.link->set_deadline(bench.now + base::Time{10});
  bench.link->set_deadline(base::never);
  bench.advance(1000);
  CHECK(bench.story.take().empty());
}

TEST_CASE("link: finishing waits for the peer to take the queue; input is ignored meanwhile") {
  LinkBench bench;
  bench.open();
  bench.link->set_window(0);
  put(*bench.link, "last words");
  bench.link->finish();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first start", "first ended", "first destroyed"});
  CHECK_FALSE(bench.link->closed());
  bench.link->receive("ignored");
  bench.link->set_window(100);
  bench.link->run();
  CHECK(bench.link->take() == "last words");
  CHECK(bench.link->closed());
}

TEST_CASE("link: an abort while finishing drops the queue") {
  LinkBench bench;
  bench.open();
  bench.link->set_window(0);
  put(*bench.link, "last words");
  bench.link->finish();
  bench.link->run();
  bench.link->abort();
  bench.link->run();
  CHECK(bench.story.count("first ended") == 1);
  CHECK(bench.link->closed());
  CHECK(bench.link->was_aborted());
  bench.link->set_window(100);
  bench.link->run();
  CHECK(bench.link->take().empty());
}

TEST_CASE("link: while the server drains, each session is asked once, and one that takes over after its start") {
  LinkBench bench;
  bench.story.drains = session::Session::Drains::by_itself;
  bench.open();
  bench.link->server_drains();
  bench.link->server_drains();
  CHECK_FALSE(bench.link->waits_to_be_told());
  bench.story.drains = session::Session::Drains::when_told;
  bench.link->become(bench.session("second"));
  bench.link->run();
  CHECK(bench.link->waits_to_be_told());
  bench.link->server_stops();
  CHECK_FALSE(bench.link->waits_to_be_told());
  bench.link->server_drains();  // too late
  CHECK(bench.story.take() ==
        Events{"first start", "first drain", "second start", "first destroyed", "second drain", "second shut down"});
}
