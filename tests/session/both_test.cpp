#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "session/site.h"
#include "unit/http/h1_bench.h"

// Each script runs on every carrier: a session must behave the same on all of them.

namespace {

using namespace wharf;
using namespace wharf::test;
using codec::Opcode;

std::string patterned(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 13 + i / 1000);
  return bytes;
}

/// Sends the bytes in that many pieces.
void send_in_pieces(Wire& wire, const std::string& bytes, std::size_t pieces) {
  const std::size_t size = bytes.size() / pieces + 1;
  for (std::size_t at = 0; at < bytes.size(); at += size) wire.send(bytes.substr(at, size));
}

Answer read_answer(Wire& wire, std::string_view method = "GET") {
  std::string bytes = wire.read_until("\r\n\r\n");
  Answer answer = take_answer(bytes, "HEAD");
  if (const std::size_t at = answer.head.find("Content-Length: "); at != std::string::npos && method != "HEAD")
    answer.body = wire.read(std::stoul(answer.head.substr(at + 16)));
  return answer;
}

}  // namespace

TEST_CASE_TEMPLATE("both: messages come back, text and binary, whole and in fragments", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo");
  talk.send(text("h\xC3\xA9llo"));
  CHECK(talk.next() == "text h\xC3\xA9llo");
  talk.send(binary(std::string_view("\0\xFF", 2)));
  CHECK(talk.next() == "binary " + std::string("\0\xFF", 2));
  talk.send(frame(Opcode::text, "one ", Fin::more));
  talk.send(ping("between") + frame(Opcode::continuation, "", Fin::more));
  CHECK(talk.next() == "pong between");
  talk.send(frame(Opcode::continuation, "message"));
  CHECK(talk.next() == "text one message");
}

TEST_CASE_TEMPLATE("both: 1 MiB passes in both directions, in one frame and in many, in few writes and in many", Site,
                   WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo");
  const std::string payload = patterned(1024 * 1024);
  for (const std::size_t pieces : {std::size_t{1}, std::size_t{100}}) {
    send_in_pieces(*wire, binary(payload), pieces);
    CHECK(talk.next() == "binary 1048576 bytes");
    CHECK((talk.payload() == payload));
  }
  std::string fragments = frame(Opcode::binary, payload.substr(0, 1000), Fin::more);
  for (std::size_t at = 1000; at < payload.size(); at += 50'000)
    fragments += frame(Opcode::continuation, payload.substr(at, 50'000), at + 50'000 < payload.size() ? Fin::more : Fin::last);
  send_in_pieces(*wire, fragments, 30);
  CHECK(talk.next() == "binary 1048576 bytes");
  CHECK((talk.payload() == payload));
}

TEST_CASE_TEMPLATE("both: many small messages that arrive together are answered in order", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo");
  std::string together;
  for (int i = 0; i < 1000; ++i) together += text(std::to_string(i));
  talk.send(together);
  for (int i = 0; i < 1000; ++i) REQUIRE(talk.next() == "text " + std::to_string(i));
}

TEST_CASE("both: many small messages that arrive together are answered in one write") {
  MemorySite site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo");
  const std::size_t before = wire->link().write_calls();
  std::string together;
  for (int i = 0; i < 1000; ++i) together += text(std::to_string(i));
  talk.send(together);
  CHECK(wire->link().write_calls() == before + 1);
}

TEST_CASE_TEMPLATE("both: frames that come together with the upgrade request are not lost", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo", text("early 1") + text("early 2").substr(0, 5));
  CHECK(talk.next() == "text early 1");
  talk.send(text("early 2").substr(5));
  CHECK(talk.next() == "text early 2");
}

TEST_CASE_TEMPLATE("both: a conversation that is over before the client has read the 101", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo", text("a") + close_frame(3000, "bye"));
  CHECK(talk.next() == "text a");
  CHECK(talk.next() == "close 3000");
  CHECK(talk.next() == "end");
}

TEST_CASE_TEMPLATE("both: the client closes", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "actor");
  talk.send(close_frame(3999, "bye"));
  CHECK(talk.next() == "close 3999");
  CHECK(talk.next() == "end");
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 3999", "destroyed"});
}

TEST_CASE_TEMPLATE("both: the server closes", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "actor");
  talk.send(text("close me") + text("dropped"));
  CHECK(talk.next() == "close 4000 asked");
  talk.send(close_frame(4000));
  CHECK(talk.next() == "end");
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 4000", "destroyed"});
}

TEST_CASE_TEMPLATE("both: a callback cuts its own peer", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "actor");
  talk.send(text("abort me"));
  CHECK(talk.next() == "end");
  wait_until([] { return actor_record().count("destroyed") == 1; });
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}

