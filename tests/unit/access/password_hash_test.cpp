#include "access/password_hash.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace wharf::server;

struct Known {
  std::string_view password;
  std::string hash;
};

// Made by htpasswd -nbBC, openssl passwd -5 and -6, htpasswd -nb2r, and crypt() with settings of crypt_gensalt().
const std::vector<Known>& known() {
  static const std::vector<Known> all{
      {"correct horse", "$2y$04$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312"},
      {"p\xC3\xA4ssw\xC3\xB6rd", "$2y$05$K9U.Op9ub7s.8Hrtbe/mausMcJzd3JNDmgM4aZXKzlmyqo4BKrdw2"},
      {"yes crypt", "$2a$04$abcdefghijklmnopqrstuuK0.vmEfzX.Nhr5/nH9sgai5Mn9aJ4lW"},
      {"sha six", "$6$saltsalt$DYsl9SbysovRi/ynA7KlfW8iv1EAVYghXHVCAJAMWwyRceeG6oCUDCYIO3s2KYI3vDTY1gTwh2F7F5TxxHF7I."},
      {"sha five", "$5$saltsalt$h7d7NJ/xPLbgJOVmjtmiEUZZb1Jng3wFcb.asEA8pw9"},
      {"pw", "$5$rounds=10000$sTyBi92zBTNn2qhH$gY8eDjyU/.pmJzcZ0mapjRXGYAJ1KXax39TSE4nQa9D"},
      {"yes crypt",
       "$6$rounds=1000$saltsalt$Q1xL52EjWhlEjiMD0Mk7PftqXzlHMy54wQqLtsWh6Z.WMiWQmWE8s0.A1xcpM.ghYwbZmlrArt2swadfkFzXP1"},
      {"yes crypt", "$6$$k/NvfZUvX7DfnFRZg54LqkwMYGQfNuAPP3jKRAp89ITmduMUrbZSDW1EmMugLvbZO8jQ.2plL36iMbCAhD8nW/"},
  };
  return all;
}

const std::string yescrypt = "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$LDBNCGlmXM1hhN9lf5SLEiC.aaNIs61bke5BC2Z/sR6";
bool has_yescrypt() { return has_password_hashing() && password_hash_fault(yescrypt).empty(); }

}  // namespace

TEST_CASE("password hash: kinds that are not safe are named") {
  CHECK(password_hash_fault("secret") == "is a plain password or DES, which protects nothing");
  CHECK(password_hash_fault("6LXyEQMDZwIVM") == "is a plain password or DES, which protects nothing");
  CHECK(password_hash_fault("") == "is a plain password or DES, which protects nothing");
  CHECK(password_hash_fault("$apr1$p/J.XhB8$iB/jWOEjqtTKu5uVBEo4i/") == "is MD5, which is too weak");
  CHECK(password_hash_fault("$1$p/J.XhB8$iB/jWOEjqtTKu5uVBEo4i/") == "is MD5, which is too weak");
  CHECK(password_hash_fault("{SHA}2PRZAyDhNDqRW2OUFwZQqPNdaSY=") == "is SHA-1, which is too weak");
  CHECK(password_hash_fault("{SSHA}2PRZAyDhNDqRW2OUFwZQqPNdaSY=") == "is salted SHA-1, which is too weak");
  CHECK(password_hash_fault("$2x$04$abcdefghijklmnopqrstuuK0.vmEfzX.Nhr5/nH9sgai5Mn9aJ4lW") == "is of a faulty bcrypt ($2x$)");
  CHECK(password_hash_fault("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA") == "is of a kind that is not known here");
  CHECK(password_hash_fault("$2$") == "is of a kind that is not known here");
}

TEST_CASE("password hash: a hash is whole, and every character of it one that can be") {
  for (const Known& each : known()) {
    CAPTURE(each.hash);
    CHECK(password_hash_fault(each.hash) == "");
    CHECK(password_hash_fault(each.hash.substr(0, each.hash.size() - 1)).starts_with("is not a whole "));
    CHECK(password_hash_fault(each.hash + "a").starts_with("is not a whole "));
    CHECK(password_hash_fault(each.hash + " ").starts_with("is not a whole "));
    for (std::size_t i = each.hash.size() - 31; i < each.hash.size(); ++i) {
      std::string changed = each.hash;
      changed[i] = '-';
      CHECK(password_hash_fault(changed).starts_with("is not a whole "));
    }
  }
  for (const std::string_view hash :
       {"$2y$", "$2y$0", "$2y$x4$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312", "$6$", "$6$saltsalt", "$6$saltsalt$",
        "$6$a b$k/NvfZUvX7DfnFRZg54LqkwMYGQfNuAPP3jKRAp89ITmduMUrbZSDW1EmMugLvbZO8jQ.2plL36iMbCAhD8nW/",
        "$6$abcdefghijklmnopq$k/NvfZUvX7DfnFRZg54LqkwMYGQfNuAPP3jKRAp89ITmduMUrbZSDW1EmMugLvbZO8jQ.2plL36iMbCAhD8nW/", "$5$",
        "$6$rounds=1000", "$6$rounds=1000$", "$6$rounds=1000$saltsalt", "$5$rounds="}) {
    CAPTURE(hash);
    CHECK(password_hash_fault(hash).starts_with("is not a whole "));
  }
}

