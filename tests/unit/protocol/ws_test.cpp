#include "protocol/ws.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/protocol/ws_bench.h"

// Messages, control frames and the close handshake. Backpressure is in ws_flow_test.cpp, life and death in ws_life_test.cpp.

namespace {

using namespace wharf;
using namespace wharf::test;
using Words = std::vector<std::string>;

/// A scripted row that says `answer` to every message.
void answer_with(WsBench& bench, std::string answer) {
  bench.story.on_message = [answer = std::move(answer)](wharf_peer* peer) { send_text(peer, answer); };
}

/// A peer that is closed by the server after the server's close frame was read.
void check_closed(WsBench& bench, const Words& expected_frames, const Words& expected_events) {
  CHECK(bench.clients[0].read() == expected_frames);
  CHECK(bench.story.take() == expected_events);
  CHECK(bench.clients[0].link->closed());
}

std::string close_word(std::string_view bytes) {
  FrameReader reader;
  const Words words = reader.read(std::string(bytes));
  return words.size() == 1 ? words[0] : "not one frame";
}

}  // namespace

TEST_CASE("ws: a message comes whole, with its kind, and its echo leaves in the same turn and one write") {
  WsBench bench;
  answer_with(bench, "yes");
  bench.connect();
  bench.clients[0].send(text("h\xC3\xA9") + binary(std::string_view("\0\xFF", 2)) + text(""));
  CHECK(bench.story.take() == Words{"open", "text h\xC3\xA9", "binary " + std::string("\0\xFF", 2), "text "});
  CHECK(bench.clients[0].link->write_calls() == 1);
  CHECK(bench.clients[0].read() == Words{"text yes", "text yes", "text yes"});
}

TEST_CASE("ws: a fragmented message comes whole, with control frames between the fragments") {
  using codec::Opcode;
  const std::string bytes = frame(Opcode::text, "a", Fin::more) + ping("p") + frame(Opcode::continuation, "b", Fin::more) +
                            pong("q") + frame(Opcode::continuation, "c");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    WsBench bench;
    bench.connect();
    bench.clients[0].send(bytes.substr(0, cut));
    bench.clients[0].send(bytes.substr(cut));
    CHECK(bench.story.take() == Words{"open", "pong q", "text abc"});
    CHECK(bench.clients[0].read() == Words{"pong p"});
  }
}

TEST_CASE("ws: a message may be sent at any time, even from open() and from outside all calls") {
  WsBench bench;
  bench.story.on_open = [](wharf_peer* peer) { send_text(peer, "welcome"); };
  bench.connect();
  CHECK(bench.clients[0].read() == Words{"text welcome"});
  CHECK(send_binary(bench.peer(), "1") == WHARF_GO);
  CHECK(send_text(bench.peer(), "2") == WHARF_GO);
  CHECK(bench.services.buffered(bench.peer()) == 6);
  bench.run();
  CHECK(bench.services.buffered(bench.peer()) == 0);
  CHECK(bench.clients[0].read() == Words{"binary 1", "text 2"});
}

TEST_CASE("ws: messages of every size around the limits of the header and of copying") {
  WsBench bench;
  bench.connect();
  for (const std::size_t size :
       std::initializer_list<std::size_t>{0, 1, 125, 126, 127, 16'383, 16'384, 65'535, 65'536, 1'048'576}) {
    CAPTURE(size);
    std::string payload(size, 'x');
    for (std::size_t i = 0; i < size; i += 7) payload[i] = static_cast<char>(i);
    send_binary(bench.peer(), payload);
    bench.run();
    const auto received = bench.clients[0].reader.read_whole(bench.clients[0].link->take());
    REQUIRE(received.size() == 1);
    CHECK((received[0].payload == payload));
  }
}

TEST_CASE("ws: pings are answered with their payload, pongs reach the row, and pings reach the peer") {
  WsBench bench;
  bench.connect();
  bench.clients[0].send(ping("12") + ping() + pong("late"));
  CHECK(bench.clients[0].read() == Words{"pong 12", "pong "});
  CHECK(bench.story.take() == Words{"open", "pong late"});
  CHECK(bench.services.ping(bench.peer(), "are you there", 13) == WHARF_GO);
  CHECK(bench.services.ping(bench.peer(), nullptr, 0) == WHARF_GO);
  bench.run();
  CHECK(bench.clients[0].read() == Words{"ping are you there", "ping "});
}

TEST_CASE("ws: a ping that is too long is cut to 125 bytes") {
  WsBench bench;
  bench.connect();
  const std::string payload(200, 'p');
  bench.services.ping(bench.peer(), payload.data(), payload.size());
  bench.run();
  CHECK(bench.clients[0].read() == Words{"ping 125 bytes"});
}