TEST_CASE_TEMPLATE("both: an exception closes its peer with 1011, and the server goes on", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "actor");
  talk.send(text("throw"));
  CHECK(talk.next() == "close 1011");
  const auto other = site.connect();
  CHECK(WsTalk(*other, "actor", text("it")).next() == "text what is it");
  CHECK(site.log().count("error: actor: an exception left message()") == 1);
}

TEST_CASE_TEMPLATE("both: a message that is too long, and one that is not text, end in their codes", Site, WHARF_ALL_SITES) {
  Site site;
  const auto long_one = site.connect();
  WsTalk long_talk(*long_one, "echo", frame(Opcode::binary, std::string(2'000'000, 'x')).substr(0, 100));
  CHECK(long_talk.next().starts_with("close 1009 "));
  CHECK(long_talk.next() == "end");
  const auto bad_one = site.connect();
  WsTalk bad_talk(*bad_one, "echo", text("\xFF"));
  CHECK(bad_talk.next().starts_with("close 1007 "));
  CHECK(bad_talk.next() == "end");
}

TEST_CASE_TEMPLATE("both: one response after the other on a connection, pipelined too, in order", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  wire->send(get("/small"));
  CHECK(read_answer(*wire).body == "small");
  wire->send(get("/small") + get("/big") + "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n" + get("/none") + get("/small"));
  CHECK(read_answer(*wire).body == "small");
  CHECK((read_answer(*wire).body == big_file()));
  CHECK(read_answer(*wire, "HEAD").has("Content-Length: 3000000"));
  CHECK(read_answer(*wire).status == 404);
  CHECK(read_answer(*wire).body == "small");
}

TEST_CASE_TEMPLATE("both: a request that arrives byte by byte", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  for (const char byte : get("/small")) wire->send({&byte, 1});
  CHECK(read_answer(*wire).body == "small");
}

TEST_CASE_TEMPLATE("both: a client that sends no more still gets its responses, the large one complete", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  wire->send(get("/big") + get("/small"));
  wire->finish();
  CHECK((read_answer(*wire).body == big_file()));
  CHECK(read_answer(*wire).body == "small");
  CHECK(wire->read_all().empty());
}

TEST_CASE_TEMPLATE("both: Connection: close and a bad request end the connection after the response", Site, WHARF_ALL_SITES) {
  Site site;
  const auto polite = site.connect();
  polite->send("GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK((read_answer(*polite).body == big_file()));
  CHECK(polite->read_all().empty());
  const auto bad = site.connect();
  bad->send("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  CHECK(read_answer(*bad).status == 400);
  CHECK(bad->read_all().empty());
}

TEST_CASE_TEMPLATE("both: a WebSocket after responses on the same connection", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  wire->send(get("/small"));
  CHECK(read_answer(*wire).body == "small");
  CHECK(WsTalk(*wire, "echo", text("x")).next() == "text x");
}

TEST_CASE_TEMPLATE("both: a callback closes or cuts all others", Site, WHARF_ALL_SITES) {
  Site site;
  const auto first = site.connect();
  const auto second = site.connect();
  const auto third = site.connect();
  WsTalk a(*first, "actor");
  WsTalk b(*second, "actor");
  WsTalk c(*third, "actor");
  a.send(text("close all"));
  for (WsTalk* talk : {&a, &b, &c}) {
    CHECK(talk->next() == "close 4001 all");
    talk->send(close_frame(4001));
    CHECK(talk->next() == "end");
  }
  const auto fourth = site.connect();
  const auto fifth = site.connect();
  WsTalk d(*fourth, "actor");
  WsTalk e(*fifth, "actor");
  d.send(text("abort others") + text("life"));
  CHECK(e.next() == "end");
  CHECK(d.next() == "text what is life");
  wait_until([] { return actor_record().count("destroyed") == 4; });
  CHECK(actor_record().count("closing 4001") == 3);
  CHECK(actor_record().count("closing 1006") == 1);
}

TEST_CASE_TEMPLATE("both: a flood reaches a peer that reads, without a gap and with the hold kept", Site, WHARF_ALL_SITES) {
  Site site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "actor");
  talk.send(text("flood 500") + text("it"));
  int floods = 0;
  int answers = 0;
  while (floods + answers < 501) {
    const std::string word = talk.next();
    if (word == "text what is it") ++answers;
    else REQUIRE(word == "binary 10000 bytes");
    if (word != "text what is it") CHECK(talk.payload()[0] == static_cast<char>('a' + (500 - floods++) % 26));
  }
  CHECK(floods == 500);
  CHECK(answers == 1);
}
