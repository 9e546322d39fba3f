#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "session/frames.h"
#include "session/site.h"
#include "session/wire.h"

namespace {

/// Bytes that operator new has given out in this process and not got back.
std::atomic<std::size_t>& live_bytes() {
  static std::atomic<std::size_t> the{0};
  return the;
}

/// In front of each piece of memory stands how much was asked for.
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

/// From no byte at all to a close frame: a handshake, a message, one and a half fragments with a ping between, the close.
std::string whole_story() {
  return upgrade_request("echo") + text("hello") + frame(Opcode::text, "first half", Fin::more) + frame(Opcode::ping, "ping") +
         frame(Opcode::continuation, "the rest").substr(0, 9);
}

void drop_a_thousand(SocketSite& site) {
  const std::string story = whole_story();
  const std::size_t handshake = upgrade_request("echo").size();
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

Left left_on(SocketSite& site) {
  Left left;
  site.on_loop([&left](io::Loop& loop) {
    left.bytes = live_bytes();
    left.timers = loop.wheel().next() != base::never;
  });
  return left;
}

}  // namespace

TEST_CASE("leftovers: 1,000 connections dropped at every stage of the handshake leave no descriptor, timer or byte behind") {
  const DescriptorCheck descriptors;
  SocketSite site;
  drop_a_thousand(site);  // pools and tables have their size now
  const std::size_t open_before = open_descriptors();
  const Left first = left_on(site);
  CHECK_FALSE(first.timers);
  drop_a_thousand(site);
  const Left second = left_on(site);
  CHECK_FALSE(second.timers);
  CHECK(second.bytes == first.bytes);
  CHECK(open_descriptors() == open_before);
}

}  // namespace wharf::test
