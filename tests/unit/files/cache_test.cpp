#include "files/cache.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "unit/files/mounted.h"
#include "unit/files/www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;
namespace fs = std::filesystem;

/// The number of names that this program has looked up.
int looks = 0;

std::unique_ptr<CachedFile> file_of(const FileMount* mount, std::string path, std::size_t bytes, bool open = false) {
  auto file = std::make_unique<CachedFile>();
  file->mount = mount;
  file->path = std::move(path);
  file->plain.held = open ? Representation::Held::file : Representation::Held::bytes;
  if (open) file->plain.file = Shared<base::Descriptor>(base::Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  else file->plain.bytes = Shared<std::string>(std::string(bytes, 'x'));
  return file;
}

const FileMount* mount_number(std::uintptr_t number) { return reinterpret_cast<const FileMount*>(number * 64); }

FileLimits limits_of(std::size_t bytes, std::size_t files, std::size_t open) {
  FileLimits limits = settled_at_once();
  limits.cached_bytes = bytes;
  limits.cached_files = files;
  limits.open_files = open;
  return limits;
}

}  // namespace

/// Replaces the system's in this program.
extern "C" int fstatat(int folder, const char* name, struct stat* status, int flags) noexcept {
  using Fstatat = int (*)(int, const char*, struct stat*, int);
  static const auto systems = reinterpret_cast<Fstatat>(dlsym(RTLD_NEXT, "fstatat"));
  ++looks;
  return systems(folder, name, status, flags);
}

