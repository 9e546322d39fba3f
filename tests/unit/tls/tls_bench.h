#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "link/memory_link.h"
#include "tls/context.h"
#include "tls/named_contexts.h"
#include "tls/self_signed.h"
#include "tls/tls_link.h"
#include "unit/link/scripted.h"

namespace wharf::test {

/// Letters that do not repeat the same way soon.
inline std::string pattern(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

/// A pair for localhost, the same for all tests.
inline const tls::KeyPair& pair_of_localhost() {
  static const tls::KeyPair pair = [] {
    const std::array<std::string, 2> names{"localhost", "127.0.0.1"};
    auto made = tls::self_signed(names);
    REQUIRE_MESSAGE(made, (made ? std::string() : made.error()));
    return *made;
  }();
  return pair;
}

inline std::unique_ptr<tls::Context> server_context(const tls::ServerSettings& settings = {}) {
  auto made = tls::Context::for_server(pair_of_localhost(), settings);
  REQUIRE_MESSAGE(made, (made ? std::string() : made.error()));
  return std::move(*made);
}

inline std::unique_ptr<tls::Context> client_context(const tls::ClientSettings& settings = {.authorities = {}, .verify = false}) {
  auto made = tls::Context::for_client(settings);
  REQUIRE_MESSAGE(made, (made ? std::string() : made.error()));
  return std::move(*made);
}

/// One end: a TLS link over a link in memory, and a session above that writes down what it is told.
struct TlsEnd {
  TlsEnd(base::ChunkPool& pool, const session::OutputLimits& limits, const base::Time& now, base::Log& log, std::string its_name)
      : parts(pool, limits, log), below(pool, limits, now), name(std::move(its_name)) {}

  void open(const tls::Context& context, const std::string& server = {}) {
    below.open(std::make_unique<tls::TlsLink>(below, context, parts, maker(), server));
  }
  void open(std::shared_ptr<const tls::NamedContexts> contexts) {
    below.open(std::make_unique<tls::TlsLink>(below, std::move(contexts), parts, maker()));
  }
  session::SessionMaker maker() {
    return [this](session::Link& link) {
      above = &link;
      return std::make_unique<Scripted>(link, story, name);
    };
  }
  /// All input that the session was given.
  [[nodiscard]] std::string input() const {
    std::string all;
    const std::string begin = name + " input ";
    for (const std::string& event : story.events)
      if (event.starts_with(begin)) all += event.substr(begin.size());
    return all;
  }
  void say(std::string_view bytes) {
    REQUIRE(above != nullptr);
    above->out().append(bytes);
    above->touch();
  }

  tls::LoopParts parts;
  Story story;
  session::MemoryLink below;
  std::string name;
  session::Link* above = nullptr;
};

/// A client and a server, each with a clock of both.
struct TlsBench {
  explicit TlsBench(std::unique_ptr<tls::Context> its_server = server_context(),
                    std::unique_ptr<tls::Context> its_client = client_context(), session::OutputLimits its_limits = {})
      : server_side(std::move(its_server)), client_side(std::move(its_client)), limits(its_limits) {}

  void open(const std::string& name = "localhost") {
    if (named != nullptr) server.open(named);
    else server.open(*server_side);
    client.open(*client_side, name);
  }
  /// Carries what each end has written to the other, at most `cut` bytes at a time, until there is nothing more.
  void pump(std::size_t cut = session::MemoryLink::unlimited) {
    for (bool moved = true; moved;) {
      client.below.run();
      server.below.run();
      moved = carry(client.below, server.below, cut);
      moved = carry(server.below, client.below, cut) || moved;
    }
  }
  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    client.below.run();
    server.below.run();
  }

  std::vector<std::string> lines;
  base::Time now{1'000'000};
  std::unique_ptr<tls::Context> server_side;
  std::unique_ptr<tls::Context> client_side;
  std::shared_ptr<const tls::NamedContexts> named{};  ///< instead of the server's side
  session::OutputLimits limits;
  base::ChunkPool pool;
  base::Log log{base::LogLevel::debug, [this](base::LogLevel, std::string_view text) { lines.emplace_back(text); }};
  TlsEnd server{pool, limits, now, log, "server"};
  TlsEnd client{pool, limits, now, log, "client"};

 private:
  static bool carry(session::MemoryLink& from, session::MemoryLink& to, std::size_t cut) {
    const std::string bytes = from.take();
    for (std::size_t at = 0; at < bytes.size(); at += std::min(cut, bytes.size() - at))
      to.receive(std::string_view(bytes).substr(at, cut));
    return !bytes.empty();
  }
};

}  // namespace wharf::test