TEST_CASE("password hash: hashes that would take too much time or memory are refused") {
  const std::string bcrypt = "OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312";
  CHECK(password_hash_fault("$2y$15$" + bcrypt) == "");
  CHECK(password_hash_fault("$2y$16$" + bcrypt) == "has the cost 16, and 15 is the most");
  CHECK(password_hash_fault("$2y$31$" + bcrypt) == "has the cost 31, and 15 is the most");
  CHECK(password_hash_fault("$2y$03$" + bcrypt) == "is not a whole bcrypt hash");
  const std::string sha = "$saltsalt$h7d7NJ/xPLbgJOVmjtmiEUZZb1Jng3wFcb.asEA8pw9";
  CHECK(password_hash_fault("$5$rounds=1000" + sha) == "");
  CHECK(password_hash_fault("$5$rounds=5000000" + sha) == "");
  CHECK(password_hash_fault("$5$rounds=5000001" + sha) == "has 5000001 rounds, and 5000000 is the most");
  for (const std::string_view rounds : {"999", "01000", "-1000", "+1000", " 1000", "1000 ", "1e4", "", "99999999999999999999"}) {
    CAPTURE(rounds);
    CHECK(password_hash_fault("$5$rounds=" + std::string(rounds) + sha) == "is not a whole SHA-256 hash");
  }
}

TEST_CASE("password hash: yescrypt is accepted if libcrypt has it" * doctest::skip(!has_yescrypt())) {
  CHECK(password_matches("yes crypt", yescrypt));
  CHECK_FALSE(password_matches("yes crypT", yescrypt));
  CHECK(unmatched_hash(yescrypt) == "$y$j75$LdJMENpBABJJ3hIHjB1Bi.$" + std::string(43, '.'));
  const auto fault = [](const std::string& parameters) {
    return password_hash_fault("$y$" + parameters + "$LdJMENpBABJJ3hIHjB1Bi.$n0KFTNReBVyfKM0YhrCj7hK3IM0rVm9lV3myq7GsiS3");
  };
  CHECK(fault("j9T") == "");
  CHECK(fault("jBT") == "");  // 64 MiB
  CHECK(fault("jCT") == "takes more memory than 64 MiB");
  CHECK(fault("jFT") == "takes more memory than 64 MiB");
  CHECK(fault("jz5") == "takes more memory than 64 MiB");
  for (const std::string_view parameters : {"", "j", "j9", "9T", "j9TT", "k9T", "j-T", "j9-", "j9U", "j6T"}) {
    CAPTURE(parameters);
    CHECK(fault(std::string(parameters)) == "is not a whole yescrypt hash");
  }
  for (const std::string& hash : {yescrypt + "a", yescrypt.substr(0, yescrypt.size() - 1), std::string("$y$j9T$"),
                                  std::string("$y$j9T"), std::string("$y$j9T$$n0KFTNReBVyfKM0YhrCj7hK3IM0rVm9lV3myq7GsiS3")}) {
    CAPTURE(hash);
    CHECK(password_hash_fault(hash) == "is not a whole yescrypt hash");
  }
}

TEST_CASE("password hash: a password matches its own hash alone" * doctest::skip(!has_password_hashing())) {
  for (const Known& each : known()) {
    CAPTURE(each.hash);
    CHECK(password_matches(each.password, each.hash));
    CHECK_FALSE(password_matches(std::string(each.password) + " ", each.hash));
    CHECK_FALSE(password_matches(each.password.substr(1), each.hash));
    CHECK_FALSE(password_matches("", each.hash));
    CHECK_FALSE(password_matches(each.hash, each.hash));
    std::string changed = each.hash;
    changed.back() = changed.back() == '.' ? '/' : '.';
    CHECK_FALSE(password_matches(each.password, changed));
  }
}

TEST_CASE("password hash: a password ends at no NUL" * doctest::skip(!has_password_hashing())) {
  CHECK(password_matches("sha five", known()[4].hash));
  CHECK_FALSE(password_matches(std::string_view("sha five\0", 9), known()[4].hash));
  CHECK_FALSE(password_matches(std::string_view("sha five\0x", 10), known()[4].hash));
}

TEST_CASE("password hash: a password that libcrypt cannot take matches nothing" * doctest::skip(!has_password_hashing())) {
  CHECK_FALSE(password_matches(std::string(512, 'x'), known()[4].hash));
  CHECK_FALSE(password_matches(std::string(100'000, 'x'), known()[0].hash));
  CHECK_FALSE(password_matches("x", "*0"));
  CHECK_FALSE(password_matches("x", "*1"));
  CHECK_FALSE(password_matches("x", ""));
}

TEST_CASE("password hash: an unmatched hash is of the same kind, cost and salt, and matches nothing") {
  CHECK(unmatched_hash(known()[0].hash) == "$2y$04$OP7Zk/eVj2tDPMRezDHYDO" + std::string(31, '.'));
  CHECK(unmatched_hash(known()[3].hash) == "$6$saltsalt$" + std::string(86, '.'));
  CHECK(unmatched_hash(known()[5].hash) == "$5$rounds=10000$sTyBi92zBTNn2qhH$" + std::string(43, '.'));
  for (const Known& each : known()) {
    const std::string unmatched = unmatched_hash(each.hash);
    CAPTURE(unmatched);
    CHECK(password_hash_fault(unmatched) == "");
    CHECK_FALSE(password_matches(each.password, unmatched));
  }
}

TEST_CASE("password hash: threads check passwords side by side" * doctest::skip(!has_password_hashing())) {
  std::vector<std::thread> threads;
  std::vector<int> right(known().size());
  for (std::size_t i = 0; i < known().size(); ++i)
    threads.emplace_back([&right, i] {
      for (int round = 0; round < 5; ++round) right[i] += password_matches(known()[i].password, known()[i].hash) ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(right == std::vector<int>(known().size(), 5));
}
