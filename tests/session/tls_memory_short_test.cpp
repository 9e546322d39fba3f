#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "session/failing_allocator.h"
#include "unit/tls/tls_bench.h"

// TLS links in both roles with the n-th allocation failing, OpenSSL's among them, for every n until a run needs no more.

namespace wharf::test {
namespace {

const tls::Context& context_of(tls::Role role) {
  static const std::unique_ptr<tls::Context> server = server_context();
  static const std::unique_ptr<tls::Context> client = client_context();
  return role == tls::Role::server ? *server : *client;
}

/// What a session was told. It takes no memory to write it down.
struct Notes {
  Notes() { heard.reserve(64); }

  std::string heard;
  int starts = 0;
  int ends_of_input = 0;
  int ended = 0;
  int gone = 0;
};

/// Says something as soon as it can, or in response, and finishes with the response.
class Party final : public session::Session {
 public:
  Party(session::Link& link, Notes& notes, tls::Role role) : link_(link), notes_(notes), role_(role) {}
  ~Party() override { ++notes_.gone; }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  void start() override {
    ++notes_.starts;
    if (role_ == tls::Role::client) link_.out().append("question");
  }
  std::size_t input(std::span<char> bytes) override {
    notes_.heard.append(bytes.data(), bytes.size());
    if (role_ == tls::Role::client) return bytes.size();
    link_.out().append("answer");
    link_.finish();
    return bytes.size();
  }
  void end_of_input() override {
    ++notes_.ends_of_input;
    link_.finish();
  }
  void shut_down() override {}
  void ended() override { ++notes_.ended; }

 private:
  session::Link& link_;
  Notes& notes_;
  tls::Role role_;
};

/// One end of a conversation.
struct End {
  End(base::ChunkPool& pool, const session::OutputLimits& limits, const base::Time& now, base::Log& log, tls::Role its_role)
      : parts(pool, limits, log), below(pool, limits, now), role(its_role) {}

  void open() {
    below.open(std::make_unique<tls::TlsLink>(
        below, context_of(role), parts, [this](session::Link& link) { return std::make_unique<Party>(link, notes, role); },
        "localhost"));
    opened = true;
  }

  tls::LoopParts parts;
  Notes notes;
  session::MemoryLink below;
  tls::Role role;
  bool told = false;  // that the other has ended
  bool opened = false;
};

/// A handshake, a question, an answer, the end; with the n-th allocation failing.
class Talk {
 public:
  explicit Talk(std::size_t nth) : nth_(nth) {
    failing([this] {
      server_.open();
      client_.open();
    });
    for (bool moved = true; moved;) {
      moved = carry(client_, server_);
      moved = carry(server_, client_) || moved;
    }
  }
  ~Talk() {
    for (End* const end : {&server_, &client_}) {
      end->below.abort();
      end->below.run();
    }
  }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  [[nodiscard]] bool failed() const { return nth_ == 0; }
  End& server() { return server_; }
  End& client() { return client_; }

 private:
  template <class Deed>
  void failing(Deed&& deed) {
    until_failure = nth_;
    try {
      deed();
    } catch (const std::bad_alloc&) {  // before there is a link
    }
    nth_ = std::exchange(until_failure, 0);
  }
  bool carry(End& from, End& to) {
    failing([&] { from.below.run(); });
    const std::string bytes = from.below.take();
    const bool over = from.below.closed() && !std::exchange(to.told, true);
    if (!bytes.empty()) to.below.arrive(bytes);
    if (over) to.below.arrive_end();
    failing([&] { to.below.run(); });
    return !bytes.empty() || over;
  }

  std::size_t nth_;
  base::Time now_{1'000'000};
  session::OutputLimits limits_;
  base::ChunkPool pool_;
  base::Log log_{base::LogLevel::quiet, {}};
  End server_{pool_, limits_, now_, log_, tls::Role::server};
  End client_{pool_, limits_, now_, log_, tls::Role::client};
};

}  // namespace

TEST_CASE("memory short: whichever allocation of a TLS link fails, in either role, it ends, and the other end hears no false end") {
  {
    Talk whole(0);
    CHECK(whole.server().notes.heard == "question");
    CHECK(whole.client().notes.heard == "answer");
    CHECK(whole.client().notes.ends_of_input == 1);
  }
  std::size_t nth = 1;
  std::size_t cut = 0;
  for (bool failed = true; failed; ++nth) {
    CAPTURE(nth);
    REQUIRE(nth < 20'000);
    Talk talk(nth);
    failed = talk.failed();
    const bool both = talk.server().opened && talk.client().opened;
    const bool whole = talk.client().notes.heard == "answer";
    if (!whole) ++cut;
    if (!whole) CHECK(talk.client().notes.ends_of_input == 0);
    for (End* const end : {&talk.server(), &talk.client()}) {
      CHECK((end->below.closed() || !both));
      CHECK(end->notes.ended == end->notes.starts);
      CHECK(end->notes.gone >= end->notes.starts);
    }
  }
  CHECK(cut > 0);
  MESSAGE((nth - 1) << " allocations, " << cut << " of which end the link");
  Talk after(0);
  CHECK(after.client().notes.heard == "answer");
}

}  // namespace wharf::test
