#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "unit/protocol/ws_bench.h"

// Messages in pieces, both ways, and rows that pause their peer.

namespace {

using namespace wharf;
using namespace wharf::test;
using Words = std::vector<std::string>;

void fragment(void* state, wharf_kind kind, wharf_part part, char* data, size_t size) {
  static constexpr const char* names[] = {"next", "first", "last", "whole"};
  const std::string shown = size > 100 ? std::to_string(size) + " bytes" : std::string(data, size);
  row::happened(state, std::string(kind == WHARF_TEXT ? "text " : "binary ") + names[part] + " " + shown, &RowStory::on_message);
}

wharf_row streaming_row() {
  wharf_row row = scripted_row();
  row.message = nullptr;
  row.fragment = fragment;
  return row;
}

std::string piece(codec::Opcode opcode, std::string_view payload) { return frame(opcode, payload, Fin::more); }
constexpr codec::Opcode next = codec::Opcode::continuation;

}  // namespace

TEST_CASE("ws pieces: a row that asks for them gets the pieces of a message as they arrive") {
  WsBench bench(streaming_row());
  bench.connect();
  bench.story.take();
  bench.clients[0].send(piece(codec::Opcode::text, "ab"));
  CHECK(bench.story.take() == Words{"text first ab"});
  const std::string rest = frame(next, "cdef");
  bench.clients[0].send(rest.substr(0, 8));
  CHECK(bench.story.take() == Words{"text next cd"});
  bench.clients[0].send(rest.substr(8) + text("g"));
  CHECK(bench.story.take() == Words{"text last ef", "text whole g"});
}

TEST_CASE("ws pieces: a whole message is one piece, and an empty one too") {
  WsBench bench(streaming_row());
  bench.connect();
  bench.story.take();
  bench.clients[0].send(text("abc") + binary("") + binary(std::string(1000, 'x')));
  CHECK(bench.story.take() == Words{"text whole abc", "binary whole ", "binary whole 1000 bytes"});
}

TEST_CASE("ws pieces: control frames come between them, and a close leaves the message unfinished") {
  WsBench bench(streaming_row());
  bench.connect();
  bench.story.take();
  bench.clients[0].send(piece(codec::Opcode::binary, "1") + ping("p") + pong("q") + piece(next, "2") + close_frame(1000));
  CHECK(bench.story.take() == Words{"binary first 1", "pong q", "binary next 2", "closing 1000", "destroy"});
  CHECK(bench.clients[0].read() == Words{"pong p", "close 1000"});
}

TEST_CASE("ws pieces: the limit holds for their sum") {
  wharf_row row = streaming_row();
  row.message_limit = 5;
  WsBench bench(row);
  bench.connect();
  bench.story.take();
  bench.clients[0].send(piece(codec::Opcode::binary, "123") + frame(next, "45") + piece(codec::Opcode::binary, "123"));
  CHECK(bench.story.take() == Words{"binary first 123", "binary last 45", "binary first 123"});
  bench.clients[0].send(frame(next, "456"));
  CHECK(bench.story.take() == Words{"closing 1006", "destroy"});
  CHECK(bench.clients[0].read()[0].starts_with("close 1009"));
}

TEST_CASE("ws pieces: sent in pieces, a message arrives as one; frames follow the pieces") {
  WsBench bench;
  bench.connect();
  wharf_peer* const peer = bench.peer();
  CHECK(send_part(peer, WHARF_TEXT, WHARF_FIRST, "\xC3") == WHARF_GO);
  CHECK(bench.services.ping(peer, "p", 1) == WHARF_GO);
  CHECK(send_part(peer, WHARF_BINARY, WHARF_NEXT, "\xA4") == WHARF_GO);  // the kind counts with the first
  CHECK(send_part(peer, WHARF_TEXT, WHARF_LAST, "") == WHARF_GO);
  CHECK(send_part(peer, WHARF_BINARY, WHARF_WHOLE, "b") == WHARF_GO);
  bench.run();
  const std::string bytes = bench.clients[0].link->take();
  CHECK(bytes == std::string("\x01\x01\xC3\x89\x01p\x00\x01\xA4\x80\x00\x82\x01"
                             "b",
                             14));
  CHECK(FrameReader().read(bytes) == Words{"ping p", "text \xC3\xA4", "binary b"});
}

