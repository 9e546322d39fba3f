#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unit/http/h1_bench.h"
#include "unit/link/scripted.h"
#include "unit/protocol/ws_bench.h"

// How much of one peer's input is worked on before the others get their turn.

namespace {

using namespace wharf;
using namespace wharf::test;
using Words = std::vector<std::string>;

/// A frame of a client that compresses.
std::string compressed(std::string_view data, codec::DeflatePool& pool) {
  const codec::DeflateSettings settings{&pool, {}, 0};
  codec::WsEncoder encoder;
  encoder.deflate_with(settings, 15, codec::DeflateContext::forgotten);
  codec::WsOutFrame out;
  REQUIRE(encoder.encode(codec::Opcode::binary, codec::WsPart::whole, data, out) == codec::WsEncoder::Fault::none);
  std::string bytes = frame(out.opcode, out.payload);
  bytes[0] = static_cast<char>(bytes[0] | 0x40);
  return bytes;
}

/// A conversation with compression, and a client that has connected.
struct Flood : WsBench {
  explicit Flood(const wharf_row& row = scripted_row()) : WsBench(row) {
    protocol.deflate_settings.pool = &home.deflate;
    deflate = codec::DeflateAgreement{true, true, 15, 15, false, true};
    connect();
    story.take();
  }
  session::MemoryLink& link() { return *clients[0].link; }
  std::string bomb() { return compressed(std::string(1024 * 1024, '\0'), client_pool); }
};

void ignore_fragment(void* state, wharf_kind /*kind*/, wharf_part part, char* /*data*/, std::size_t size) {
  row::happened(state, std::to_string(part) + " " + std::to_string(size), &RowStory::on_message);
}

/// Uses one byte at a time, and spends work for each.
class Costly final : public session::Session {
 public:
  Costly(session::Link& link, std::int64_t cost) : link_(link), cost_(cost) {}
  std::size_t input(std::span<char> bytes) override {
    std::size_t used = 0;
    for (; used < bytes.size() && link_.may_go_on(); ++used) link_.spend(cost_);
    used_ += used;
    return used;
  }
  void end_of_input() override { ended_after_ = used_; }
  void shut_down() override {}

  std::size_t used_ = 0;
  std::size_t ended_after_ = 0;

 private:
  session::Link& link_;
  std::int64_t cost_;
};

}  // namespace

TEST_CASE("link work: a session that spends a turn's work gets the rest of its bytes in later turns, and its end behind them") {
  LinkBench bench;
  auto owned = std::make_unique<Costly>(*bench.link, session::work_per_turn / 8);
  const Costly& session = *owned;
  bench.link->open(std::move(owned));
  bench.link->run();
  bench.link->arrive(std::string(25, 'x'));
  bench.link->arrive_end();
  CHECK(bench.link->run_one_turn());
  CHECK(session.used_ == 8);
  CHECK_FALSE(bench.link->reading());
  CHECK(bench.link->run_one_turn());
  CHECK(session.used_ == 16);
  bench.link->run();
  CHECK(session.used_ == 25);
  CHECK(session.ended_after_ == 25);
}

TEST_CASE("link work: calls within one turn do not give a link another turn's work") {
  LinkBench bench;
  auto owned = std::make_unique<Costly>(*bench.link, session::work_per_turn);
  const Costly& session = *owned;
  bench.link->open(std::move(owned));
  bench.link->run();
  bench.link->arrive("abc");
  bench.link->run_one_turn();
  REQUIRE(session.used_ == 1);
  bench.link->server_stops();  // settles it
  CHECK(session.used_ == 1);
  bench.link->run_one_turn();
  CHECK(session.used_ == 2);
}

TEST_CASE("link work: input that waits for its turn stays held while it is held, and goes to the session that takes over") {
  LinkBench bench;
  bench.story.deeds["second start"] = [](session::Link& link) { link.hold_input(); };
  auto owned = std::make_unique<Costly>(*bench.link, session::work_per_turn);
  bench.link->open(std::move(owned));
  bench.link->run();
  bench.link->arrive("abc");
  bench.link->run_one_turn();
  bench.link->become(bench.session("second"));
  bench.link->run();
  CHECK(bench.story.take() == Words{"second start"});
  bench.link->resume_input();
  bench.link->run();
  CHECK(bench.story.take() == Words{"second input bc"});
}

TEST_CASE("link work: one client's frames that inflate to a megabyte each were all read before anybody else was looked at") {
  Flood bench;
  std::string flood;
  for (int i = 0; i < 20; ++i) flood += bench.bomb();
  bench.link().arrive(flood + text("last") + close_frame(1000));
  int turns = 0;
  std::size_t most = 0;
  for (bool more = true; more; ++turns) {
    more = bench.link().run_one_turn();
    most = std::max(most, bench.story.take().size());
  }
  CHECK(most <= 4);  // the last megabyte, the short messages behind it, and the end
  CHECK(turns >= 40);
}

