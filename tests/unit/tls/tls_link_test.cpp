#include "tls/tls_link.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/tls/tls_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("tls link: both sessions begin when the handshake is done, and know its facts, wherever records are cut") {
  for (const std::size_t cut : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{100}, session::MemoryLink::unlimited}) {
    CAPTURE(cut);
    TlsBench bench;
    bench.open();
    CHECK(bench.client.above == nullptr);
    bench.pump(cut);
    REQUIRE(bench.server.above != nullptr);
    REQUIRE(bench.client.above != nullptr);
    CHECK(bench.server.story.events == Events{"server start"});
    CHECK(bench.client.story.events == Events{"client start"});
    const session::LinkPeer& peer = bench.server.above->peer();
    REQUIRE(peer.tls != nullptr);
    CHECK(peer.tls->version == "TLSv1.3");
    CHECK(peer.tls->cipher.starts_with("TLS_"));
    CHECK(peer.tls->server_name == "localhost");
    CHECK(peer.scheme() == "https");
    CHECK(peer.address.text() == session::MemoryLink::first_address);
    bench.client.say("ping");
    bench.server.say("pong");
    bench.pump(cut);
    CHECK(bench.server.input() == "ping");
    CHECK(bench.client.input() == "pong");
    CHECK(bench.lines.empty());
  }
}

TEST_CASE("tls link: much in both directions, and nothing in the clear") {
  TlsBench bench;
  bench.open();
  bench.pump();
  const std::string much = pattern(1'000'000);
  bench.client.say(much);
  bench.server.say(much);
  bench.client.below.run();
  CHECK(bench.client.below.take().find(much.substr(0, 26)) == std::string::npos);
  TlsBench again;
  again.open();
  again.pump();
  again.client.say(much);
  again.server.say(much);
  again.pump();
  CHECK(again.server.input() == much);
  CHECK(again.client.input() == much);
}

TEST_CASE("tls link: what is said in one turn leaves in one write") {
  TlsBench bench;
  bench.open();
  bench.pump();
  const std::size_t before = bench.server.below.write_calls();
  bench.server.say("one ");
  bench.server.say("two");
  bench.server.below.run();
  CHECK(bench.server.below.write_calls() == before + 1);
  bench.pump();
  CHECK(bench.client.input() == "one two");
}