TEST_CASE("ws pieces: out of turn, the peer is closed with 1011 and the log says why") {
  struct Wrong {
    void (*deed)(wharf_peer*);
    const char* reason;
  };
  const Wrong wrongs[] = {
      {[](wharf_peer* peer) { send_part(peer, WHARF_TEXT, WHARF_NEXT, "x"); }, "a piece of a message that was not begun"},
      {[](wharf_peer* peer) { send_part(peer, WHARF_TEXT, WHARF_LAST, "x"); }, "a piece of a message that was not begun"},
      {[](wharf_peer* peer) { send_part(peer, WHARF_TEXT, WHARF_FIRST, "x"), send_part(peer, WHARF_TEXT, WHARF_FIRST, "x"); },
       "to begin a message before the last piece of another"},
      {[](wharf_peer* peer) { send_part(peer, WHARF_TEXT, WHARF_FIRST, "x"), send_text(peer, "x"); },
       "to begin a message before the last piece of another"},
      {[](wharf_peer* peer) { send_part(peer, WHARF_TEXT, WHARF_FIRST, "\xC3"), send_part(peer, WHARF_TEXT, WHARF_LAST, ""); },
       "text that is not UTF-8"},
  };
  for (const Wrong& wrong : wrongs) {
    for (const bool in_turn : {false, true}) {
      CAPTURE(wrong.reason);
      WsBench bench;
      bench.connect();
      if (in_turn) {
        bench.story.on_message = wrong.deed;
        bench.clients[0].send(text("go"));
      } else {
        wrong.deed(bench.peer());
        bench.run();
      }
      const Words words = bench.clients[0].read();
      REQUIRE_FALSE(words.empty());
      CHECK(words.back() == "close 1011");
      CHECK(bench.logged(wrong.reason));
    }
  }
}

TEST_CASE("ws pause: nothing is handed out until resume(); then the messages come in order") {
  WsBench bench;
  bench.story.on_message = [](wharf_peer* peer) { peer->services->pause(peer); };
  bench.connect();
  bench.story.take();
  bench.clients[0].send(text("1") + ping("p") + text("2"));
  bench.clients[0].send(text("3"));
  CHECK(bench.story.take() == Words{"text 1"});
  CHECK(bench.clients[0].read().empty());
  CHECK_FALSE(bench.clients[0].link->reading());
  bench.services.resume(bench.peer());
  bench.run();
  CHECK(bench.story.take() == Words{"text 2"});
  CHECK(bench.clients[0].read() == Words{"pong p"});
  bench.story.on_message = {};
  bench.services.resume(bench.peer());
  bench.services.resume(bench.peer());
  bench.run();
  CHECK(bench.story.take() == Words{"text 3"});
  CHECK(bench.clients[0].link->reading());
}

TEST_CASE("ws pause: sending goes on, and a peer that does not read either is read again only when both reasons are gone") {
  WsBench bench;
  bench.connect();
  bench.story.take();
  bench.services.pause(bench.peer());
  bench.clients[0].send(text("1"));
  CHECK(send_text(bench.peer(), "still") == WHARF_GO);
  bench.run();
  CHECK(bench.clients[0].read() == Words{"text still"});

  bench.clients[0].link->set_window(0);
  CHECK(send_binary(bench.peer(), std::string(70'000, 'x')) == WHARF_HOLD);
  bench.clients[0].link->set_window(session::MemoryLink::unlimited);
  bench.run();
  CHECK(bench.story.take() == Words{"drained"});
  CHECK_FALSE(bench.clients[0].link->reading());
  bench.services.resume(bench.peer());
  bench.run();
  CHECK(bench.story.take() == Words{"text 1"});
}

TEST_CASE("ws pause: our close ends it, so that the peer's close is seen") {
  WsBench bench;
  bench.connect();
  bench.story.take();
  bench.services.pause(bench.peer());
  bench.clients[0].send(text("late") + close_frame(1000));
  close(bench.peer(), 1000);
  bench.services.pause(bench.peer());  // too late
  bench.run();
  CHECK(bench.story.take() == Words{"closing 1000", "destroy"});
  CHECK(bench.clients[0].link->closed());
}
