#include "files/open_folder.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "unit/files/www_folder.h"

namespace {

using namespace wharf::server;
using Resolution = OpenFolder::Resolution;
namespace fs = std::filesystem;

constexpr std::array<Resolution, 2> resolutions{Resolution::kernel, Resolution::walk};

/// Called once, after the next path was resolved: a moment at which others may change the folder.
std::function<void()> after_real_path;

std::string content(const wharf::base::Result<OpenedFile, OpenFailure>& opened) {
  if (!opened) return opened.error() == OpenFailure::missing ? "(missing)" : "(unavailable)";
  std::array<char, 100> room{};
  const ssize_t size = pread(opened->file.get(), room.data(), room.size(), 0);
  return {room.data(), static_cast<std::size_t>(size)};
}

OpenFolder opened(const fs::path& folder, Resolution resolution) {
  auto open = OpenFolder::open(folder, resolution);
  REQUIRE(open);
  return std::move(*open);
}

struct Site : WwwFolder {
  Site() {
    write("../secret/file", "secret");
    write("file", "top");
    write("sub/file", "sub");
    write("sub/deep/file", "deep");
    write(".hidden/file", "hidden");
  }
};

}  // namespace

/// Replaces the system's in this program.
extern "C" char* realpath(const char* name, char* resolved) noexcept {
  using RealPath = char* (*)(const char*, char*);
  static const auto systems = reinterpret_cast<RealPath>(dlsym(RTLD_NEXT, "realpath"));
  char* const path = systems(name, resolved);
  if (const std::function<void()> deed = std::exchange(after_real_path, nullptr)) deed();
  return path;
}

TEST_CASE("open folder: files, and what they are") {
  const Site site;
  for (const Resolution resolution : resolutions) {
    const OpenFolder folder = opened(site.www(), resolution);
    CHECK(content(folder.open_file("file")) == "top");
    CHECK(content(folder.open_file("sub/deep/file")) == "deep");
    CHECK(content(folder.open_file("sub//file")) == "sub");
    for (const char* name : {"", "sub", "sub/", "file/", "file/file", "missing", "missing/file"})
      CHECK(content(folder.open_file(name)) == "(missing)");
    CHECK(content(folder.open_file(std::string(300, 'x'))) == "(missing)");
    CHECK(content(folder.open_file(std::string(5000, 'x'))) == "(missing)");
    const FileStatus status = folder.look("sub/file");
    CHECK(status.kind == FileKind::regular);
    CHECK(status.identity.size == 3);
    CHECK(folder.open_file("sub/file")->identity == status.identity);
    CHECK(folder.open_file("file")->identity != status.identity);
    CHECK(folder.look("sub").kind == FileKind::folder);
    CHECK(folder.look("").kind == FileKind::folder);
    CHECK(folder.look("missing").kind == FileKind::none);
    CHECK(folder.open_folder(""));
    CHECK(folder.open_folder("sub/"));
    CHECK_FALSE(folder.open_folder("file"));
  }
}

