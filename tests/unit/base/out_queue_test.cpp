#include "base/out_queue.h"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace wharf::base;

std::string counted(std::size_t size, std::size_t from = 0) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((from + i) * 31 + (from + i) / 256);
  return text;
}

/// All that is queued, as peek() shows it.
std::string content(const OutQueue& queue) {
  std::array<std::string_view, 4096> pieces;
  const std::size_t count = queue.peek(pieces);
  std::string all;
  for (std::size_t i = 0; i < count; ++i) {
    CHECK_FALSE(pieces[i].empty());
    all += pieces[i];
  }
  CHECK(all.substr(0, queue.front().size()) == queue.front());
  CHECK(queue.front().empty() == all.empty());
  CHECK(queue.empty() == all.empty());
  return all;
}

}  // namespace

TEST_CASE("out queue: empty at first") {
  ChunkPool pool;
  OutQueue queue(pool);
  CHECK(queue.empty());
  CHECK(queue.size() == 0);
  CHECK(queue.front().empty());
  CHECK(content(queue).empty());
  queue.append("");
  CHECK(queue.empty());
  queue.consume(0);
  queue.clear();
  CHECK(queue.empty());
}

TEST_CASE("out queue: small appends share a chunk and come out in order") {
  ChunkPool pool;
  OutQueue queue(pool);
  for (int i = 0; i < 100; ++i) queue.append("ab");
  CHECK(queue.size() == 200);
  CHECK(queue.front().size() == 200);
  queue.consume(3);
  CHECK(queue.front().substr(0, 3) == "bab");
  CHECK(queue.size() == 197);
}

TEST_CASE("out queue: a chunk is filled to its last byte before the next begins") {
  ChunkPool pool;
  OutQueue queue(pool);
  const std::string text = counted(ChunkPool::standard_capacity + 5);
  queue.append(text.substr(0, 100));
  queue.append(text.substr(100));
  CHECK(queue.front().size() == ChunkPool::standard_capacity);
  CHECK(content(queue) == text);
  queue.consume(ChunkPool::standard_capacity);
  CHECK(queue.front() == text.substr(ChunkPool::standard_capacity));
}

TEST_CASE("out queue: a large append lies in one piece of its own") {
  ChunkPool pool;
  OutQueue queue(pool);
  const std::string text = counted(1'000'000);
  queue.append(text);
  CHECK(queue.front() == text);
}

TEST_CASE("out queue: peek() fills the pieces that it is given, in order") {
  ChunkPool pool;
  OutQueue queue(pool);
  for (int i = 0; i < 5; ++i) queue.append(std::string(ChunkPool::standard_capacity, static_cast<char>('a' + i)));
  std::array<std::string_view, 3> pieces;
  REQUIRE(queue.peek(pieces) == 3);
  CHECK(pieces[0].front() == 'a');
  CHECK(pieces[2].back() == 'c');
  CHECK(queue.peek(std::span<std::string_view>()) == 0);
}

TEST_CASE("out queue: reserved room counts only when committed, and only as far") {
  ChunkPool pool;
  OutQueue queue(pool);
  queue.append("head ");
  std::memcpy(queue.reserve(100), "0123456789", 10);
  CHECK(queue.size() == 5);
  queue.commit(4);
  queue.append("!");
  CHECK(content(queue) == "head 0123!");
  const std::string large = counted(50'000);
  std::memcpy(queue.reserve(large.size()), large.data(), large.size());
  queue.commit(large.size());
  CHECK(content(queue) == "head 0123!" + large);
}

TEST_CASE("out queue: room that was reserved and not used leaves no empty piece, at the front or between") {
  ChunkPool pool;
  OutQueue queue(pool);
  queue.reserve(10);
  queue.commit(0);
  queue.reserve(5000);
  queue.commit(0);
  CHECK(content(queue).empty());
  const std::string large = counted(20'000);
  queue.append(large.substr(0, 8000));
  queue.reserve(9000);
  queue.commit(0);
  std::memcpy(queue.reserve(12'000), large.data() + 8000, 12'000);
  queue.commit(12'000);
  CHECK(content(queue) == large);
  queue.consume(8000);
  CHECK(content(queue) == large.substr(8000));
}

TEST_CASE("out queue: chunks are used again, the last returned first") {
  ChunkPool pool;
  Chunk* const first = pool.take(1);
  Chunk* const second = pool.take(ChunkPool::standard_capacity);
  CHECK(first->capacity == ChunkPool::standard_capacity);
  second->end = 17;
  pool.give_back(first);
  pool.give_back(second);
  Chunk* const again = pool.take(10);
  CHECK(again == second);
  CHECK(again->end == 0);
  CHECK(again->next == nullptr);
  CHECK(pool.take(10) == first);
  pool.give_back(first);
  pool.give_back(second);
}

TEST_CASE("out queue: larger chunks are as large as asked for and not kept") {
  ChunkPool pool;
  Chunk* const large = pool.take(ChunkPool::standard_capacity + 1);
  CHECK(large->capacity == ChunkPool::standard_capacity + 1);
  pool.give_back(large);
  Chunk* const standard = pool.take(1);
  CHECK(standard->capacity == ChunkPool::standard_capacity);
  pool.give_back(standard);
}

TEST_CASE("out queue: the pool keeps a bounded number of chunks") {
  ChunkPool pool;
  OutQueue queue(pool);
  for (std::size_t i = 0; i < 2 * ChunkPool::most_kept; ++i) queue.append(std::string(ChunkPool::standard_capacity, 'x'));
  queue.clear();  // the leak and double-free checks of the sanitizers look at the rest
  CHECK(queue.empty());
  queue.append("still works");
  CHECK(queue.front() == "still works");
}

TEST_CASE("out queue: a chunk of more than 32 bits of size is refused as no memory") {
  ChunkPool pool;
  if constexpr (sizeof(std::size_t) > 4)
    CHECK_THROWS_AS(pool.take(std::size_t{std::numeric_limits<std::uint32_t>::max()} + 1), std::bad_alloc);
}

TEST_CASE("out queue: any mix of appends, reservations and reads gives back the bytes in order") {
  std::mt19937 random(4711);
  ChunkPool pool;
  OutQueue queue(pool);
  std::size_t written = 0;
  std::size_t read = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t size = random() % (random() % 8 == 0 ? 9000 : 300);
    if (const auto choice = random() % 3; choice == 0) {
      queue.append(counted(size, written));
      written += size;
    } else if (choice == 1) {
      char* const room = queue.reserve(size + 1);
      const std::size_t used = random() % (size + 1);
      std::memcpy(room, counted(used, written).data(), used);
      queue.commit(used);
      written += used;
    } else {
      const std::string_view front = queue.front();
      CHECK(front == counted(front.size(), read));
      const std::size_t taken = std::min<std::size_t>(queue.size(), random() % 2 == 0 ? front.size() : size * 2);
      queue.consume(taken);
      read += taken;
    }
    REQUIRE(queue.size() == written - read);
    REQUIRE(queue.front().empty() == queue.empty());
  }
  CHECK(content(queue) == counted(written - read, read));
}
