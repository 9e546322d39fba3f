#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "base/out_queue.h"
#include "session/frames.h"
#include "session/site.h"
#include "session/wire.h"

namespace {

/// Bytes of operator new in this process that were not freed.
std::atomic<std::size_t>& live_bytes() {
  static std::atomic<std::size_t> the{0};
  return the;
}

/// The size of each piece of memory is stored before it.
constexpr std::size_t label = alignof(std::max_align_t);

void* counted(std::size_t size) {
  auto* const memory = static_cast<char*>(std::malloc(label + size));
  if (memory == nullptr) throw std::bad_alloc();
  std::memcpy(memory, &size, sizeof size);
  live_bytes() += size;
  return memory + label;
}

void uncounted(void* given) {
  if (given == nullptr) return;
  char* const memory = static_cast<char*>(given) - label;
  std::size_t size = 0;
  std::memcpy(&size, memory, sizeof size);
  live_bytes() -= size;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return counted(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { uncounted(memory); }
void operator delete[](void* memory) noexcept { uncounted(memory); }
void operator delete(void* memory, std::size_t) noexcept { uncounted(memory); }
void operator delete[](void* memory, std::size_t) noexcept { uncounted(memory); }

namespace wharf::test {
namespace {

using codec::Opcode;

struct Story {
  std::string handshake;
  std::string frames;
};

/// A handshake, a message, one and a half fragments with a ping between.
Story plain_story() {
  return {upgrade_request("echo"), text("hello") + frame(Opcode::text, "first half", Fin::more) + frame(Opcode::ping, "ping") +
                                       frame(Opcode::continuation, "the rest").substr(0, 9)};
}

/// The same with messages that are compressed, and contexts that are kept.
Story deflated_story() {
  std::string handshake = upgrade_request("echo");
  handshake.insert(handshake.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  const std::string hello("\xCA\x48\xCD\xC9\xC9\x07\x00", 7);  // RFC 7692 section 7.2.3.2
  std::string frames = frame(Opcode::text, hello) + frame(Opcode::text, hello.substr(0, 3), Fin::more) +
                       frame(Opcode::ping, "ping") + frame(Opcode::continuation, hello.substr(3)).substr(0, 9);
  frames[0] = static_cast<char>(frames[0] | 0x40);
  const std::size_t second = frame(Opcode::text, hello).size();
  frames[second] = static_cast<char>(frames[second] | 0x40);
  return {handshake, frames};
}

void drop_a_thousand(SocketSite& site, const Story& told) {
  const std::string story = told.handshake + told.frames;
  const std::size_t handshake = told.handshake.size();
  for (std::size_t i = 0; i < 1000; ++i) {
    SocketWire wire(site.address());
    const std::size_t size = i * story.size() / 999;
    wire.send(story.substr(0, size));
    if (size >= handshake && i % 2 == 0) wire.read_until("\r\n\r\n");
    if (i % 3 == 0) wire.reset();
    else if (i % 3 == 1) wire.close();
    else wire.finish();
  }
  SocketWire last(site.address());  // accepted after all the others
  WsTalk(last, "echo").send(close_frame(1000));
  last.read_all();
  last.close();
  site.wait_for_connections(0);
}

struct Left {
  std::size_t bytes = 0;
  bool timers = false;
};

/// How many chunks a pool keeps depends on how many were needed at once, which is chance: this makes it keep as many as it ever
/// will.
void fill(base::ChunkPool& pool) {
  base::OutQueue queue(pool);
  const std::string chunk(base::ChunkPool::standard_capacity, 'x');
  for (std::size_t i = 0; i <= base::ChunkPool::most_kept; ++i) queue.append(chunk);
}

Left left_on(SocketSite& site) {
  Left left;
  site.on_loop([&left](io::Loop& loop) {
    fill(loop.pool());
    left.bytes = live_bytes();
    left.timers = loop.wheel().next() != base::never;
  });
  return left;
}

}  // namespace

void check_nothing_is_left(const Story& story, Compression::Context compression) {
  const DescriptorCheck descriptors;
  server::RoomLimits limits = room_limits();
  limits.ws.compression.context = compression;
  SocketSite site(limits);
  drop_a_thousand(site, story);  // pools and tables have their size now
  const std::size_t open_before = open_descriptors();
  const Left first = left_on(site);
  CHECK_FALSE(first.timers);
  drop_a_thousand(site, story);
  const Left second = left_on(site);
  CHECK_FALSE(second.timers);
  CHECK(second.bytes == first.bytes);
  CHECK(open_descriptors() == open_before);
}

TEST_CASE("leftovers: 1,000 connections dropped at every stage of the handshake leave no descriptor, timer or byte behind") {
  check_nothing_is_left(plain_story(), Compression::Context::shared);
}

TEST_CASE("leftovers: 1,000 connections with compressed messages leave nothing behind either") {
  check_nothing_is_left(deflated_story(), Compression::Context::shared);
  check_nothing_is_left(deflated_story(), Compression::Context::dedicated);
}

}  // namespace wharf::test