TEST_CASE("open folder: links are followed inside and not out of it") {
  const Site site;
  fs::create_symlink("sub/file", site.www() / "relative");
  fs::create_symlink(site.www() / "sub/file", site.www() / "absolute");
  fs::create_symlink("../file", site.www() / "sub/up");
  fs::create_symlink("../../www/file", site.www() / "sub/out-and-in");
  fs::create_directory_symlink("sub", site.www() / "folder");
  fs::create_directory_symlink(site.www() / "sub", site.www() / "absolute-folder");
  fs::create_symlink("absolute-folder/up", site.www() / "chain");
  fs::create_symlink(".hidden/file", site.www() / "hidden");
  fs::create_symlink(site.root / "secret/file", site.www() / "out");
  fs::create_symlink("../secret/file", site.www() / "out-relative");
  fs::create_symlink("../../secret/file", site.www() / "sub/out-relative");
  fs::create_directory_symlink(site.root, site.www() / "out-folder");
  fs::create_directory_symlink("..", site.www() / "parent");
  fs::create_directory_symlink("/", site.www() / "root");
  fs::create_symlink("out", site.www() / "out-chain");
  fs::create_symlink("loop", site.www() / "loop");
  fs::create_symlink("nowhere", site.www() / "dangling");
  fs::create_directory_symlink("/proc/self/cwd", site.www() / "magic");
  fs::create_directory(site.root / "www-other");
  fs::create_symlink(site.root / "www-other", site.www() / "beside");
  fs::create_hard_link(site.root / "secret/file", site.root / "www-other/file");
  for (const Resolution resolution : resolutions) {
    const OpenFolder folder = opened(site.www(), resolution);
    const std::pair<std::string, std::string> good[] = {
        {"relative", "sub"},  {"absolute", "sub"},           {"sub/up", "top"}, {"folder/deep/file", "deep"},
        {"folder/up", "top"}, {"absolute-folder/up", "top"}, {"chain", "top"},  {"hidden", "hidden"}};
    for (const auto& each : good) {
      const auto& name = each.first;
      const auto& text = each.second;
      CAPTURE(name);
      CHECK(content(folder.open_file(name)) == text);
      CHECK(folder.look_inside(name).identity == folder.look(name).identity);
    }
    // A link that leads out and in again is inside.
    CHECK(content(folder.open_file("sub/out-and-in")) == "top");
    for (const char* name : {"out", "out-relative", "sub/out-relative", "out-folder/secret/file", "parent/secret/file", "out-chain",
                             "beside/file", "loop", "dangling", "root/etc/passwd", "magic/file"}) {
      CAPTURE(name);
      CHECK(content(folder.open_file(name)) == "(missing)");
      CHECK(folder.look_inside(name).kind == FileKind::none);
    }
    for (const char* name : {"out-folder", "parent", "root", "beside", "out-folder/secret", "magic"}) {
      CAPTURE(name);
      CHECK_FALSE(folder.open_folder(name));
    }
  }
}

TEST_CASE("open folder: no magic link is followed, wherever it leads") {
  const Site site;
  const int inside = open((site.www() / "file").c_str(), O_RDONLY);
  fs::create_symlink("/proc/self/fd/" + std::to_string(inside), site.www() / "magic");
  const int outside = open((site.root / "secret/file").c_str(), O_RDONLY);
  fs::create_symlink("/proc/self/fd/" + std::to_string(outside), site.www() / "magic-out");
  for (const Resolution resolution : resolutions) {
    const OpenFolder folder = opened(site.www(), resolution);
    CHECK(content(folder.open_file("magic-out")) == "(missing)");
    CHECK(content(folder.open_file("magic")) == "top");  // by its name, which is inside
  }
  close(inside);
  close(outside);
}

TEST_CASE("open folder: other things than regular files are not opened, and do not block") {
  const Site site;
  REQUIRE(mkfifo((site.www() / "pipe").c_str(), 0644) == 0);
  fs::create_symlink("pipe", site.www() / "link");
  fs::create_symlink("/dev/zero", site.www() / "zero");
  for (const Resolution resolution : resolutions) {
    const OpenFolder folder = opened(site.www(), resolution);
    for (const char* name : {"pipe", "link", "zero"}) CHECK(content(folder.open_file(name)) == "(missing)");
    CHECK(folder.look("pipe").kind == FileKind::other);
  }
}

TEST_CASE("open folder: a folder that becomes a link out of it while a file is looked up gives nothing away") {
  for (const char* which : {"", "sub", "sub/deep"}) {
    CAPTURE(which);
    const Site site;
    const OpenFolder folder = opened(site.www(), Resolution::walk);
    const fs::path moving = *which == '\0' ? site.www() : site.www() / which;
    const fs::path outside = site.root / "outside";
    fs::create_directories(outside / "sub/deep");
    for (const char* name : {"file", "sub/deep/file", "deep/file"}) {
      fs::create_directories((outside / name).parent_path());
      fs::copy_file(site.root / "secret/file", outside / name);
    }
    CHECK(content(folder.open_file("sub/deep/file")) == "deep");
    after_real_path = [&] {
      fs::rename(moving, site.root / "away");
      fs::create_directory_symlink(outside, moving);
    };
    const std::string found = content(folder.open_file("sub/deep/file"));
    CHECK_FALSE(after_real_path);
    CHECK(found == (*which == '\0' ? "deep" : "(missing)"));  // the folder that was opened is served on, whatever its name
    CHECK(content(folder.open_file("sub/deep/file")) != "secret");
  }
}

