#include "access/credential_cache.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace wharf;
using wharf::base::Time;
using wharf::server::CredentialCache;

const codec::Credentials ann{"ann", "secret"};

codec::Credentials numbered(int number) { return {"user" + std::to_string(number), "secret"}; }

}  // namespace

TEST_CASE("credential cache: it knows what was remembered, and nothing similar") {
  CredentialCache cache;
  CHECK_FALSE(cache.knows(ann, "hash", Time(0)));
  cache.remember(ann, "hash", Time(0));
  CHECK(cache.knows(ann, "hash", Time(1)));
  CHECK_FALSE(cache.knows({"ann", "Secret"}, "hash", Time(1)));
  CHECK_FALSE(cache.knows({"Ann", "secret"}, "hash", Time(1)));
  CHECK_FALSE(cache.knows({"ann", ""}, "hash", Time(1)));
  CHECK_FALSE(cache.knows({"ann", "secretha"}, "sh", Time(1)));
  CHECK_FALSE(cache.knows({"anns", "ecret"}, "hash", Time(1)));
  CHECK_FALSE(cache.knows({"secret", "ann"}, "hash", Time(1)));
}

TEST_CASE("credential cache: a new hash makes strangers of old credentials") {
  CredentialCache cache;
  cache.remember(ann, "hash", Time(0));
  CHECK_FALSE(cache.knows(ann, "hash2", Time(1)));
  CHECK(cache.knows(ann, "hash", Time(1)));
}

TEST_CASE("credential cache: knows for a time, which use does not lengthen") {
  CredentialCache cache;
  cache.remember(ann, "hash", Time(1000));
  for (const int minute : {1, 2, 3, 4}) CHECK(cache.knows(ann, "hash", Time(minute * 60'000)));
  CHECK(cache.knows(ann, "hash", Time(1000) + CredentialCache::default_keep - Time(1)));
  CHECK(cache.size() == 1);
  CHECK_FALSE(cache.knows(ann, "hash", Time(1000) + CredentialCache::default_keep));
  CHECK(cache.size() == 0);
  CHECK_FALSE(cache.knows(ann, "hash", Time(1000)));
  cache.remember(ann, "hash", Time(400'000));
  CHECK(cache.knows(ann, "hash", Time(400'001)));
}

TEST_CASE("credential cache: what is remembered again is kept from then on, and once") {
  CredentialCache cache(2, Time(100));
  cache.remember(ann, "hash", Time(0));
  cache.remember(ann, "hash", Time(50));
  CHECK(cache.size() == 1);
  CHECK(cache.knows(ann, "hash", Time(149)));
  CHECK_FALSE(cache.knows(ann, "hash", Time(150)));
}

TEST_CASE("credential cache: the oldest makes room") {
  CredentialCache cache;
  for (int i = 0; i < static_cast<int>(CredentialCache::default_most); ++i) cache.remember(numbered(i), "hash", Time(i));
  CHECK(cache.size() == CredentialCache::default_most);
  cache.remember(numbered(1), "hash", Time(1000));  // known already, and now no longer one of the oldest
  CHECK(cache.knows(numbered(0), "hash", Time(1001)));
  cache.remember(ann, "hash", Time(1001));
  cache.remember({"bob", "secret"}, "hash", Time(1002));
  CHECK(cache.size() == CredentialCache::default_most);
  CHECK(cache.knows(ann, "hash", Time(1003)));
  CHECK_FALSE(cache.knows(numbered(0), "hash", Time(1003)));
  CHECK(cache.knows(numbered(1), "hash", Time(1003)));
  CHECK_FALSE(cache.knows(numbered(2), "hash", Time(1003)));
  CHECK(cache.knows(numbered(3), "hash", Time(1003)));
}

TEST_CASE("credential cache: can be made to keep nothing") {
  CredentialCache none(0);
  none.remember(ann, "hash", Time(0));
  CHECK_FALSE(none.knows(ann, "hash", Time(0)));
  CredentialCache never(2, Time(0));
  never.remember(ann, "hash", Time(0));
  CHECK_FALSE(never.knows(ann, "hash", Time(0)));
}