TEST_CASE("file cache: by mount and path") {
  FileCache cache;
  const FileMount* const one = mount_number(1);
  const FileMount* const other = mount_number(2);
  cache.keep(file_of(one, "/a", 1), base::Time{0});
  cache.keep(file_of(other, "/a", 2), base::Time{0});
  cache.keep(file_of(one, "/b", 3), base::Time{0});
  CHECK(cache.find(*one, "/a", base::Time{0})->plain.size() == 1);
  CHECK(cache.find(*other, "/a", base::Time{0})->plain.size() == 2);
  CHECK(cache.find(*one, "/b", base::Time{0})->plain.size() == 3);
  CHECK(cache.find(*other, "/b", base::Time{0}) == nullptr);
  cache.keep(file_of(one, "/a", 4), base::Time{0});
  CHECK(cache.size() == 3);
  CHECK(cache.find(*one, "/a", base::Time{0})->plain.size() == 4);
  cache.drop_all(*one);
  CHECK(cache.size() == 1);
  CHECK(cache.peek(*one, "/a") == nullptr);
  CHECK(cache.peek(*other, "/a") != nullptr);
  cache.drop(*cache.peek(*other, "/a"));
  CHECK(cache.size() == 0);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("file cache: no more paths, bytes and descriptors than it may, those used last") {
  const FileMount* const mount = mount_number(1);
  FileCache files(limits_of(1 << 20, 3, 64));
  for (const char* path : {"/a", "/b", "/c"}) files.keep(file_of(mount, path, 1), base::Time{0});
  CHECK(files.find(*mount, "/a", base::Time{0}) != nullptr);
  files.keep(file_of(mount, "/d", 1), base::Time{0});
  CHECK(files.size() == 3);
  CHECK(files.peek(*mount, "/b") == nullptr);
  CHECK(files.peek(*mount, "/a") != nullptr);

  FileCache bytes(limits_of(10'000, 100, 64));
  bytes.keep(file_of(mount, "/a", 4000), base::Time{0});
  bytes.keep(file_of(mount, "/b", 4000), base::Time{0});
  CHECK(bytes.size() == 2);
  bytes.keep(file_of(mount, "/c", 4000), base::Time{0});
  CHECK(bytes.bytes() <= 10'000);
  CHECK(bytes.peek(*mount, "/a") == nullptr);
  CHECK(bytes.peek(*mount, "/c") != nullptr);
  bytes.keep(file_of(mount, "/huge", 20'000), base::Time{0});  // the last one stays until the next
  CHECK(bytes.size() == 1);
  bytes.keep(file_of(mount, "/d", 1), base::Time{0});
  CHECK(bytes.size() == 1);
  CHECK(bytes.peek(*mount, "/d") != nullptr);

  FileCache open(limits_of(1 << 20, 100, 2));
  open.keep(file_of(mount, "/short", 1), base::Time{0});
  for (const char* path : {"/a", "/b", "/c"}) open.keep(file_of(mount, path, 0, true), base::Time{0});
  CHECK(open.descriptors() == 2);
  CHECK(open.peek(*mount, "/a") == nullptr);
  CHECK(open.peek(*mount, "/short") != nullptr);  // it costs none
  open.drop_open();
  CHECK(open.descriptors() == 0);
  CHECK(open.size() == 1);
}

TEST_CASE("file cache: a file that grows is weighed again") {
  const FileMount* const mount = mount_number(1);
  FileCache cache(limits_of(100'000, 100, 64));
  cache.keep(file_of(mount, "/a", 10), base::Time{0});
  CachedFile& file = cache.keep(file_of(mount, "/b", 10), base::Time{0});
  const std::size_t before = cache.bytes();
  file.plain.bytes = Shared<std::string>(std::string(50'000, 'x'));
  cache.weigh_again(file);
  CHECK(cache.bytes() >= before + 49'900);
  CHECK(cache.size() == 2);
  file.plain.bytes = Shared<std::string>(std::string(100'000, 'x'));
  cache.weigh_again(file);
  CHECK(cache.size() == 1);
  CHECK(cache.peek(*mount, "/b") == &file);
}

TEST_CASE("file cache: an unused file is dropped after FileLimits::unused") {
  const FileMount* const mount = mount_number(1);
  FileCache cache;
  cache.keep(file_of(mount, "/a", 1), base::Time{0});
  cache.keep(file_of(mount, "/b", 0, true), base::Time{0});
  cache.find(*mount, "/a", base::Time{10});
  cache.drop_unused(base::Time{59'999});
  CHECK(cache.size() == 2);
  cache.drop_unused(base::Time{60'000});
  CHECK(cache.descriptors() == 0);
  CHECK(cache.size() == 1);
  cache.drop_unused(base::Time{60'010});
  CHECK(cache.size() == 0);
}

TEST_CASE("file cache: an unused descriptor is dropped with the next search for anything") {
  const FileMount* const mount = mount_number(1);
  FileCache cache;
  cache.keep(file_of(mount, "/open", 0, true), base::Time{0});
  cache.find(*mount, "/other", base::Time{59'999});
  CHECK(cache.descriptors() == 1);
  cache.find(*mount, "/open", base::Time{59'999});
  cache.find(*mount, "/other", base::Time{119'998});
  CHECK(cache.descriptors() == 1);
  CHECK(cache.find(*mount, "/open", base::Time{119'999}) == nullptr);
  CHECK(cache.descriptors() == 0);
}

TEST_CASE("file cache: a file that is known costs one look in each turn of the loop, and nothing else") {
  const WwwFolder site;
  site.write("page.bin", "page");
  site.write("long.bin", std::string(100'000, 'x'));
  Mounted mounted({site.www()});
  for (const char* target : {"/page.bin", "/long.bin"}) {
    const std::string body = mounted.get(target).body;
    looks = 0;
    for (int i = 0; i < 10; ++i) CHECK(mounted.get(target).body == body);
    CHECK(looks == 0);
    mounted.next_turn();
    for (int i = 0; i < 10; ++i) CHECK(mounted.get(target).body == body);
    CHECK(looks == 1);
  }
}

TEST_CASE("file cache: a turn of the loop may be shorter than a millisecond") {
  const WwwFolder site;
  site.write("page.txt", "first");
  TestOutside thread;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  CHECK(mounted.get("/page.txt").body == "first");
  site.write("page.txt", "second");
  CHECK(mounted.get("/page.txt").body == "first");
  thread.end_turn();
  CHECK(mounted.get("/page.txt").body == "second");
  mounted.now += base::Time{1};
  looks = 0;
  CHECK(mounted.get("/page.txt").body == "second");
  CHECK(looks == 0);
}

TEST_CASE("file cache: a coded file costs one look more") {
  const WwwFolder site;
  site.write("page.html", "page");
  site.write("page.html.br", "coded");
  Mounted mounted({site.www()});
  const char* accept = "Accept-Encoding: br\r\n";
  CHECK(mounted.get("/page.html", accept).body == "coded");
  looks = 0;
  CHECK(mounted.get("/page.html", accept).body == "coded");
  CHECK(looks == 0);
  mounted.next_turn();
  CHECK(mounted.get("/page.html", accept).body == "coded");
  CHECK(looks == 2);
  mounted.next_turn();
  CHECK(mounted.get("/page.html").body == "page");
  CHECK(looks == 3);
}

TEST_CASE("file cache: a change is seen in the next turn of the loop") {
  const WwwFolder site;
  const auto file = site.write("page.txt", "first");
  Mounted mounted({site.www()});
  const auto body = [&mounted] {
    mounted.next_turn();
    return mounted.get("/page.txt").body;
  };
  CHECK(body() == "first");
  const auto tag = mounted.get("/page.txt").field("ETag");
  site.write("page.txt", "second");
  CHECK(body() == "second");
  CHECK(mounted.get("/page.txt").field("ETag") != tag);
  site.write("new.txt", "other");
  fs::rename(site.www() / "new.txt", file);
  CHECK(body() == "other");
  fs::remove(file);
  CHECK(body() == "There is nothing here.\n");
  site.write("page.txt", "back");
  CHECK(body() == "back");
  fs::remove(file);
  fs::create_directory(file);
  CHECK(mounted.get("/page.txt").status == 200);  // in the same turn
  mounted.next_turn();
  CHECK(mounted.get("/page.txt").status == 301);
  fs::remove(file);
  fs::create_symlink("elsewhere.txt", file);
  site.write("elsewhere.txt", "linked");
  CHECK(body() == "linked");
  fs::remove(site.www() / "elsewhere.txt");
  fs::create_symlink(site.write("../secret.txt", "secret"), site.www() / "elsewhere.txt");
  CHECK(body() == "There is nothing here.\n");
}

TEST_CASE("file cache: a missing file is not remembered") {
  const WwwFolder site;
  Mounted mounted({site.www()});
  CHECK(mounted.get("/page.txt").status == 404);
  site.write("page.txt", "page");
  CHECK(mounted.get("/page.txt").status == 200);
  CHECK(mounted.get("/none").status == 404);
  CHECK(mounted.shared.cache.size() == 1);
}

TEST_CASE("file cache: a file that was changed just now is read in each turn of the loop") {
  const WwwFolder site;
  site.write("page.txt", "page");
  FileLimits limits;
  limits.settling = std::chrono::hours(1);
  Mounted mounted({site.www()}, limits);
  CHECK(mounted.get("/page.txt").body == "page");
  // As after two changes within one tick of the file system's clock: the same size and times, other bytes. The time of the last
  // change of the status cannot be set back, so the kept bytes are changed here.
  const std::string lie = "lie!";
  mounted.shared.cache.peek(mounted.mount(), "/page.txt")->plain.bytes = Shared<std::string>(lie);
  CHECK(mounted.get("/page.txt").body == lie);
  mounted.next_turn();
  CHECK(mounted.get("/page.txt").body == "page");

  limits.settling = std::chrono::milliseconds(0);
  site.write("page.txt.br", "coded");
  Mounted settled({site.www()}, limits);
  const char* accept = "Accept-Encoding: br\r\n";
  CHECK(settled.get("/page.txt", accept).body == "coded");
  Representation& coded = settled.shared.cache.peek(settled.mount(), "/page.txt")->coded.front();
  coded.bytes = Shared<std::string>(lie);
  settled.next_turn();
  CHECK(settled.get("/page.txt", accept).body == lie);
  coded.settled = false;
  settled.next_turn();
  CHECK(settled.get("/page.txt", accept).body == "coded");
}

TEST_CASE("file cache: many paths stay within the limits, whatever is asked for") {
  const WwwFolder site;
  for (int i = 0; i < 60; ++i) site.write(base::concat("file", i), std::string(i % 3 == 0 ? 70'000 : 3000, 'x'));
  Mounted mounted({site.www()}, limits_of(40'000, 30, 5));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 60; ++i) {
      const Answer answer = mounted.get(base::concat("/file", i));
      CHECK(answer.body.size() == (i % 3 == 0 ? 70'000U : 3000U));
      CHECK(mounted.shared.cache.bytes() <= 40'000);
      CHECK(mounted.shared.cache.size() <= 30);
      CHECK(mounted.shared.cache.descriptors() <= 5);
    }
  }
}

TEST_CASE("file cache: the spelling of a path makes no other entry") {
  const WwwFolder site;
  site.write("page.txt", "page");
  Mounted mounted({site.www()});
  for (const char* target : {"/page.txt", "/%70age.txt", "/p%61ge.txt", "/page%2Etxt", "/page.txt?query"}) {
    CHECK(mounted.get(target).body == "page");
    CHECK(mounted.shared.cache.size() == 1);
  }
}

TEST_CASE("file cache: defaults") {
  const FileLimits limits;
  CHECK(limits.cached_bytes == 16 * 1024 * 1024);
  CHECK(limits.cached_files == 4096);
  CHECK(limits.short_file == 64 * 1024);
  CHECK(limits.open_files == 64);
  CHECK(limits.jobs == 8);
  CHECK(limits.unused == std::chrono::seconds(60));
  CHECK(limits.settling == std::chrono::seconds(2));
  const WwwFolder site;
  site.write("short", std::string(64 * 1024, 'x'));
  site.write("long", std::string(64 * 1024 + 1, 'x'));
  Mounted mounted({site.www()});
  CHECK(mounted.get("/short").status == 200);
  CHECK(mounted.shared.cache.descriptors() == 0);
  CHECK(mounted.get("/long").status == 200);
  CHECK(mounted.shared.cache.descriptors() == 1);
}
