#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/protocol/ws_bench.h"

// permessage-deflate in a conversation (RFC 7692). The codec's own tests are in tests/unit/codec and tests/wire.

namespace {

using namespace wharf;
using namespace wharf::test;
using Words = std::vector<std::string>;

constexpr std::size_t from = 64;
const std::string long_text(1000, 'a');

codec::DeflateAgreement shared() { return {true, true, 12, 12, false, true}; }
codec::DeflateAgreement dedicated() { return {false, false, 12, 12, false, true}; }

/// A conversation in which `agreement` holds.
struct DeflateBench : WsBench {
  explicit DeflateBench(const codec::DeflateAgreement& agreement, const wharf_row& row = scripted_row()) : WsBench(row) {
    protocol.deflate_settings.pool = &home.deflate;
    deflate = agreement;
    connect();
    story.take();
  }
};

/// A frame of a client that compresses.
std::string compressed(std::string_view data, codec::DeflatePool& pool) {
  const codec::DeflateSettings settings{&pool, {}, 0};
  codec::WsEncoder encoder;
  encoder.deflate_with(settings, 12, codec::DeflateContext::forgotten);
  codec::WsOutFrame out;
  REQUIRE(encoder.encode(codec::Opcode::text, codec::WsPart::whole, data, out) == codec::WsEncoder::Fault::none);
  CHECK(out.is_compressed);
  std::string bytes = frame(out.opcode, out.payload);
  bytes[0] = static_cast<char>(bytes[0] | 0x40);
  return bytes;
}

}  // namespace

TEST_CASE("ws deflate: a compressed message comes inflated, and long messages leave compressed") {
  for (const codec::DeflateAgreement& agreement : {shared(), dedicated()}) {
    DeflateBench bench(agreement);
    bench.story.on_message = [](wharf_peer* peer) { send_text(peer, long_text); };
    bench.clients[0].send(compressed(long_text, bench.client_pool));
    CHECK(bench.story.take() == Words{"text 1000 bytes"});
    const std::string bytes = bench.clients[0].link->take();
    CHECK(bytes.size() < 40);
    CHECK(static_cast<unsigned char>(bytes[0]) == 0xC1);
    CHECK(bench.clients[0].reader.read(bytes) == Words{"text 1000 bytes"});
  }
}

TEST_CASE("ws deflate: short messages and control frames leave as they are, from inside a turn and outside") {
  DeflateBench bench(shared());
  const auto both = [](wharf_peer* peer) {
    send_text(peer, std::string(from - 1, 'x'));
    send_text(peer, "short");
    peer->services->ping(peer, std::string(100, 'p').data(), 100);
    send_text(peer, std::string(from, 'x'));
  };
  both(bench.peer());
  bench.run();
  const std::string outside = bench.clients[0].link->take();
  bench.story.on_message = both;
  bench.clients[0].send(text("go"));
  CHECK(bench.clients[0].link->take() == outside);
  CHECK(outside.substr(0, 2) == "\x81\x3F");
  const std::size_t last = 2 + from - 1 + 2 + 5 + 2 + 100;
  CHECK(static_cast<unsigned char>(outside[last]) == 0xC1);
}

TEST_CASE("ws deflate: a threshold below the short way's size is honoured") {
  DeflateBench bench(shared());
  bench.protocol.deflate_settings.from = 10;
  bench.connect();
  bench.story.on_message = [](wharf_peer* peer) {
    send_text(peer, "aaaaaaaaa");
    send_text(peer, "aaaaaaaaaaaaaaaaaaaaaaaa");
  };
  bench.clients[1].send(text("go"));
  const std::string bytes = bench.clients[1].link->take();
  CHECK(static_cast<unsigned char>(bytes[0]) == 0x81);
  CHECK(static_cast<unsigned char>(bytes[11]) == 0xC1);
}

TEST_CASE("ws deflate: a client that offers what libwebsockets does gets every message compressed, on every way out") {
  for (codec::DeflateAgreement agreement : {shared(), dedicated()}) {
    agreement.reads_compressed_only = true;
    DeflateBench bench(agreement);
    const auto all = [](wharf_peer* peer) {
      for (const char* message : {"", "short", "a"}) send_text(peer, message);
      send_text(peer, std::string(40, 'x'));
      send_part(peer, WHARF_TEXT, WHARF_FIRST, "ab");
      send_part(peer, WHARF_TEXT, WHARF_LAST, "");
    };
    const auto check = [&bench] {
      const std::string bytes = bench.clients[0].link->take();
      std::size_t at = 0;
      for (const unsigned first : {0xC1U, 0xC1U, 0xC1U, 0xC1U, 0x41U, 0x80U}) {
        REQUIRE(at + 1 < bytes.size());
        CHECK(static_cast<unsigned char>(bytes[at]) == first);
        at += 2U + static_cast<unsigned char>(bytes[at + 1]);
      }
      CHECK(at == bytes.size());
      CHECK(bench.clients[0].reader.read(bytes) ==
            Words{"text ", "text short", "text a", "text " + std::string(40, 'x'), "text ab"});
    };
    all(bench.peer());
    bench.run();
    check();
    bench.story.on_message = all;
    bench.clients[0].send(text("go"));
    check();
  }
}

