#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "unit/http/exchange_states.h"

// What an exchange takes from the heap.

namespace {
std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace wharf;
using namespace wharf::test;

}  // namespace

TEST_CASE("exchange memory: observing each request of a connection allocated each time, besides the observer") {
  ExchangeBench bench(ExchangeBench::With::nobody);
  std::vector<std::size_t> taken;
  const auto observe = [&](session::Exchange& exchange) {
    auto observer = std::make_unique<RecordingObserver>(bench.record);
    const std::size_t before = allocations;
    exchange.observe(std::move(observer));
    taken.push_back(allocations - before);
    exchange.respond(session::text_response(200, "a"));
  };
  for (int i = 0; i < 3; ++i) {
    bench.record.deeds["handle"] = observe;
    bench.link->receive(get_request);
    CHECK(bench.stage() == "idle");
  }
  REQUIRE(taken.size() == 3);
  CHECK(taken[1] == 0);
  CHECK(taken[2] == 0);
}
