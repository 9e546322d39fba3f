#include "protocol/services.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/mailbox.h"
#include "link/memory_link.h"
#include "protocol/protocol.h"
#include "protocol/request_view.h"

// Structs that a row lends to be filled: a row of another version has another size of them.

namespace {

using namespace wharf;

/// The arguments of a row's functions.
struct Scene {
  Scene() { protocol.row.name = "row"; }

  std::vector<std::string> log_lines;
  base::Log log{base::LogLevel::debug, [this](base::LogLevel, std::string_view text) { log_lines.emplace_back(text); }};
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  base::Time now{1'000'000};
  session::Statistics statistics;
  session::Home home{log, handles, [this] { return now; }, {}, &statistics};
  session::Protocol protocol{session::service_table(), home};
};

}  // namespace

TEST_CASE("services: statistics are written as far as the row's struct goes, and not at all if it has no size") {
  Scene scene;
  const auto ask = [&scene](std::size_t size) {
    wharf_server_statistics statistics{};
    statistics.size = size;
    statistics.accepted = statistics.uptime = statistics.rows = 77;
    session::service_table().http->server_statistics(&scene.protocol, &statistics);
    CHECK(statistics.size == size);
    return std::vector<std::uint64_t>{statistics.accepted, statistics.uptime, statistics.rows};
  };
  CHECK(ask(sizeof(wharf_server_statistics)) == std::vector<std::uint64_t>{0, 1'000'000, 0});
  CHECK(ask(sizeof(wharf_server_statistics) + 8) == std::vector<std::uint64_t>{0, 1'000'000, 0});
  CHECK(ask(offsetof(wharf_server_statistics, tls_handshakes)) == std::vector<std::uint64_t>{0, 1'000'000, 0});  // as before 1.5
  CHECK(ask(offsetof(wharf_server_statistics, uptime)) == std::vector<std::uint64_t>{0, 77, 77});
  CHECK(scene.log_lines.empty());
  CHECK(ask(0) == std::vector<std::uint64_t>{77, 77, 77});
  CHECK(scene.log_lines == std::vector<std::string>{"row: statistics of 0 bytes were asked for; set size to that of the struct"});
}

TEST_CASE("services: an address is not written into a struct that is too small for it") {
  base::ChunkPool pool;
  const session::OutputLimits limits;
  const base::Time now{0};
  session::MemoryLink link(pool, limits, now);
  link.set_address("192.0.2.1:4711");
  const codec::RequestHead head;
  const session::RequestView request(head, link.peer());
  wharf_address address{};
  for (const std::size_t size : {std::size_t{0}, sizeof(wharf_address) - 1}) {
    address.size = size;
    address.port = 77;
    CHECK(session::service_table().peer_address(&request, &address) == 1);
    CHECK(address.port == 77);
  }
  address.size = sizeof(wharf_address);
  CHECK(session::service_table().peer_address(&request, &address) == 0);
  CHECK(address.family == WHARF_ADDRESS_IPV4);
  CHECK(address.port == 4711);
}