TEST_CASE("open folder: a file that becomes a link out of it while it is looked up gives nothing away") {
  for (const Resolution resolution : resolutions) {
    for (const char* which : {"sub/deep/file", "sub/deep"}) {
      const Site site;
      fs::create_directories(site.root / "outside");
      fs::copy_file(site.root / "secret/file", site.root / "outside/file");
      fs::create_symlink(site.www() / "sub/deep/file", site.www() / "absolute");
      const OpenFolder folder = opened(site.www(), resolution);
      CHECK(content(folder.open_file("absolute")) == "deep");
      after_real_path = [&] {
        fs::rename(site.www() / which, site.root / "away");
        fs::create_symlink(site.root / (which == std::string("sub/deep") ? "outside" : "secret/file"), site.www() / which);
      };
      CHECK(content(folder.open_file("absolute")) == "(missing)");
      CHECK_FALSE(after_real_path);
      CHECK(content(folder.open_file("absolute")) == "(missing)");
    }
  }
}

TEST_CASE("open folder: folders that are swapped for links all the time give nothing away") {
  const Site site;
  fs::create_directories(site.root / "outside/deep");
  fs::copy_file(site.root / "secret/file", site.root / "outside/deep/file");
  fs::create_directory_symlink(site.root / "outside", site.root / "link");
  fs::create_symlink(site.www() / "sub/deep/file", site.www() / "absolute");
  for (const Resolution resolution : resolutions) {
    const OpenFolder folder = opened(site.www(), resolution);
    std::atomic<bool> over{false};
    std::thread swapping([&] {
      const fs::path a = site.www() / "sub", b = site.root / "link";
      while (!over) renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
    });
    int found = 0, missing = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (int i = 0; i < 3000 || ((found == 0 || missing == 0) && std::chrono::steady_clock::now() < deadline); ++i) {
      const std::string text = content(folder.open_file(i % 2 == 0 ? "sub/deep/file" : "absolute"));
      CHECK(text != "secret");
      ++(text == "deep" ? found : missing);
    }
    over = true;
    swapping.join();
    CHECK(found > 0);
    CHECK(missing > 0);
    if (fs::is_symlink(site.www() / "sub"))
      REQUIRE(renameat2(AT_FDCWD, (site.www() / "sub").c_str(), AT_FDCWD, (site.root / "link").c_str(), RENAME_EXCHANGE) == 0);
  }
}

TEST_CASE("open folder: it goes by the folder, not by its name") {
  for (const Resolution resolution : resolutions) {
    const Site site;
    fs::create_symlink(site.www() / "sub/file", site.www() / "absolute");
    const OpenFolder folder = opened(site.www(), resolution);
    fs::rename(site.www(), site.root / "renamed");
    CHECK(content(folder.open_file("sub/file")) == "sub");
    site.write("sub/file", "new");
    CHECK(content(folder.open_file("sub/file")) == "sub");
    CHECK(content(folder.open_file("absolute")) == "(missing)");  // it leads to the new one now
    fs::remove_all(site.root / "renamed");
    CHECK(content(folder.open_file("sub/file")) == "(missing)");
  }
}

TEST_CASE("open folder: no descriptors left is not the same as missing") {
  const Site site;
  const OpenFolder folder = opened(site.www(), Resolution::kernel);
  std::vector<wharf::base::Descriptor> all;
  for (;;) {
    wharf::base::Descriptor one(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!one) break;
    all.push_back(std::move(one));
    if (all.size() > 100'000) break;
  }
  const bool used_up = all.size() <= 100'000;
  const std::string found = content(folder.open_file("file"));
  all.clear();
  if (used_up) CHECK(found == "(unavailable)");
  CHECK(content(folder.open_file("file")) == "top");
}

TEST_CASE("open folder: folders that cannot be opened") {
  const Site site;
  const auto missing = OpenFolder::open(site.root / "missing");
  REQUIRE_FALSE(missing);
  CHECK(missing.error() == "No such file or directory");
  CHECK_FALSE(OpenFolder::open(site.www() / "file"));
  CHECK_FALSE(OpenFolder::open(""));
}
