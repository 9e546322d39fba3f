#include "link/link_share.h"

#include <doctest/doctest.h>

#include <optional>
#include <type_traits>
#include <utility>

namespace {

using namespace wharf::session;

class Counter final : public LinkCounter {
 public:
  void link_gone() noexcept override { ++gone; }
  int gone = 0;
};

}  // namespace

TEST_CASE("link share: it is given back once, by its last holder") {
  Counter counter;
  std::optional<LinkShare> session(std::in_place, counter);
  std::optional<LinkShare> next(std::move(*session));
  session.reset();
  CHECK(counter.gone == 0);
  next.reset();
  CHECK(counter.gone == 1);
  static_assert(!std::is_copy_constructible_v<LinkShare> && !std::is_copy_assignable_v<LinkShare>);
}

TEST_CASE("link share: assigned to one that has none, or to one that has") {
  Counter counter;
  Counter other;
  {
    LinkShare share;
    share = LinkShare(counter);
    CHECK(counter.gone == 0);
    share = LinkShare(other);
    CHECK(counter.gone == 1);
    CHECK(other.gone == 0);
  }
  CHECK(counter.gone == 1);
  CHECK(other.gone == 1);
}

TEST_CASE("link share: none is given back to nobody") { const LinkShare share; }
