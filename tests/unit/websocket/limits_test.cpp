#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "codec/deflate.h"
#include "unit/codec/heap.h"
#include "unit/websocket/streams.h"

namespace {

using namespace wharf::test;

/// Bytes that count up.
Random counting(unsigned char& next) {
  return [&next](std::span<unsigned char> bytes) {
    for (unsigned char& byte : bytes) byte = next++;
    return true;
  };
}

}  // namespace

TEST_CASE("websocket_stream: a client masks each frame with bytes of its random source, a server none") {
  unsigned char next = 1;
  StreamOptions options;
  options.random = counting(next);
  Stream client(Role::client, {}, options);
  for (unsigned char frame = 0; frame < 40; ++frame) {
    std::string out;
    CHECK(client.send(Kind::binary, "\1\1\1\1", out) == Error::none);
    const auto first = static_cast<unsigned char>(4 * frame + 1);
    REQUIRE(out.size() == 10);
    for (unsigned char i = 0; i < 4; ++i) {
      CHECK(static_cast<unsigned char>(out[2U + i]) == first + i);
      CHECK(static_cast<unsigned char>(out[6U + i]) == ((first + i) ^ 1));
    }
  }
  Stream server(Role::server, {}, options);
  const unsigned char before = next;
  std::string out;
  CHECK(server.send(Kind::text, "a", out) == Error::none);
  CHECK(out == plain(0x81, "a"));
  CHECK(next == before);
}

TEST_CASE("websocket_stream: OpenSSL's keys differ from frame to frame") {
  Stream client(Role::client);
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    std::string out;
    CHECK(client.send(Kind::binary, {}, out) == Error::none);
    keys.push_back(out.substr(2));
  }
  std::sort(keys.begin(), keys.end());
  CHECK(std::unique(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("websocket_stream: without random bytes nothing is sent and nothing is lost") {
  bool works = false;
  StreamOptions options;
  options.random = [&works](std::span<unsigned char> bytes) {
    std::fill(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
    return works;
  };
  Stream client(Role::client, compressing(true), options);
  Stream server(Role::server, compressing(true));
  std::string out;
  CHECK(client.send(Kind::text, "a message that is compressed", out) == Error::no_random);
  CHECK(client.send_part(Kind::text, Part::first, "a", out) == Error::no_random);
  CHECK(client.ping({}, out) == Error::no_random);
  CHECK(client.pong({}, out) == Error::no_random);
  CHECK(client.close(1000, {}, out) == Error::no_random);
  Event event;
  event.type = Type::error;
  event.error = Error::mask_unexpected;
  CHECK(client.answer(event, out) == Error::no_random);
  CHECK(out.empty());
  CHECK(client.validity() == Validity::valid);
  works = true;
  CHECK(client.send(Kind::text, "a message that is compressed", out) == Error::none);
  CHECK(client.send(Kind::text, "a message that is compressed", out) == Error::none);
  CHECK(client.close(1000, {}, out) == Error::none);
  CHECK(feed(server, out).size() == 3);
}

TEST_CASE("websocket_stream: the limit of a message is inclusive, and counts what is inflated") {
  StreamOptions options;
  options.message_limit = 1000;
  for (const Agreement& agreement : {Agreement(), compressing()}) {
    for (const bool in_pieces : {false, true}) {
      options.in_pieces = in_pieces;
      Stream sender(Role::client, agreement), receiver(Role::server, agreement, options);
      std::string out;
      CHECK(sender.send(Kind::binary, std::string(1000, 'x'), out) == Error::none);
      CHECK(feed(receiver, out).back().error == Error::none);
      CHECK(sender.send(Kind::binary, std::string(1001, 'x'), out = {}) == Error::none);
      CHECK(feed(receiver, out).back().error == Error::message_too_big);
    }
  }
}

TEST_CASE("websocket_stream: the memory limit leaves the message the memory that inflating does not need") {
  using wharf::codec::Inflater;
  StreamOptions options;
  const std::uint64_t inflating = 32 * 1024 + Inflater::memory(12);
  for (const Agreement& agreement : {Agreement(), compressing()}) {
    for (const std::size_t room : {std::size_t{0}, std::size_t{500}}) {
      options.memory_limit = (agreement.compressed ? inflating : 0) + room;
      if (options.memory_limit == 0) continue;
      Stream sender(Role::client, agreement), receiver(Role::server, agreement, options);
      std::string out;
      CHECK(sender.send(Kind::binary, std::string(room, 'x'), out) == Error::none);
      CHECK(feed(receiver, out).back().error == Error::none);
      CHECK(sender.send(Kind::binary, std::string(room + 1, 'x'), out = {}) == Error::none);
      CHECK(feed(receiver, out).back().error == Error::message_too_big);
    }
  }
  options.memory_limit = 1;
  Stream receiver(Role::server, compressing(), options);
  Stream sender(Role::client);
  std::string out;
  CHECK(sender.send(Kind::binary, "x", out) == Error::none);
  CHECK(feed(receiver, out).back().error == Error::message_too_big);
}

TEST_CASE("websocket_stream: memory stays within its limit, and none is kept after release_memory") {
  if (allocated() == 0) return;
  StreamOptions options;
  options.memory_limit = 32 * 1024 + wharf::codec::Inflater::memory(12) + 20'000;
  constexpr std::size_t itself = 1024;
  std::string out;
  Stream sender(Role::server, compressing(true));
  const std::string message(20'000, 'x');
  CHECK(sender.send(Kind::binary, message, out) == Error::none);

  const std::size_t before = allocated();
  Stream receiver(Role::client, compressing(), options);
  CHECK(allocated() - before < itself);
  std::size_t most = 0;
  for (char& byte : out) {
    std::span<char> rest(&byte, 1);
    while (receiver.next(rest).type != Type::more) most = std::max(most, allocated() - before);
    most = std::max(most, allocated() - before);
  }
  CHECK(most > 32 * 1024);
  CHECK(most < options.memory_limit + itself);
  receiver.release_memory();
  CHECK(allocated() - before < itself);

  const std::size_t with_context = allocated();
  sender.release_memory();
  CHECK(allocated() + 16 * 1024 < with_context);
  CHECK(sender.send(Kind::binary, message, out = {}) == Error::none);
  CHECK(feed(receiver, out) == std::vector<Seen>{{Type::binary, message}});
}

TEST_CASE("websocket_stream: an agreement out of range is refused at once") {
  const auto with = [](unsigned Agreement::*member, unsigned value) {
    Agreement agreement = compressing();
    agreement.*member = value;
    return agreement;
  };
  for (const auto member : {&Agreement::server_window_bits, &Agreement::client_window_bits})
    for (const unsigned bits : {7U, 16U}) CHECK_THROWS_AS(Stream(Role::server, with(member, bits)), std::invalid_argument);
  for (const auto member : {&Agreement::level, &Agreement::memory_level})
    for (const unsigned level : {0U, 10U}) CHECK_THROWS_AS(Stream(Role::client, with(member, level)), std::invalid_argument);
}
