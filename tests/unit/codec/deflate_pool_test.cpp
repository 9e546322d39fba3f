#include "codec/deflate_pool.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unit/codec/heap.h"

namespace {

using namespace wharf::codec;

std::string compress(Deflater& deflater, std::string_view text) {
  std::string out;
  deflater.compress(text, Deflater::Piece::last, out);
  return out;
}

/// The output, or "invalid".
std::string inflate(Inflater& inflater, std::string_view bytes) {
  std::string room(100, '\0');
  std::size_t written = 0;
  const Inflater::Status status = inflater.inflate(bytes, room.data(), room.size(), written);
  return status == Inflater::Status::invalid ? "invalid" : room.substr(0, written);
}

constexpr std::string_view hello{"\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF", 11};
constexpr std::string_view hello_again{"\xF2\x00\x11\x00\x00\x00\x00\xFF\xFF", 9};  // out of the window

}  // namespace

TEST_CASE("deflate_pool: a stream that was given back is lent again, if the next wants the same kind") {
  DeflatePool pool;
  auto narrow = pool.take_inflater(9);
  auto wide = pool.take_inflater(15);
  const Inflater* const first = narrow.get();
  const Inflater* const second = wide.get();
  pool.give_back(std::move(narrow), 9);
  pool.give_back(std::move(wide), 15);
  CHECK(pool.take_inflater(12).get() != first);
  CHECK(pool.take_inflater(15).get() == second);
  CHECK(pool.take_inflater(9).get() == first);

  auto deflater = pool.take_deflater(12, {.level = 1});
  const Deflater* const third = deflater.get();
  pool.give_back(std::move(deflater), 12, {.level = 1});
  const auto other_window = pool.take_deflater(11, {.level = 1});
  const auto other_level = pool.take_deflater(12, {.level = 2});
  const auto other_memory = pool.take_deflater(12, {.level = 1, .memory_level = 1});
  CHECK(other_window.get() != third);
  CHECK(other_level.get() != third);
  CHECK(other_memory.get() != third);
  CHECK(pool.take_deflater(12, {.level = 1}).get() == third);
}

TEST_CASE("deflate_pool: a stream that is lent is not lent a second time") {
  DeflatePool pool;
  pool.give_back(pool.take_inflater(9), 9);
  const auto one = pool.take_inflater(9);
  const auto other = pool.take_inflater(9);
  CHECK(one != nullptr);
  CHECK(other != nullptr);
  CHECK(one != other);
}

TEST_CASE("deflate_pool: no context passes from one user to the next") {
  DeflatePool pool;
  auto deflater = pool.take_deflater(12, {});
  const std::string fresh = compress(*deflater, "Hello");
  CHECK(compress(*deflater, "Hello") != fresh);
  const Deflater* const same = deflater.get();
  pool.give_back(std::move(deflater), 12, {});
  deflater = pool.take_deflater(12, {});
  REQUIRE(deflater.get() == same);
  CHECK(compress(*deflater, "Hello") == fresh);

  auto inflater = pool.take_inflater(12);
  CHECK(inflate(*inflater, hello) == "Hello");
  CHECK(inflate(*inflater, hello_again) == "Hello");
  pool.give_back(std::move(inflater), 12);
  inflater = pool.take_inflater(12);
  CHECK(inflate(*inflater, hello_again) == "invalid");
  pool.give_back(std::move(inflater), 12);
  inflater = pool.take_inflater(12);
  CHECK(inflate(*inflater, hello) == "Hello");
}

TEST_CASE("deflate_pool: no more streams wait than it says, and those that came last do") {
  const std::size_t before = allocated();
  DeflatePool pool;
  constexpr std::size_t twice = 2 * DeflatePool::most_kept;
  std::vector<std::unique_ptr<Inflater>> inflaters;
  std::vector<std::unique_ptr<Deflater>> deflaters;
  std::vector<const Inflater*> order;
  for (std::size_t i = 0; i < twice; ++i) {
    inflaters.push_back(pool.take_inflater(12));
    deflaters.push_back(pool.take_deflater(12, {}));
    order.push_back(inflaters.back().get());
    CHECK(inflate(*inflaters.back(), hello) == "Hello");  // which makes its window
  }
  for (auto& inflater : inflaters) pool.give_back(std::move(inflater), 12);
  for (auto& deflater : deflaters) pool.give_back(std::move(deflater), 12, {});
  CHECK(grown_from(before) <= DeflatePool::most_kept * (Inflater::memory(12) + Deflater::memory(12, 5)) + 4096);
  inflaters.clear();
  for (std::size_t i = 0; i < DeflatePool::most_kept; ++i) {
    inflaters.push_back(pool.take_inflater(12));
    CHECK(inflaters.back().get() == order[twice - 1 - i]);
  }
}

TEST_CASE("deflate_pool: nothing may be given back, too") {
  DeflatePool pool;
  pool.give_back(nullptr, 12);
  pool.give_back(nullptr, 12, {});
  CHECK(pool.take_inflater(12) != nullptr);
  CHECK(pool.take_deflater(12, {}) != nullptr);
}

TEST_CASE("deflate_pool: rooms are made when they are first asked for, and large ones given up") {
  const std::size_t before = allocated();
  DeflatePool pool;
  CHECK(grown_from(before) < 1024);
  CHECK(pool.room().size() == DeflatePool::room_size);
  CHECK(pool.room().data() == pool.room().data());

  pool.packed() += "something";
  CHECK(pool.packed().empty());
  pool.packed().assign(1'000'000, 'x');
  CHECK(pool.packed().empty());
  CHECK(grown_from(before) < DeflatePool::room_size + 4096);
  pool.packed().assign(1000, 'x');
  CHECK(pool.packed().capacity() >= 1000);  // a small one stays
}