TEST_CASE("tls link: records are small until 64 KiB have gone, and again after a rest") {
  TlsBench bench;
  bench.open();
  bench.pump();
  const auto records = [&bench](std::size_t plain) {
    bench.server.say(std::string(plain, 'x'));
    bench.server.below.run();
    const std::string bytes = bench.server.below.take();
    std::vector<std::size_t> sizes;  // of RFC 8446 section 5.2: header, content, its type, tag
    for (std::size_t at = 0; at + 5 <= bytes.size();) {
      const auto size =
          static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + 3]) << 8U | static_cast<unsigned char>(bytes[at + 4]));
      sizes.push_back(size - 17);
      at += 5 + size;
    }
    return sizes;
  };
  using Sizes = std::vector<std::size_t>;
  CHECK(records(3'000) == Sizes{1'300, 1'300, 400});
  CHECK(records(61'000).size() == 47);
  CHECK(records(2'000) == Sizes{1'300, 700});
  CHECK(records(40'000) == Sizes{16'384, 16'384, 7'232});
  bench.advance(999);
  CHECK(records(2'000) == Sizes{2'000});
  bench.advance(1'000);
  CHECK(records(2'000) == Sizes{1'300, 700});
}

TEST_CASE("tls link: while the session holds its input, none is read below; and all of it comes when it resumes") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.above->hold_input();
  const std::string much = pattern(300'000);
  bench.client.say(much);
  bench.pump();
  CHECK(bench.server.input().empty());
  CHECK_FALSE(bench.server.below.reading());
  bench.server.above->resume_input();
  bench.pump();
  CHECK(bench.server.input() == much);
}

TEST_CASE(
    "tls link: a session that holds in the middle of what was decrypted gets the rest when it resumes, though nothing comes") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.story.deeds["server input"] = [](session::Link& link) { link.hold_input(); };
  bench.client.say("first");
  bench.client.below.run();
  bench.client.say("second");
  bench.client.below.run();
  bench.client.above->finish();
  bench.pump();
  CHECK(bench.server.input() == "firstsecond");  // one read
  CHECK(bench.server.story.count("server end of input") == 0);
  bench.server.above->resume_input();
  bench.pump();
  CHECK(bench.server.story.count("server end of input") == 1);
}

TEST_CASE("tls link: a peer that takes nothing holds the output within its bounds, and room comes when it takes") {
  TlsBench bench(server_context(), client_context(), {.low_water = 16'384, .high_water = 65'536, .hard_cap = 1'000'000});
  bench.open();
  bench.pump();
  bench.server.below.set_window(0);
  bench.server.say(pattern(500'000));
  bench.server.below.run();
  CHECK(bench.server.below.out().size() < tls::TlsLink::most_sealed + 20'000);
  CHECK(bench.server.above->out().size() > 400'000);
  CHECK(bench.server.above->overfull());
  bench.server.above->want_room();
  bench.server.below.run();
  CHECK(bench.server.story.count("server room") == 0);
  bench.server.below.set_window(session::MemoryLink::unlimited);
  bench.pump();
  CHECK(bench.server.story.count("server room") == 1);
  CHECK(bench.client.input() == pattern(500'000));
}

TEST_CASE("tls link: finish() sends what is queued, then close_notify; the other side reads it to its end") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.say("last words");
  bench.server.above->finish();
  bench.pump();
  CHECK(bench.client.input() == "last words");
  CHECK(bench.client.story.count("client end of input") == 1);
  CHECK(bench.server.story.events.back() == "server destroyed");
  CHECK(bench.server.below.closed());
  CHECK_FALSE(bench.server.below.was_aborted());
}

TEST_CASE("tls link: end_output() is a close_notify, after which input goes on (RFC 8446 section 6.1)") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.client.say("question");
  bench.client.above->end_output();
  bench.pump();
  CHECK(bench.server.input() == "question");
  CHECK(bench.server.story.count("server end of input") == 1);
  CHECK(bench.client.below.output_is_over());
  bench.server.say("answer");
  bench.server.above->finish();
  bench.pump();
  CHECK(bench.client.input() == "answer");
  CHECK(bench.client.story.count("client end of input") == 1);
}

TEST_CASE("tls link: an end without close_notify is no end of input but a cut (RFC 8446 section 6.1)") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.say("half of a response");
  bench.pump();
  bench.client.below.receive_end();
  CHECK(bench.client.story.count("client end of input") == 0);
  CHECK(bench.client.story.count("client ended") == 1);
  CHECK(bench.client.below.closed());
}

TEST_CASE("tls link: abort() ends the link below at once, without a close_notify") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.say("lost");
  bench.server.above->abort();
  bench.server.below.run();
  CHECK(bench.server.below.was_aborted());
  CHECK(bench.server.below.take().empty());
  CHECK(bench.server.story.events == Events{"server start", "server ended", "server destroyed"});
}

TEST_CASE("tls link: the link below is cut: the session is told once, and destroyed") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.below.abort();
  bench.server.below.run();
  CHECK(bench.server.story.events == Events{"server start", "server ended", "server destroyed"});
}

TEST_CASE("tls link: a session may finish or abort within any call") {
  for (const std::string event : {"server start", "server input"}) {
    for (const bool finishes : {false, true}) {
      CAPTURE(event);
      CAPTURE(finishes);
      TlsBench bench;
      bench.server.story.deeds[event] = [finishes](session::Link& link) {
        link.out().append("bye");
        if (finishes) link.finish();
        else link.abort();
      };
      bench.open();
      bench.pump();
      if (bench.client.above != nullptr && !bench.client.above->ending()) bench.client.say("hello");
      bench.pump();
      CHECK(bench.server.below.closed());
      CHECK(bench.server.below.was_aborted() != finishes);
      CHECK(bench.server.story.events.back() == "server destroyed");
      CHECK(bench.client.input() == (finishes ? "bye" : ""));
    }
  }
}

TEST_CASE("tls link: bytes that are no TLS are refused with an alert and a line") {
  TlsBench bench;
  bench.open();
  bench.server.below.receive("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(bench.server.above == nullptr);
  CHECK(bench.server.below.closed());
  REQUIRE(bench.lines.size() == 1);
  CHECK(bench.lines[0] == "192.0.2.1:4711: no TLS, http request");
}

TEST_CASE("tls link: a handshake that takes too long is cut, with a line, even if bytes keep coming") {
  TlsBench bench;
  bench.open();
  bench.client.below.run();
  const std::string hello = bench.client.below.take();
  bench.server.below.receive(hello.substr(0, 10));
  bench.advance(9'999);
  bench.server.below.receive(hello.substr(10, 10));
  CHECK_FALSE(bench.server.below.closed());
  bench.advance(1);
  CHECK(bench.server.below.was_aborted());
  CHECK(bench.lines.back().find("the handshake took too long") != std::string::npos);
}

TEST_CASE("tls link: a peer that stops at any byte of the handshake leaves nothing behind but a line") {
  for (const bool resets : {false, true}) {
    std::string hello;
    {
      TlsBench bench;
      bench.open();
      bench.client.below.run();
      hello = bench.client.below.take();
    }
    for (std::size_t size = 0; size < hello.size(); ++size) {
      TlsBench bench;
      bench.server.open(*bench.server_side);
      bench.server.below.receive(std::string_view(hello).substr(0, size));
      if (resets) bench.server.below.abort();
      else bench.server.below.receive_end();
      bench.server.below.run();
      CHECK(bench.server.below.closed());
      CHECK(bench.server.above == nullptr);
    }
  }
}

TEST_CASE("tls link: a record that was changed on its way cuts the link, and nothing of it is handed over") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.client.say("secret");
  bench.client.below.run();
  std::string bytes = bench.client.below.take();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  bench.server.below.receive(bytes);
  CHECK(bench.server.input().empty());
  CHECK(bench.server.story.events.back() == "server destroyed");
  CHECK(bench.server.below.closed());
  CHECK(bench.server.below.take().substr(0, 3) == "\x17\x03\x03");  // the alert (RFC 8446 section 5.2)
  REQUIRE(bench.lines.size() == 1);
  CHECK(bench.lines[0].find("cut, ") != std::string::npos);
}

TEST_CASE("tls link: deadlines, turns, idleness and a stop pass through") {
  TlsBench bench;
  bench.open();
  bench.pump();
  session::Link& link = *bench.server.above;
  link.set_deadline(bench.now + base::Time{500});
  link.want_turn();
  link.now_idle();
  CHECK(bench.server.below.is_idle());
  link.now_busy();
  CHECK_FALSE(bench.server.below.is_idle());
  bench.server.below.run();
  CHECK(bench.server.story.count("server turn") == 1);
  bench.advance(500);
  CHECK(bench.server.story.count("server deadline") == 1);
  bench.server.below.server_stops();
  CHECK(bench.server.story.count("server shut down") == 1);
}

TEST_CASE("tls link: a server that stops ends a handshake that has begun") {
  TlsBench bench;
  bench.open();
  bench.server.below.server_stops();
  CHECK(bench.server.below.closed());
  CHECK(bench.server.above == nullptr);
}

TEST_CASE("tls link: a session that throws loses its own link, with a line") {
  TlsBench bench;
  bench.server.story.deeds["server input"] = [](session::Link&) { throw std::runtime_error("on purpose"); };
  bench.open();
  bench.pump();
  bench.client.say("x");
  bench.pump();
  CHECK(bench.server.below.was_aborted());
  CHECK(bench.server.below.lost() == "on purpose");
  CHECK(bench.server.story.events.back() == "server destroyed");
}

TEST_CASE("tls link: a session may become another, which gets the bytes that were not used") {
  Story story;
  TlsBench bench;
  bench.server.story.deeds["server input"] = [&story](session::Link& link) {
    link.become(std::make_unique<Scripted>(link, story, "next"));
  };
  bench.open();
  bench.pump();
  bench.client.say("one");
  bench.pump();
  bench.client.say("two");
  bench.pump();
  CHECK(story.events == Events{"next start", "next input two"});
}

TEST_CASE("tls link: quiet() tells plain bytes that wait from none") {
  TlsBench bench;
  bench.open();
  bench.pump();
  CHECK(bench.client.above->quiet());
  bench.server.say("x");
  bench.server.below.run();
  bench.client.below.arrive(bench.server.below.take());
  CHECK_FALSE(bench.client.above->quiet());
}
