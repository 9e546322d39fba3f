#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "http/detect.h"
#include "http/proxy_prelude.h"
#include "session/failing_allocator.h"
#include "unit/tls/tls_bench.h"

// TLS links in both roles with the n-th allocation failing, OpenSSL's among them, for every n until a run needs no more. The server's
// may stand behind a PROXY header and Detect.

namespace wharf::test {
namespace {

const tls::Context& context_of(tls::Role role, int version) {
  static const std::unique_ptr<tls::Context> server = server_context();
  static const std::unique_ptr<tls::Context> client = client_context();
  const tls::Context& context = role == tls::Role::server ? *server : *client;
  SSL_CTX_set_max_proto_version(context.get(), version);
  return context;
}

constexpr std::string_view proxy_header = "PROXY TCP4 203.0.113.9 198.51.100.7 4711 443\r\n";

/// What comes before the handshake.
enum class Before : std::uint8_t { nothing, header };

struct Course {
  int version;
  Before before = Before::nothing;
};

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
      : parts(pool, limits, log), below(pool, limits, now), role(its_role) {
    proxy.balancers = {*base::PeerNetwork::parse("192.0.2.0/24")};
  }

  void open(const Course& course) {
    const tls::Context& context = context_of(role, course.version);
    tls = [this, &context](session::Link& link) { return make_tls(link, context); };
    if (course.before == Before::nothing) {
      below.open(tls(below));
    } else {
      detect.tls = tls;
      proxy.next = [this](session::Link& link) { return std::make_unique<session::Detect>(link, detect); };
      below.open(std::make_unique<session::ProxyPrelude>(below, proxy));
    }
    opened = true;
  }
  std::unique_ptr<session::Session> make_tls(session::Link& link, const tls::Context& context) {
    return std::make_unique<tls::TlsLink>(
        link, context, parts, [this](session::Link& above) { return std::make_unique<Party>(above, notes, role); }, "localhost");
  }

  tls::LoopParts parts;
  session::SessionMaker tls;
  session::DetectParts detect{parts.log, base::Time{5'000}, [](session::Link&) { return nullptr; }};
  session::ProxyParts proxy{parts.log, base::Time{5'000}, 4'096, {}, {}};
  Notes notes;
  session::MemoryLink below;
  tls::Role role;
  bool told = false;  // that the other has ended
  bool opened = false;
};

/// A handshake, a question, an answer, the end; with the n-th allocation failing.
class Talk {
 public:
  Talk(const Course& course, std::size_t nth) : nth_(nth) {
    failing([this, &course] {
      server_.open(course);
      client_.open({course.version});
    });
    if (course.before == Before::header && server_.opened)
      for (const char byte : proxy_header) {
        server_.below.arrive({&byte, 1});
        failing([this] { server_.below.run(); });
      }
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

/// Each end is told of its end, and neither hears of a false one.
void check_ends(Talk& talk) {
  const bool both = talk.server().opened && talk.client().opened;
  if (talk.client().notes.heard != "answer") CHECK(talk.client().notes.ends_of_input == 0);
  for (End* const end : {&talk.server(), &talk.client()}) {
    CHECK((end->below.closed() || !both));
    CHECK(end->notes.ended == end->notes.starts);
    CHECK(end->notes.gone >= end->notes.starts);
  }
}

void run_short(const Course& course) {
  {
    Talk whole(course, 0);
    CHECK(whole.server().notes.heard == "question");
    CHECK(whole.client().notes.heard == "answer");
    CHECK(whole.client().notes.ends_of_input == 1);
    const bool is_named = course.before == Before::header;
    CHECK(whole.server().below.peer().address.text() == (is_named ? "203.0.113.9:4711" : session::MemoryLink::first_address));
  }
  std::size_t nth = 1;
  std::size_t cut = 0;
  for (bool failed = true; failed; ++nth) {
    CAPTURE(nth);
    REQUIRE(nth < 20'000);
    Talk talk(course, nth);
    failed = talk.failed();
    if (talk.client().notes.heard != "answer") ++cut;
    check_ends(talk);
  }
  CHECK(cut > 0);
  MESSAGE((nth - 1) << " allocations, " << cut << " of which end the link");
  Talk after(course, 0);
  CHECK(after.client().notes.heard == "answer");
}

}  // namespace

TEST_CASE("memory short: whichever allocation of a TLS link fails, in either role, it ends, and the other end hears no false end") {
  run_short({TLS1_3_VERSION});
  run_short({TLS1_2_VERSION});
}

TEST_CASE("memory short: whichever allocation of a TLS link behind a PROXY header and Detect fails, the same") {
  run_short({TLS1_3_VERSION, Before::header});
}

}  // namespace wharf::test
