#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "unit/websocket/streams.h"

namespace {

using namespace wharf::test;

std::string header_of(std::string_view frame) { return std::string(frame.substr(0, 2)); }

/// One of each thing that a stream can send. Returns what must arrive.
std::string conversation(Stream& sender, std::vector<Seen>& expected) {
  std::string out;
  const std::string large(70'000, 'l');
  CHECK(sender.send(Kind::text, "Grüße an alle, alle, alle", out) == Error::none);
  CHECK(sender.send(Kind::binary, {}, out) == Error::none);
  CHECK(sender.send_part(Kind::text, Part::first, "gr\xC3", out) == Error::none);
  CHECK(sender.ping("are you there?", out) == Error::none);
  CHECK(sender.send_part(Kind::binary, Part::next, "\xBC\xC3", out) == Error::none);
  CHECK(sender.send_part(Kind::text, Part::last, "\x9F", out) == Error::none);
  CHECK(sender.send(Kind::binary, large, out) == Error::none);
  CHECK(sender.pong("yes", out) == Error::none);
  CHECK(sender.close(4999, "schöne Grüße", out) == Error::none);
  expected = {{Type::text, "Grüße an alle, alle, alle"}, {Type::binary, {}},    {Type::ping, "are you there?"},
              {Type::text, "gr\xC3\xBC\xC3\x9F"},        {Type::binary, large}, {Type::pong, "yes"},
              {Type::close, "schöne Grüße", 4999}};
  return out;
}

}  // namespace

TEST_CASE("websocket_stream: what one end sends arrives at the other, cut at every place, compressed or not") {
  for (const Role role : {Role::server, Role::client}) {
    for (const Agreement& agreement : {Agreement(), compressing(), compressing(true)}) {
      Stream sender(role, agreement);
      std::vector<Seen> expected;
      const std::string bytes = conversation(sender, expected);
      CAPTURE(bytes.size());
      const std::size_t cuts = std::min<std::size_t>(bytes.size(), 400);
      for (std::size_t cut = 0; cut <= cuts; ++cut) {
        Stream receiver(other(role), agreement);
        std::vector<Seen> seen = feed(receiver, bytes.substr(0, cut));
        for (Seen& each : feed(receiver, bytes.substr(cut))) seen.push_back(std::move(each));
        if (seen != expected) FAIL_CHECK("cut at " << cut);
      }
      Stream receiver(other(role), agreement);
      std::vector<Seen> seen;
      for (const char byte : bytes)
        for (Seen& each : feed(receiver, std::string(1, byte))) seen.push_back(std::move(each));
      CHECK(seen == expected);
    }
  }
}

TEST_CASE("websocket_stream: compression makes messages smaller, and a context makes similar ones smaller still") {
  const std::string text = R"({"name":"wharf","what":"many protocols, one port","name of the second":"wharf"})";
  std::string plain_out, shared_out, dedicated_out;
  Stream not_compressing(Role::server), shared(Role::server, compressing()), dedicated(Role::server, compressing(true));
  for (int i = 0; i < 3; ++i) {
    CHECK(not_compressing.send(Kind::text, text, plain_out) == Error::none);
    CHECK(shared.send(Kind::text, text, shared_out) == Error::none);
    CHECK(dedicated.send(Kind::text, text, dedicated_out) == Error::none);
  }
  CHECK(shared_out.size() < plain_out.size());
  CHECK(2 * dedicated_out.size() < shared_out.size() + text.size());
  CHECK((shared_out[0] & 0x40) != 0);

  Agreement from_1000 = compressing();
  from_1000.compress_from = 1000;
  Stream high_floor(Role::server, from_1000);
  std::string out;
  CHECK(high_floor.send(Kind::text, text, out) == Error::none);
  CHECK((out[0] & 0x40) == 0);
}

TEST_CASE("websocket_stream: each role uses the window and context that belong to its direction") {
  Agreement agreement = compressing();
  agreement.server_keeps_context = true;
  agreement.server_window_bits = 15;
  agreement.client_window_bits = 9;
  for (const Role role : {Role::server, Role::client}) {
    Stream sender(role, agreement), receiver(other(role), agreement);
    std::string message(3000, ' ');
    unsigned state = 1;
    for (char& c : message) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    std::string first, second;
    CHECK(sender.send(Kind::binary, message, first) == Error::none);
    CHECK(sender.send(Kind::binary, message, second) == Error::none);
    if (role == Role::server) CHECK(second.size() < 200);  // the context reaches back over the whole first message
    else CHECK(second.size() > message.size());
    const std::vector<Seen> expected{{Type::binary, message}, {Type::binary, message}};
    CHECK(feed(receiver, first + second) == expected);
  }
}

TEST_CASE("websocket_stream: pieces come as they arrive, text cut between code points") {
  StreamOptions options;
  options.in_pieces = true;
  options.message_limit = 1'000'000;
  Stream receiver(Role::client, {}, options);
  Stream sender(Role::server);
  std::string out;
  CHECK(sender.send(Kind::text, "aü", out) == Error::none);
  CHECK(feed(receiver, out.substr(0, 4)) == std::vector<Seen>{{Type::text, "a", 0, Error::none, Part::first}});
  CHECK(feed(receiver, out.substr(4)) == std::vector<Seen>{{Type::text, "ü", 0, Error::none, Part::last}});
}

TEST_CASE("websocket_stream: every error of the peer is reported by its name, once, and the rest is discarded") {
  const std::string mask(4, '\0');
  struct Case {
    Error error;
    std::uint16_t code;
    Role role;
    std::string bytes;
  };
  const std::vector<Case> cases{
      {Error::reserved_bits, 1002, Role::client, plain(0xA1, "a")},
      {Error::reserved_opcode, 1002, Role::client, plain(0x83, "a")},
      {Error::mask_missing, 1002, Role::server, plain(0x81, "a")},
      {Error::mask_unexpected, 1002, Role::client, std::string("\x81\x81", 2) + mask + "a"},
      {Error::length_not_minimal, 1002, Role::client, std::string("\x81\x7E\0\x01", 4)},
      {Error::length_too_large, 1002, Role::client, std::string("\x81\x7F\x80\0\0\0\0\0\0\0", 10)},
      {Error::control_fragmented, 1002, Role::client, plain(0x09, "a")},
      {Error::control_too_long, 1002, Role::client, std::string("\x89\x7E\0\x7E", 4)},
      {Error::continuation_missing, 1002, Role::client, plain(0x01, "a") + plain(0x81, "a")},
      {Error::continuation_stray, 1002, Role::client, plain(0x80, "a")},
      {Error::close_payload, 1002, Role::client, plain(0x88, "a")},
      {Error::close_code, 1002, Role::client, plain(0x88, "\x03\xED")},
      {Error::close_reason, 1007, Role::client, plain(0x88, "\x03\xE8\xFF")},
      {Error::text_not_utf8, 1007, Role::client, plain(0x81, "\xFF")},
      {Error::message_too_big, 1009, Role::client, std::string("\x82\x7F\0\0\0\0\0\x10\0\x01", 10)},
      {Error::not_deflate, 1007, Role::client, plain(0xC1, "\xFF\xFF\xFF")},
  };
  CHECK(cases.size() == static_cast<std::size_t>(Error::not_deflate));
  for (const Case& each : cases) {
    CAPTURE(message(each.error));
    Stream stream(each.role, each.error == Error::not_deflate ? compressing() : Agreement());
    std::string bytes = each.bytes + plain(0x81, "more");
    std::vector<Seen> seen = feed(stream, bytes);
    REQUIRE(!seen.empty());
    CHECK(seen.back() == Seen{Type::error, {}, 0, each.error});
    CHECK(stream.validity() == Validity::control_only);
    CHECK(close_code(each.error) == each.code);

    Event event;
    event.type = Type::error;
    event.error = each.error;
    std::string out;
    CHECK(stream.answer(event, out) == Error::none);
    CHECK(stream.validity() == Validity::invalid);
    Stream peer(other(each.role));
    CHECK(feed(peer, out) == std::vector<Seen>{{Type::close, std::string(message(each.error)), each.code}});
    CHECK(stream.answer(event, out.erase()) == Error::none);
    CHECK(out.empty());
    CHECK(feed(stream, plain(0x81, "more")).empty());
  }
}

TEST_CASE("websocket_stream: an error is left unanswered if that was asked for") {
  StreamOptions options;
  options.close_on_error = false;
  Stream stream(Role::client, {}, options);
  std::string bytes = plain(0x83, "a"), out;
  std::span<char> rest(bytes);
  const Event event = stream.next(rest);
  CHECK(event.error == Error::reserved_opcode);
  CHECK(stream.answer(event, out) == Error::none);
  CHECK(out.empty());
  CHECK(stream.validity() == Validity::control_only);
  CHECK(stream.send(Kind::text, "a", out) == Error::closed);
  CHECK(stream.close(1002, "own words", out) == Error::none);
  CHECK(stream.validity() == Validity::invalid);
}

TEST_CASE("websocket_stream: a message that must not be sent is refused with a named error, and nothing is written") {
  Stream stream(Role::server);
  std::string out = "before";
  const std::string long_text(126, 'x');
  CHECK(stream.send(Kind::text, "\xFF", out) == Error::text_not_utf8);
  CHECK(stream.send(Kind::text, "\xC3", out) == Error::text_not_utf8);
  CHECK(stream.send_part(Kind::text, Part::next, "a", out) == Error::continuation_stray);
  CHECK(stream.send_part(Kind::text, Part::last, "a", out) == Error::continuation_stray);
  CHECK(stream.ping(long_text, out) == Error::control_too_long);
  CHECK(stream.pong(long_text, out) == Error::control_too_long);
  CHECK(stream.close(1000, std::string_view(long_text).substr(0, 124), out) == Error::control_too_long);
  CHECK(stream.close(1000, "\xC3", out) == Error::close_reason);
  for (const int code : {0, 999, 1004, 1006, 1015, 1016, 2999, 5000})
    CHECK(stream.close(static_cast<std::uint16_t>(code), {}, out) == Error::close_code);
  CHECK(stream.close(1005, "a reason without a code", out) == Error::close_code);
  CHECK(out == "before");
  CHECK(stream.validity() == Validity::valid);

  CHECK(stream.send_part(Kind::text, Part::first, "a\xC3", out) == Error::none);
  out = "before";
  CHECK(stream.send(Kind::text, "a", out) == Error::continuation_missing);
  CHECK(stream.send_part(Kind::binary, Part::first, "a", out) == Error::continuation_missing);
  CHECK(stream.send_part(Kind::text, Part::next, "a", out) == Error::text_not_utf8);
  CHECK(stream.send_part(Kind::text, Part::last, "", out) == Error::text_not_utf8);
  CHECK(out == "before");
  CHECK(stream.send_part(Kind::text, Part::last, "\xBC", out) == Error::none);
  CHECK(out == "before" + plain(0x80, "\xBC"));
}

TEST_CASE("websocket_stream: the longest control frames") {
  Stream stream(Role::server), peer(Role::client);
  std::string out;
  const std::string most(125, 'p');
  CHECK(stream.ping(most, out) == Error::none);
  CHECK(stream.close(3000, std::string_view(most).substr(0, 123), out) == Error::none);
  CHECK(feed(peer, out) == std::vector<Seen>{{Type::ping, most}, {Type::close, most.substr(0, 123), 3000}});
}

TEST_CASE("websocket_stream: after a close of either side control frames alone, after both nothing") {
  Stream server(Role::server), client(Role::client);
  std::string out;
  CHECK(client.send_part(Kind::text, Part::first, "begun", out) == Error::none);
  CHECK(server.send_part(Kind::text, Part::first, "begun", out = {}) == Error::none);
  CHECK(server.validity() == Validity::valid);

  std::string to_client, to_server;
  CHECK(server.close(1001, "going away", to_client) == Error::none);
  CHECK(server.validity() == Validity::control_only);
  CHECK(server.close(1001, "again", to_client) == Error::closed);
  CHECK(server.send(Kind::text, "late", to_client) == Error::closed);
  CHECK(server.send_part(Kind::text, Part::last, "late", to_client) == Error::closed);
  CHECK(server.ping("p", to_client) == Error::none);  // the peer may discard it

  std::span<char> rest(to_client);
  const Event close = client.next(rest);
  CHECK(close.type == Type::close);
  CHECK(client.validity() == Validity::control_only);
  CHECK(client.send(Kind::text, "late", to_server) == Error::closed);
  CHECK(client.send_part(Kind::binary, Part::last, " and ended", to_server) == Error::none);
  CHECK(client.answer(close, to_server) == Error::none);
  CHECK(client.validity() == Validity::invalid);
  CHECK(client.next(rest).type == Type::more);
  CHECK(rest.empty());
  const std::string before = to_server;
  CHECK(client.ping("p", to_server) == Error::closed);
  CHECK(client.pong("p", to_server) == Error::closed);
  CHECK(client.close(1000, {}, to_server) == Error::closed);
  CHECK(client.answer(close, to_server) == Error::none);
  CHECK(to_server == before);
}

TEST_CASE("websocket_stream: the answers that the RFC wants, and no others") {
  Stream server(Role::server), client(Role::client);
  const auto answer = [&](const std::string& bytes) {
    std::string input = bytes, out;
    std::span<char> rest(input);
    const Event event = client.next(rest);
    CHECK(client.answer(event, out) == Error::none);
    return feed(server, out);
  };
  CHECK(answer(plain(0x81, "text")).empty());
  CHECK(answer(plain(0x82, "binary")).empty());
  CHECK(answer(plain(0x8A, "pong")).empty());
  CHECK(answer(plain(0x81, "text").substr(0, 3)).empty());
  CHECK(answer("ext" + plain(0x89, "ping")).empty());  // the rest of the text; the ping was left behind
  CHECK(answer(plain(0x89, "ping")) == std::vector<Seen>{{Type::pong, "ping"}});
  CHECK(answer(plain(0x88, "\x0F\xA0why")) == std::vector<Seen>{{Type::close, {}, 4000}});
}

TEST_CASE("websocket_stream: a close without a code is sent and answered as such") {
  Stream server(Role::server), client(Role::client);
  std::string out;
  CHECK(server.close(1005, {}, out) == Error::none);
  CHECK(out == std::string("\x88\0", 2));
  std::span<char> rest(out);
  const Event event = client.next(rest);
  CHECK(event.code == 1005);
  std::string answer;
  CHECK(client.answer(event, answer) == Error::none);
  CHECK(header_of(answer) == "\x88\x80");
}

TEST_CASE("websocket_stream: a ping is still answered after our close, not after the peer's") {
  Stream client(Role::client);
  std::string out;
  CHECK(client.close(1000, {}, out) == Error::none);
  std::string input = plain(0x89, "p") + plain(0x88, "\x03\xE8");
  std::span<char> rest(input);
  const Event ping = client.next(rest);
  CHECK(client.answer(ping, out = {}) == Error::none);
  CHECK(header_of(out) == "\x8A\x81");
  CHECK(client.next(rest).type == Type::close);
  CHECK(client.answer(ping, out = {}) == Error::none);
  CHECK(out.empty());
}

TEST_CASE("websocket_stream: a stream that was moved goes on") {
  Stream sender(Role::server, compressing(true)), receiver(Role::client, compressing(true));
  std::string out;
  CHECK(sender.send(Kind::text, "the same message", out) == Error::none);
  CHECK(feed(receiver, out.substr(0, 5)).empty());
  Stream moved_receiver = std::move(receiver);
  Stream moved_sender(Role::server);
  moved_sender = std::move(sender);
  std::string more;
  CHECK(moved_sender.send(Kind::text, "the same message", more) == Error::none);
  CHECK(feed(moved_receiver, out.substr(5) + more).size() == 2);
}

TEST_CASE("websocket_stream: a close payload is split in place") {
  const std::string payload = "\x03\xE9going";
  const Close close = split_close(payload);
  CHECK(close.error == Error::none);
  CHECK(close.code == 1001);
  CHECK(close.reason == "going");
  CHECK(close.reason.data() == payload.data() + 2);
  CHECK(split_close({}).code == 1005);
  CHECK(split_close({}).error == Error::none);
  CHECK(split_close("\x03").error == Error::close_payload);
  CHECK(split_close("\x03\xED").error == Error::close_code);
  CHECK(split_close("\x03\xE8\xFF").error == Error::close_reason);
  CHECK(split_close("\x03\xE8").reason.empty());
}

TEST_CASE("websocket_stream: every error has a sentence of its own, none of them too long for a close") {
  std::vector<std::string_view> all;
  for (unsigned i = 0; i <= static_cast<unsigned>(Error::bad_compression); ++i) all.push_back(message(static_cast<Error>(i)));
  for (const std::string_view each : all) CHECK((each.ends_with('.') && each.size() <= 123));
  CHECK(message(static_cast<Error>(all.size())) == "No such error is known.");
  CHECK(std::find(all.begin(), all.end(), "No such error is known.") == all.end());
  std::sort(all.begin(), all.end());
  CHECK(std::unique(all.begin(), all.end()) == all.end());
  CHECK(close_code(Error::closed) == 1011);
  CHECK(close_code(Error::none) == 1011);
}