TEST_CASE("ws: text that is not UTF-8 is not sent; the peer is closed with 1011, and the log says why") {
  WsBench bench;
  bench.connect();
  CHECK(send_text(bench.peer(), "\xC3(") == WHARF_CLOSED);
  CHECK(send_text(bench.peer(), "more") == WHARF_CLOSED);
  bench.run();
  CHECK(bench.logged("error: scripted: asked to send text that is not UTF-8"));
  bench.clients[0].send(close_frame(1011));
  check_closed(bench, {"close 1011"}, {"open", "closing 1011", "destroy"});
}

TEST_CASE("ws: a row without callbacks accepts everything, and pings and closes are answered") {
  wharf_row row{};
  row.size = sizeof row;
  row.name = "silent";
  WsBench bench(row);
  bench.connect();
  bench.clients[0].send(text("a") + binary("b") + pong() + ping("c") + close_frame(1000));
  check_closed(bench, {"pong c", "close 1000"}, {});
}

// ---- Faults of the peer ----

TEST_CASE("ws: a fault closes with its code and is logged, and the row hears 1006") {
  using codec::Opcode;
  const std::vector<std::pair<std::string, std::string>> faults{
      {std::string("\x81\x01x", 3), "1002"},                        // not masked
      {frame(static_cast<Opcode>(3), ""), "1002"},                  // unknown opcode
      {frame(Opcode::continuation, "x"), "1002"},                   // nothing to continue
      {frame(Opcode::ping, "x", Fin::more), "1002"},                // a control frame in fragments
      {text("\xFF"), "1007"},                                       //
      {frame(Opcode::close, "x"), "1002"},                          // half a code
      {close_frame(1005), "1002"},                                  //
      {close_frame(999), "1002"},                                   //
      {close_frame(1000, "\xFF"), "1007"},                          //
      {frame(Opcode::binary, std::string(1'048'577, 'x')), "1009"}  //
  };
  for (const auto& [bytes, code] : faults) {
    WsBench bench;
    bench.connect();
    bench.clients[0].send(text("fine") + bytes + text("dropped"));
    const Words words = bench.clients[0].read();
    REQUIRE(words.size() == 1);
    CHECK(words[0].starts_with("close " + code + " "));
    CHECK(bench.story.take() == Words{"open", "text fine", "closing 1006", "destroy"});
    CHECK(bench.clients[0].link->closed());
    CHECK(bench.logged("info: 192.0.2.1:4711 scripted: closed with " + code));
  }
}

TEST_CASE("ws: a message of exactly the limit passes, one byte more closes with 1009; the row's own limit comes first") {
  for (const std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{10}}) {
    wharf_row row = scripted_row();
    row.message_limit = limit;
    WsBench bench(row);
    const std::size_t most = limit == 0 ? 1024 * 1024 : 10;
    bench.connect();
    bench.clients[0].send(binary(std::string(most, 'x')));
    CHECK(bench.story.count("binary") == 1);
    using codec::Opcode;
    bench.clients[0].send(frame(Opcode::binary, std::string(most, 'x'), Fin::more) + frame(Opcode::continuation, "x"));
    CHECK(bench.clients[0].read().at(0).starts_with("close 1009 "));
    CHECK(bench.story.count("binary") == 1);
  }
}

// ---- The close handshake ----

TEST_CASE("ws: the peer closes: its code comes back without the reason, the row hears both") {
  WsBench bench;
  bench.connect();
  bench.clients[0].send(close_frame(3001, "g\xC3\xB6"));
  check_closed(bench, {"close 3001"}, {"open", "closing 3001 g\xC3\xB6", "destroy"});
}

TEST_CASE("ws: if the peer closes without a code, so does the server, and the row hears 1005") {
  WsBench bench;
  bench.connect();
  bench.clients[0].send(close_frame());
  check_closed(bench, {"close 1005"}, {"open", "closing 1005", "destroy"});
}

TEST_CASE("ws: the row closes, after its messages before, and hears the peer's code") {
  WsBench bench;
  bench.connect();
  send_text(bench.peer(), "last");
  close(bench.peer(), 4000, "enough");
  CHECK(send_text(bench.peer(), "late") == WHARF_CLOSED);
  CHECK(bench.services.ping(bench.peer(), "late", 4) == WHARF_CLOSED);
  bench.run();
  CHECK(bench.clients[0].read() == Words{"text last", "close 4000 enough"});
  CHECK_FALSE(bench.clients[0].link->closed());
  bench.clients[0].send(close_frame(4000));
  check_closed(bench, {}, {"open", "closing 4000", "destroy"});
}

