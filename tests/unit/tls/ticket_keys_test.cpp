#include "tls/ticket_keys.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace wharf;
using tls::TicketKey;
using tls::TicketKeys;

TicketKey newest_of(TicketKeys& keys) {
  TicketKey key;
  REQUIRE(keys.newest(key));
  return key;
}

TicketKeys::Found find(TicketKeys& keys, const TicketKey& wanted) {
  TicketKey found;
  const TicketKeys::Found how = keys.find(wanted.name.data(), found);
  if (how != TicketKeys::Found::no) CHECK(found.cipher == wanted.cipher);
  return how;
}

}  // namespace

TEST_CASE("ticket keys: a new one each day, which opens tickets for two days more") {
  base::Time now{5'000'000};
  TicketKeys keys([&now] { return now; });
  const TicketKey first = newest_of(keys);
  now += TicketKeys::period - base::Time{1};
  CHECK(newest_of(keys).name == first.name);
  now += base::Time{1};
  const TicketKey second = newest_of(keys);
  CHECK(second.name != first.name);
  CHECK(second.cipher != first.cipher);
  CHECK(find(keys, second) == TicketKeys::Found::yes);
  CHECK(find(keys, first) == TicketKeys::Found::by_older);
  now += TicketKeys::period;
  const TicketKey third = newest_of(keys);
  CHECK(find(keys, first) == TicketKeys::Found::by_older);
  now += TicketKeys::period;
  (void)newest_of(keys);
  CHECK(find(keys, first) == TicketKeys::Found::no);
  CHECK(find(keys, second) == TicketKeys::Found::by_older);
  now += 10 * TicketKeys::period;  // nobody has asked meanwhile
  CHECK(find(keys, third) == TicketKeys::Found::no);
}

TEST_CASE("ticket keys: those of a file stay until others come; the first makes tickets") {
  base::Time now{0};
  TicketKeys keys([&now] { return now; });
  const TicketKey own = newest_of(keys);
  std::string bytes;
  for (const char each : {'a', 'b'}) bytes += std::string(16, each) + std::string(32, 'm') + std::string(32, each);
  const auto parsed = TicketKeys::parse(bytes);
  REQUIRE(parsed);
  REQUIRE(parsed->size() == 2);
  CHECK((*parsed)[0].name[0] == 'a');
  CHECK((*parsed)[1].mac[31] == 'm');
  CHECK((*parsed)[1].cipher[0] == 'b');
  keys.use(*parsed);
  now += 5 * TicketKeys::period;
  CHECK(newest_of(keys).name == (*parsed)[0].name);
  CHECK(find(keys, (*parsed)[0]) == TicketKeys::Found::yes);
  CHECK(find(keys, (*parsed)[1]) == TicketKeys::Found::by_older);
  CHECK(find(keys, own) == TicketKeys::Found::no);
}

TEST_CASE("ticket keys: a wrong size is an error that says the right one") {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{48}, std::size_t{79}, std::size_t{81}, std::size_t{80 * 65}}) {
    const auto parsed = TicketKeys::parse(std::string(size, 'k'));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() ==
          "it has " + std::to_string(size) + " bytes, and not 1 to 64 keys of 80 bytes, as `openssl rand 80` makes them");
  }
  CHECK(TicketKeys::parse(std::string(std::size_t{80} * 64, 'k')));
}