TEST_CASE("ws deflate: with a context kept, a message that came before makes the next one small") {
  std::string json = "{";
  for (int i = 0; i < 40; ++i) json += "\"field" + std::to_string(i * 7919) + "\":" + std::to_string(i * 104729) + ",";
  json += "}";
  const auto second_size = [&json](const codec::DeflateAgreement& agreement) {
    DeflateBench bench(agreement);
    for (int i = 0; i < 2; ++i) {
      bench.clients[0].link->take();
      send_text(bench.peer(), json);
      bench.run();
    }
    return bench.clients[0].link->take().size();
  };
  CHECK(second_size(dedicated()) < 40);
  CHECK(second_size(shared()) > 200);
}

TEST_CASE("ws deflate: the context is given up with a silence long enough for a ping, and the peer still understands") {
  wharf_row row = scripted_row();
  row.ping_after = 1000;
  DeflateBench bench(dedicated(), row);
  std::string noise;
  for (unsigned i = 0; i < 200; ++i) noise += std::to_string(i * 2654435761U);
  const auto sent = [&bench, &noise] {
    send_text(bench.peer(), noise);
    bench.run();
    const std::string bytes = bench.clients[0].link->take();
    CHECK(bench.clients[0].reader.read(bytes) == Words{"text " + std::to_string(noise.size()) + " bytes"});
    return bytes.size();
  };
  const std::size_t first = sent();
  const std::size_t second = sent();
  CHECK(second < first / 4);
  bench.advance(1000);
  CHECK(bench.clients[0].reader.read(bench.clients[0].link->take()) == Words{"ping "});
  CHECK(sent() > first / 2);
}

TEST_CASE("ws deflate: in pieces, each leaves at once, and the peer sees one message") {
  for (const codec::DeflateAgreement& agreement : {shared(), dedicated()}) {
    DeflateBench bench(agreement);
    send_part(bench.peer(), WHARF_TEXT, WHARF_FIRST, long_text);
    bench.run();
    const std::string first = bench.clients[0].link->take();
    CHECK(static_cast<unsigned char>(first[0]) == 0x41);
    send_part(bench.peer(), WHARF_TEXT, WHARF_NEXT, "b");
    send_part(bench.peer(), WHARF_TEXT, WHARF_LAST, long_text);
    bench.run();
    const std::string rest = bench.clients[0].link->take();
    CHECK(rest[0] == 0x00);
    CHECK(bench.clients[0].reader.read(first + rest) == Words{"text 2001 bytes"});
  }
}

TEST_CASE("ws deflate: a message that inflates beyond the limit closes with 1009, one that cannot be inflated with 1007") {
  wharf_row row = scripted_row();
  row.message_limit = 999;
  DeflateBench bench(shared(), row);
  bench.clients[0].send(compressed(long_text, bench.client_pool));
  CHECK(bench.clients[0].read()[0].starts_with("close 1009"));

  DeflateBench broken(shared());
  std::string bytes = text("\xFF\xFF");
  bytes[0] = static_cast<char>(bytes[0] | 0x40);
  broken.clients[0].send(bytes);
  CHECK(broken.clients[0].read()[0].starts_with("close 1007"));
}

TEST_CASE("ws deflate: a row that takes pieces gets all that a small frame inflates to, even if it pauses at each") {
  static std::size_t received;
  static int last_pieces;
  received = 0;
  last_pieces = 0;
  wharf_row row = scripted_row();
  row.message = nullptr;
  row.fragment = [](void* state, wharf_kind, wharf_part part, char*, size_t size) {
    received += size;
    last_pieces += (part & WHARF_LAST) != 0;
    wharf_peer* const peer = row::self(state).peer;
    peer->services->pause(peer);
  };
  DeflateBench bench(shared(), row);
  bench.clients[0].send(compressed(std::string(200'000, 'z'), bench.client_pool));
  CHECK(received < 40'000);
  for (int i = 0; i < 20 && last_pieces == 0; ++i) {
    bench.services.resume(bench.peer());
    bench.run();
  }
  CHECK(received == 200'000);
  CHECK(last_pieces == 1);
}