TEST_CASE("ws: after our close frame, messages and pongs of the peer are dropped, and its pings answered (5.5.2)") {
  WsBench bench;
  bench.connect();
  close(bench.peer(), 1000);
  bench.clients[0].send(text("a") + ping("b") + pong("c") + binary("d"));
  CHECK(bench.clients[0].link->take() == std::string("\x88\x02\x03\xE8\x8A\x01"
                                                     "b",
                                                     7));
  CHECK(bench.story.take() == Words{"open"});
  bench.clients[0].send(close_frame(1000));
  check_closed(bench, {}, {"closing 1000", "destroy"});
}

TEST_CASE("ws: nothing that comes behind the peer's close frame is looked at") {
  WsBench bench;
  bench.connect();
  bench.clients[0].send(close_frame(1000) + text("x") + "garbage");
  bench.clients[0].send("more garbage");
  check_closed(bench, {"close 1000"}, {"open", "closing 1000", "destroy"});
}

TEST_CASE("ws: the second close does nothing") {
  WsBench bench;
  bench.connect();
  close(bench.peer(), 1000, "first");
  bench.advance(4'000);
  close(bench.peer(), 1001, "second");
  bench.advance(1'000);  // the time of the first counts
  check_closed(bench, {"close 1000 first"}, {"open", "closing 1006", "destroy"});
}

TEST_CASE("ws: the server leaves a peer that does not answer the close within 5 seconds") {
  WsBench bench;
  bench.connect();
  close(bench.peer(), 1000);
  bench.advance(4'999);
  CHECK_FALSE(bench.clients[0].link->closed());
  bench.advance(1);
  check_closed(bench, {"close 1000"}, {"open", "closing 1006", "destroy"});
}

TEST_CASE("ws: close frames that cross") {
  WsBench bench;
  bench.connect();
  close(bench.peer(), 1001, "ours");
  bench.clients[0].send(close_frame(4002, "theirs"));
  check_closed(bench, {"close 1001 ours"}, {"open", "closing 4002 theirs", "destroy"});
}

TEST_CASE("ws: a code that may not be sent becomes 1011, and the log says so") {
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 2999U, 5000U, 65535U}) {
    WsBench bench;
    bench.connect();
    close(bench.peer(), code, "why");
    bench.run();
    CHECK(bench.clients[0].read() == Words{"close 1011 why"});
    CHECK(bench.logged("asked to close with code " + std::to_string(code)));
  }
  for (const unsigned code : {1000U, 1003U, 1007U, 1014U, 3000U, 4999U}) {
    WsBench bench;
    bench.connect();
    close(bench.peer(), code);
    bench.run();
    CHECK(bench.clients[0].read() == Words{"close " + std::to_string(code)});
    CHECK(bench.log_lines.empty());
  }
}

TEST_CASE("ws: a reason is cut to 123 bytes at the end of a code point, and left out if it is not UTF-8") {
  const auto sent = [](std::string_view reason) {
    WsBench bench;
    bench.connect();
    close(bench.peer(), 1000, reason);
    bench.run();
    return close_word(bench.clients[0].link->take());
  };
  CHECK(sent(std::string(123, 'x')) == "close 1000 " + std::string(123, 'x'));
  CHECK(sent(std::string(124, 'x')) == "close 1000 " + std::string(123, 'x'));
  CHECK(sent(std::string(122, 'x') + "\xC3\xA9") == "close 1000 " + std::string(122, 'x'));
  CHECK(sent(std::string(120, 'x') + "\xF0\x9F\x91\x8B") == "close 1000 " + std::string(120, 'x'));
  CHECK(sent(std::string(5000, 'x')) == "close 1000 " + std::string(123, 'x'));
  CHECK(sent("bad \xFF") == "close 1000");
  CHECK(sent("") == "close 1000");
}

TEST_CASE("ws: when the server stops, the peer is closed with 1001") {
  WsBench bench;
  bench.connect();
  bench.clients[0].link->server_stops();
  CHECK(bench.clients[0].read() == Words{"close 1001 server is stopping"});
  bench.clients[0].link->server_stops();
  bench.clients[0].send(close_frame(1001));
  check_closed(bench, {}, {"open", "closing 1001", "destroy"});
}

TEST_CASE("ws: the connection ends without a close frame: 1006") {
  WsBench bench;
  bench.connect();
  bench.clients[0].send(text("half a message").substr(0, 8));
  bench.clients[0].link->receive_end();
  check_closed(bench, {}, {"open", "closing 1006", "destroy"});
}

TEST_CASE("ws: while the server drains, a peer stays until it is told") {
  WsBench bench;
  bench.connect();
  bench.clients[0].link->server_drains();
  CHECK(bench.clients[0].link->waits_to_be_told());
  CHECK(bench.clients[0].read().empty());
  bench.clients[0].link->server_stops();
  CHECK(bench.clients[0].read() == Words{"close 1001 server is stopping"});
}
