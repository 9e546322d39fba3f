#include "access/password_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "access/password_hash.h"
#include "temporary_folder.h"

namespace {

using namespace wharf::server;
using wharf::base::Time;
using Reload = PasswordFile::Reload;
namespace fs = std::filesystem;

// htpasswd -nbBC 4 alice 'correct horse', and so on
constexpr std::string_view alice = "alice:$2y$04$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312\n";
constexpr std::string_view bob = "bob:$2y$05$K9U.Op9ub7s.8Hrtbe/mausMcJzd3JNDmgM4aZXKzlmyqo4BKrdw2\n";

class PasswordText {
 public:
  explicit PasswordText(std::string_view text) { write(text); }
  void write(std::string_view text) const { folder_.write("users", text); }
  [[nodiscard]] std::string path() const { return folder_.file("users"); }
  [[nodiscard]] PasswordFile load() const {
    auto file = PasswordFile::load(path());
    REQUIRE(static_cast<bool>(file));
    return std::move(*file);
  }
  /// The error, without the name of the file; or "good".
  [[nodiscard]] std::string error() const {
    const auto file = PasswordFile::load(path());
    if (file) return "good";
    std::string text = file.error();
    const std::size_t at = text.find("'" + path() + "'");
    REQUIRE(at != std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
    return text.replace(at, path().size() + 2, "FILE");
  }

 private:
  TemporaryFolder folder_;
};

std::string error_of(std::string_view text) { return PasswordText(text).error(); }

/// "unchanged", "reloaded" or the error.
std::string look(PasswordFile& file, int seconds) {
  const auto found = file.reload_if_changed(Time(seconds * 1000));
  if (!found) return found.error();
  return *found == Reload::reloaded ? "reloaded" : "unchanged";
}

}  // namespace

TEST_CASE("password file: a build without libcrypt says so" * doctest::skip(has_password_hashing())) {
  CHECK(error_of(alice) == "cannot use password file FILE: this build has no libcrypt to check passwords with");
}

TEST_SUITE_BEGIN("libcrypt" * doctest::skip(!has_password_hashing()));

TEST_CASE("password file: users, comments, empty lines") {
  const PasswordText text("# staff\n\n" + std::string(alice) + "  \t \n\t# more\n" + std::string(bob));
  const PasswordFile file = text.load();
  CHECK(file.size() == 2);
  CHECK(file.knows("alice"));
  CHECK(file.knows("bob"));
  CHECK_FALSE(file.knows("Alice"));
  CHECK_FALSE(file.knows("alic"));
  CHECK_FALSE(file.knows(""));
  CHECK_FALSE(file.knows("# staff"));
  REQUIRE(file.hash_of("alice") != nullptr);
  CHECK(password_matches("correct horse", *file.hash_of("alice")));
  CHECK_FALSE(password_matches("correct horse", *file.hash_of("bob")));
  CHECK(file.hash_of("carol") == nullptr);
}

TEST_CASE("password file: ends of lines, white space and remarks do not matter") {
  const std::string hash(alice.substr(6, 60));
  for (const std::string& line : {"alice:" + hash, "alice:" + hash + "\r\n", "  alice:" + hash + " \t\r\n", "alice:" + hash + ":\n",
                                  "alice:" + hash + ":Alice A., room 1: left\n"}) {
    CAPTURE(line);
    const PasswordFile file = PasswordText(line).load();
    REQUIRE(file.hash_of("alice") != nullptr);
    CHECK(*file.hash_of("alice") == hash);
  }
}

TEST_CASE("password file: without any user it is a file that nobody can log in with") {
  const PasswordFile file = PasswordText("# nobody\n").load();
  CHECK(file.size() == 0);
  CHECK(password_hash_fault(file.hash_or_dummy("alice")).empty());
  CHECK_FALSE(password_matches("", file.hash_or_dummy("alice")));
  CHECK(PasswordText("").load().size() == 0);
}

TEST_CASE("password file: an error names the line, the user and how to mend it") {
  CHECK(error_of("# a\n\nsam:secret\n") ==
        "password file FILE, line 3: user 'sam': the hash is a plain password or DES, which protects "
        "nothing; set the password anew with htpasswd -B");
  CHECK(error_of(std::string(bob) + "sue:{SHA}2PRZAyDhNDqRW2OUFwZQqPNdaSY=") ==
        "password file FILE, line 2: user 'sue': the hash is SHA-1, which is too weak; set the password anew with htpasswd -B");
  CHECK(error_of("sam:") ==
        "password file FILE, line 1: user 'sam': the hash is a plain password or DES, which protects nothing; set "
        "the password anew with htpasswd -B");
  CHECK(error_of("secret\n") == "password file FILE, line 1: there is no ':'; a line is user:hash");
  CHECK(error_of(":secret\n") == "password file FILE, line 1: there is no user before ':'; a line is user:hash");
  CHECK(error_of(std::string(alice) + std::string(bob) + std::string(alice)) ==
        "password file FILE, line 3: user 'alice' stands there twice; take one of the lines out");
}

TEST_CASE("password file: no error shows a password") {
  for (const std::string_view line : {"sam:secret", "sam:$secret", "sam:$2y$secret", "sam:$6$secret", "sam:{SHA}secret", "secret",
                                      ":secret", "sam\x01:secret", "sam\xFF:secret"}) {
    CAPTURE(line);
    const std::string error = error_of(line);
    CHECK(error != "good");
    CHECK(error.find("secret") == std::string::npos);
  }
}

TEST_CASE("password file: a user whom nobody can log in as is refused") {
  const std::string rest(alice.substr(5));
  CHECK(error_of("al\xFCx" + rest).find("line 1: user 'al\\xfcx': a name is UTF-8 without control characters") !=
        std::string::npos);
  CHECK(error_of("al\x1B[2J" + rest).find("user 'al\\x1b[2J': a name is UTF-8") != std::string::npos);
  CHECK(error_of(std::string("al\0ice", 6) + rest).find("user 'al\\x00ice'") != std::string::npos);
  CHECK(error_of(std::string(PasswordFile::longest_user, 'x') + rest) == "good");
  CHECK(error_of(std::string(PasswordFile::longest_user + 1, 'x') + rest).find("at most 255 bytes") != std::string::npos);
  CHECK(error_of("j\xC3\xBCrgen mit Leerzeichen" + rest) == "good");
}

TEST_CASE("password file: it has a longest size, and is a file") {
  const std::string comment(1023, '#');
  std::string most;
  for (std::size_t i = 0; i < PasswordFile::longest_file / 1024; ++i) most += comment + "\n";
  CHECK(error_of(most) == "good");
  CHECK(error_of(most + "#") == "cannot read password file FILE: it has more than 1048576 bytes");
  const PasswordText text("");
  CHECK(PasswordFile::load(fs::path(text.path()).parent_path()).error().find("it is not a file") != std::string::npos);
  CHECK(PasswordFile::load(text.path() + "2").error().find("there is no such file; make it with htpasswd -B -c") !=
        std::string::npos);
  REQUIRE(::mkfifo((text.path() + "3").c_str(), 0600) == 0);
  CHECK(PasswordFile::load(text.path() + "3").error().find("it is not a file") != std::string::npos);
}

TEST_CASE("password file: for strangers there is a hash of the same kinds that nothing matches") {
  const PasswordFile file = PasswordText(std::string(alice) + std::string(bob)).load();
  CHECK(&file.hash_or_dummy("alice") == file.hash_of("alice"));
  std::set<std::string> costs;
  for (int i = 0; i < 64; ++i) {
    const std::string name = "stranger" + std::to_string(i);
    const std::string& dummy = file.hash_or_dummy(name);
    CHECK(&dummy == &file.hash_or_dummy(name));
    CHECK(password_hash_fault(dummy).empty());
    CHECK(dummy != *file.hash_of("alice"));
    CHECK(dummy != *file.hash_of("bob"));
    costs.insert(dummy.substr(0, 7));
  }
  CHECK(costs == std::set<std::string>{"$2y$04$", "$2y$05$"});
  CHECK_FALSE(password_matches("correct horse", file.hash_or_dummy("carol")));
  CHECK_FALSE(password_matches("", file.hash_or_dummy("carol")));
}

TEST_CASE("password file: a change is seen at the next look, once a second at most") {
  const PasswordText text(alice);
  PasswordFile file = text.load();
  CHECK(look(file, 100) == "unchanged");
  text.write(bob);
  CHECK(look(file, 100) == "unchanged");
  CHECK(file.knows("alice"));
  CHECK(look(file, 101) == "reloaded");
  CHECK_FALSE(file.knows("alice"));
  CHECK(file.knows("bob"));
  CHECK(look(file, 102) == "unchanged");
  CHECK(look(file, 103) == "unchanged");
  text.write(std::string(alice) + std::string(bob));
  CHECK(file.reload_if_changed(Time(103'999)).operator bool());
  CHECK_FALSE(file.knows("alice"));
  CHECK(look(file, 104) == "reloaded");
  CHECK(file.size() == 2);
}

TEST_CASE("password file: another file of the same name and size is seen") {
  const PasswordText text("alice" + std::string(alice.substr(5)));
  PasswordFile file = text.load();
  for (int second = 0; second < 5; ++second) CHECK(look(file, second) == "unchanged");
  const PasswordText other("carol" + std::string(alice.substr(5)));
  fs::rename(other.path(), text.path());
  CHECK(look(file, 5) == "reloaded");
  CHECK(file.knows("carol"));
}

// Time stamps of files are as coarse as some milliseconds: a change right after the file was read may not show in them. Nor does a
// second change through mapped memory.
TEST_CASE("password file: a change that the file's times do not show is seen all the same") {
  const PasswordText text(alice);
  const int descriptor = ::open(text.path().c_str(), O_RDWR | O_CLOEXEC);
  void* const mapped = ::mmap(nullptr, alice.size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  REQUIRE(mapped != MAP_FAILED);
  auto* const first = static_cast<volatile char*>(mapped);
  *first = 'a';
  PasswordFile file = text.load();
  CHECK(look(file, 0) == "unchanged");
  *first = 'e';
  CHECK(look(file, 1) == "reloaded");
  CHECK(file.knows("elice"));
  fs::last_write_time(text.path(), fs::file_time_type::clock::now() + std::chrono::hours(1));
  CHECK(look(file, 2) == "unchanged");
  *first = 'o';
  CHECK(look(file, 3) == "reloaded");
  CHECK(file.knows("olice"));
  *first = 'u';
  CHECK(look(file, 4) == "unchanged");  // it is not read each second
  ::munmap(mapped, alice.size());
}

TEST_CASE("password file: a broken one leaves the users as they were, and is told once for each change") {
  const PasswordText text(alice);
  PasswordFile file = text.load();
  CHECK(look(file, 0) == "unchanged");
  text.write("sam:secret\n");
  const std::string error = look(file, 1);
  CHECK(error.find("line 1: user 'sam': the hash is a plain password") != std::string::npos);
  CHECK(error.find("; the users known before stay") != std::string::npos);
  for (int second = 2; second < 6; ++second) CHECK(look(file, second) == "unchanged");
  CHECK(file.knows("alice"));
  text.write("sam:secrets\n");
  CHECK(look(file, 6) == error);
  fs::remove(text.path());
  CHECK(look(file, 7).find("there is no such file") != std::string::npos);
  for (int second = 8; second < 12; ++second) CHECK(look(file, second) == "unchanged");
  CHECK(file.knows("alice"));
  text.write(alice);
  CHECK(look(file, 12) == "reloaded");
  CHECK(look(file, 13) == "unchanged");
  text.write(bob);
  CHECK(look(file, 14) == "reloaded");
  CHECK(file.knows("bob"));
  CHECK(file.size() == 1);
}

TEST_SUITE_END();