TEST_CASE("link work: frames that inflate to a megabyte each arrive in their order, and before the end that follows them") {
  Flood bench;
  std::string flood;
  for (int i = 0; i < 3; ++i) flood += bench.bomb() + text(std::to_string(i));
  bench.link().arrive(flood);
  bench.link().arrive_end();
  bench.run();
  CHECK(bench.story.take() == Words{"binary 1048576 bytes", "text 0", "binary 1048576 bytes", "text 1", "binary 1048576 bytes",
                                    "text 2", "closing 1006", "destroy"});
}

TEST_CASE("link work: inflating one message stops within it, even if nothing is left to read") {
  Flood bench;
  bench.link().arrive(bench.bomb());
  bench.link().arrive_end();
  CHECK(bench.link().run_one_turn());
  CHECK(bench.story.take().empty());
  CHECK_FALSE(bench.link().reading());
  bench.run();
  CHECK(bench.story.take() == Words{"binary 1048576 bytes", "closing 1006", "destroy"});
}

TEST_CASE("link work: pieces of a compressed message are handed out over several turns, and none while the row pauses") {
  wharf_row row = scripted_row();
  row.message = nullptr;
  row.fragment = ignore_fragment;
  Flood bench(row);
  bench.link().arrive(bench.bomb());
  CHECK(bench.link().run_one_turn());
  const std::size_t first = bench.story.take().size();
  CHECK(first > 4);
  CHECK(first < 32);
  bench.peer()->services->pause(bench.peer());
  bench.run();
  CHECK(bench.story.take().empty());
  bench.peer()->services->resume(bench.peer());
  bench.run();
  CHECK(first + bench.story.take().size() >= 32);
}

TEST_CASE("link work: of short messages that arrive together, a turn takes a bounded number") {
  WsBench bench;
  bench.connect();
  std::size_t count = 0;
  bench.story.on_message = [&](wharf_peer*) { ++count; };
  std::string flood;
  for (int i = 0; i < 20'000; ++i) flood += text("x");
  session::MemoryLink& link = *bench.clients[0].link;
  link.arrive(flood);
  CHECK(link.run_one_turn());
  const std::size_t in_a_turn = count;
  CHECK(in_a_turn >= 1'000);
  CHECK(in_a_turn <= static_cast<std::size_t>(session::work_per_turn / session::event_work));
  bench.run();
  CHECK(count == 20'000);
}

TEST_CASE("link work: 16 messages that are read together stay in one turn") {
  WsBench bench;
  bench.connect();
  std::string flood;
  for (int i = 0; i < 16; ++i) flood += text("twenty bytes of text");
  bench.clients[0].link->arrive(flood);
  CHECK_FALSE(bench.clients[0].link->run_one_turn());
  CHECK(bench.story.count("text") == 16);
}

TEST_CASE("link work: a body in chunks of one byte takes its turns") {
  H1Bench bench;
  struct Counts final : session::Responder {
    explicit Counts(std::size_t& pieces_of_test) : pieces(pieces_of_test) {}
    void body(std::string_view /*piece*/) override { ++pieces; }
    std::size_t& pieces;
  };
  std::size_t pieces = 0;
  bench.handler.answer = [&](session::Exchange& exchange) {
    exchange.set_responder(std::make_unique<Counts>(pieces));
    exchange.read_body();
  };
  std::string request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20'000; ++i) request += "1\r\nx\r\n";
  bench.link.arrive(request);
  for (bool more = true; more;) {
    const std::size_t before = pieces;
    more = bench.link.run_one_turn();
    CHECK(pieces - before <= static_cast<std::size_t>(session::work_per_turn / session::event_work));
  }
  CHECK(pieces == 20'000);
}

TEST_CASE("link work: a session that asks again and again without using anything leaves others their turn all the same") {
  class Asks final : public session::Session {
   public:
    explicit Asks(session::Link& link) : link_(link) {}
    std::size_t input(std::span<char> /*bytes*/) override {
      if (++calls_ <= 2 * session::work_per_turn) link_.ask_again();
      return 0;
    }
    void end_of_input() override {}
    void shut_down() override {}

    std::int64_t calls_ = 0;

   private:
    session::Link& link_;
  };
  LinkBench bench;
  auto owned = std::make_unique<Asks>(*bench.link);
  const Asks& session = *owned;
  bench.link->open(std::move(owned));
  bench.link->run();
  bench.link->arrive("x");
  CHECK(bench.link->run_one_turn());
  CHECK(session.calls_ == session::work_per_turn);
  CHECK_FALSE(bench.link->reading());
}

TEST_CASE("link work: that a session asked again is nothing to the one that takes over") {
  LinkBench bench;
  bench.open();
  bench.story.take();
  bench.story.deeds["first input"] = [&bench](session::Link& link) {
    link.ask_again();
    link.become(bench.session("second"));
  };
  bench.link->receive("x");
  CHECK(bench.story.take() == Words{"first input x", "second start", "first destroyed"});
  CHECK(bench.link->reading());
}
