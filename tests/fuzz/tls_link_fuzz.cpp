#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "fuzz/promise.h"
#include "link/memory_link.h"
#include "tls/self_signed.h"
#include "tls/tls_link.h"

// Input: what happens to a client and a server with TLS between them, two bytes for each deed: who says how much, which of the bytes
// on their way arrive, are cut, swapped, changed or lost, who holds, finishes, aborts. Whatever it is: what one hears is the
// beginning of what the other has said, and it hears of an end only if the other has finished.

namespace {

using namespace wharf;

struct Side;

class Listener final : public session::Session {
 public:
  explicit Listener(Side& side) : side_(side) {}
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void shut_down() override;

 private:
  Side& side_;
};

const tls::Context& context_of(tls::Role role) {
  static const auto server = [] {
    const std::array<std::string, 1> names{"localhost"};
    const auto pair = tls::self_signed(names);
    require(static_cast<bool>(pair), "a certificate can be made");
    return std::move(*tls::Context::for_server(*pair, {}));
  }();
  static const auto client = std::move(*tls::Context::for_client({.authorities = {}, .verify = false}));
  return role == tls::Role::server ? *server : *client;
}

struct Side {
  Side(tls::Role its_role, base::ChunkPool& pool, const session::OutputLimits& limits, const base::Time& now, base::Log& log)
      : role(its_role), parts(pool, limits, log), below(pool, limits, now) {
    below.open(std::make_unique<tls::TlsLink>(
        below, context_of(role), parts,
        [this](session::Link& link) {
          above = &link;
          return std::make_unique<Listener>(*this);
        },
        "localhost"));
  }

  void say(std::size_t size) {
    if (above == nullptr || above->ending()) return;
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + (said.size() + i) % 26);
    above->out().append(text);
    above->touch();
    said += text;
  }
  void finish() {
    if (above == nullptr) return;
    above->finish();
    finished = true;
  }
  void abort() {
    if (above != nullptr) above->abort();
  }

  tls::Role role;
  tls::LoopParts parts;
  std::string said, heard, on_its_way;  // the last: from here to the other
  session::Link* above = nullptr;       // as long as there is a session
  bool finished = false;
  bool heard_end = false;
  session::MemoryLink below;
};

Listener::~Listener() { side_.above = nullptr; }
std::size_t Listener::input(std::span<char> bytes) {
  side_.heard.append(bytes.data(), bytes.size());
  return bytes.size();
}
void Listener::end_of_input() { side_.heard_end = true; }
void Listener::shut_down() { side_.finish(); }

enum class Deed : std::uint8_t { say, carry, carry_all, change, swap, lose, hold, resume, window, finish, abort, wait, end, stop };
constexpr std::uint8_t deeds = static_cast<std::uint8_t>(Deed::stop) + 1;

void carry(Side& from, Side& to, std::size_t size) {
  const std::string bytes = from.on_its_way.substr(0, size);
  from.on_its_way.erase(0, bytes.size());
  if (!bytes.empty()) to.below.receive(bytes);
}

void spoil(std::string& bytes, Deed deed, std::size_t at) {
  if (bytes.empty()) return;
  at %= bytes.size();
  if (deed == Deed::change) bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
  else if (deed == Deed::swap) bytes = bytes.substr(at) + bytes.substr(0, at);
  else bytes.erase(0, at + 1);
}

void act(Side& one, Side& other, Deed deed, std::uint8_t number, base::Time& now) {
  switch (deed) {
    case Deed::say: return one.say(std::size_t{number} * 97);
    case Deed::carry: return carry(one, other, std::size_t{number} * 3 + 1);
    case Deed::carry_all: return carry(one, other, std::string::npos);
    case Deed::change:
    case Deed::swap:
    case Deed::lose: return spoil(one.on_its_way, deed, std::size_t{number} * 5);
    case Deed::hold: return one.above != nullptr ? one.above->hold_input() : void();
    case Deed::resume: return one.above != nullptr ? one.above->resume_input() : void();
    case Deed::window: return one.below.set_window(number == 255 ? session::MemoryLink::unlimited : std::size_t{number} * 50);
    case Deed::finish: return one.finish();
    case Deed::abort: return one.abort();
    case Deed::wait: now += base::Time{number * 100}; return;
    case Deed::end: return one.below.receive_end();
    case Deed::stop: return one.below.server_stops();
  }
}

void check(const Side& from, const Side& to) {
  require(from.said.starts_with(to.heard), "what is heard is the beginning of what was said");
  require(!to.heard_end || from.finished, "an end is heard only if the other has finished");
  require(!to.heard_end || from.said == to.heard, "and then all has been heard");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static base::Log log{base::LogLevel::quiet, {}};
  base::ChunkPool pool;
  const session::OutputLimits limits;
  base::Time now{1'000'000};
  Side server(tls::Role::server, pool, limits, now, log);
  Side client(tls::Role::client, pool, limits, now, log);
  for (std::size_t at = 0; at + 1 < size && at < 400; at += 2) {
    const bool by_server = (data[at] & 0x80) != 0;
    Side& one = by_server ? server : client;
    act(one, by_server ? client : server, static_cast<Deed>((data[at] & 0x7F) % deeds), data[at + 1], now);
    for (Side* const side : {&server, &client}) {
      side->below.run();
      side->on_its_way += side->below.take();
    }
    check(client, server);
    check(server, client);
  }
  for (Side* const side : {&server, &client}) {
    side->below.abort();
    side->below.run();
    require(side->above == nullptr, "a session ends with its link");
  }
  return 0;
}
