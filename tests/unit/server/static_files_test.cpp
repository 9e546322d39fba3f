#include "server/static_files.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "served.h"

namespace {

using namespace wharf;
using namespace wharf::server;
namespace fs = std::filesystem;

void write_file(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

/// A folder `www` with files, and next to it what must not be served.
class Files {
 public:
  Files() {
    std::string name = fs::temp_directory_path() / "wharf-files-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root = name;
    fs::permissions(root, fs::perms(0755));
    write_file(root / "secret.txt", "secret");
    write_file(root / "www2" / "secret.txt", "secret");
    write_file(www() / "index.html", "front page");
    write_file(www() / "page.html", "page");
    write_file(www() / "sub" / "index.html", "sub page");
    write_file(www() / "sub" / "deep" / "file.bin", "deep");
    write_file(www() / "plain" / "note.txt", "note");
    write_file(www() / "with space.txt", "space");
    write_file(www() / "w\xC3\xB6rld.txt", "utf-8");
    write_file(www() / "percent%41.txt", "percent");
    write_file(www() / "a..b.txt", "dots");
    write_file(www() / "back\\slash.txt", "backslash");
    write_file(www() / ".hidden", "hidden");
    write_file(www() / ".git" / "config", "hidden");
    write_file(www() / "empty.txt", "");
  }
  ~Files() { fs::remove_all(root); }

  [[nodiscard]] fs::path www() const { return root / "www"; }
  [[nodiscard]] VirtualHost host(const std::string& prefix = "/", const std::string& index = "index.html") const {
    VirtualHost host;
    host.mounts.push_back({prefix, www(), index});
    return host;
  }

  fs::path root;
};

/// As long as it lives, this process may read what everybody may read.
class Unprivileged {
 public:
  Unprivileged() : was_(geteuid()) {
    if (was_ == 0) REQUIRE(seteuid(65534) == 0);
  }
  ~Unprivileged() {
    if (was_ == 0 && seteuid(0) != 0) abort();
  }

 private:
  uid_t was_;
};

/// Done once, after the next path was resolved by the server: a moment at which others may change the folder.
std::function<void()> after_real_path;

}  // namespace

/// Stands before the system's in this program.
extern "C" char* realpath(const char* name, char* resolved) noexcept {
  using RealPath = char* (*)(const char*, char*);
  static const auto systems = reinterpret_cast<RealPath>(dlsym(RTLD_NEXT, "realpath"));
  char* const path = systems(name, resolved);
  if (const std::function<void()> deed = std::exchange(after_real_path, nullptr)) deed();
  return path;
}

TEST_CASE("static files: the bytes, the type, the length") {
  const Files files;
  Served served({files.host()});
  const Answer answer = served.get("/page.html");
  CHECK(answer.status == 200);
  CHECK(answer.body == "page");
  CHECK(answer.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(answer.field("Content-Length") == "4");
  CHECK(answer.field("Date") != "none");
  CHECK_FALSE(answer.closed);
}

TEST_CASE("static files: content types by the last extension") {
  const Files files;
  const std::pair<const char*, const char*> types[] = {{"style.css", "text/css; charset=utf-8"},
                                                       {"app.js", "text/javascript; charset=utf-8"},
                                                       {"data.json", "application/json"},
                                                       {"icon.SVG", "image/svg+xml"},
                                                       {"picture.png", "image/png"},
                                                       {"module.wasm", "application/wasm"},
                                                       {"archive.tar.gz", "application/gzip"},
                                                       {"no-extension", "application/octet-stream"}};
  for (const auto& [name, type] : types) write_file(files.www() / name, "x");
  Served served({files.host()});
  for (const auto& [name, type] : types) CHECK(served.get(std::string("/") + name).field("Content-Type") == type);
}

TEST_CASE("static files: a path that ends in a slash serves the index") {
  const Files files;
  Served served({files.host()});
  CHECK(served.get("/").body == "front page");
  CHECK(served.get("/sub/").body == "sub page");
  CHECK(served.get("/sub/?x=1&y=../..").body == "sub page");
  CHECK(served.get("/sub/").field("Content-Type") == "text/html; charset=utf-8");
  CHECK(served.get("/plain/").status == 404);  // no index there, and no listing
  Served other({files.host("/", "note.txt")});
  CHECK(other.get("/plain/").body == "note");
  CHECK(other.get("/").status == 404);
}

TEST_CASE("static files: a folder without its slash is 404") {
  const Files files;
  Served served({files.host()});
  CHECK(served.get("/sub").status == 404);
  CHECK(served.get("/page.html/").status == 404);
}

TEST_CASE("static files: below a prefix") {
  const Files files;
  Served served({files.host("/static/v1/")});
  CHECK(served.get("/static/v1/").body == "front page");
  CHECK(served.get("/static/v1/sub/deep/file.bin").body == "deep");
  CHECK(served.get("/static/v1").status == 404);
  CHECK(served.get("/page.html").status == 404);
  CHECK(served.get("/static/v1/../page.html").status == 404);
}

TEST_CASE("static files: HEAD has the head of GET and no body") {
  const Files files;
  Served served({files.host()});
  for (const std::string_view target : {"/page.html", "/", "/empty.txt", "/missing"}) {
    const Answer get = served.get(target);
    const Answer head = served.ask(Served::head("HEAD", target));
    CHECK(head.status == get.status);
    CHECK(head.body.empty());
    CHECK(head.field("Content-Length") == get.field("Content-Length"));
    CHECK(head.field("Content-Type") == get.field("Content-Type"));
  }
}

TEST_CASE("static files: other methods are answered with 405 and what is allowed") {
  const Files files;
  Served served({files.host()});
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "BREW"}) {
    const Answer answer = served.ask(Served::head(method, "/page.html"));
    CHECK(answer.status == 405);
    CHECK(answer.field("Allow") == "GET, HEAD");
    CHECK(answer.body == "Only GET and HEAD are answered here.\n");
  }
}

TEST_CASE("static files: what is not there is 404") {
  const Files files;
  Served served({files.host()});
  const Answer answer = served.get("/missing.html");
  CHECK(answer.status == 404);
  CHECK(answer.body == "There is nothing here.\n");
  CHECK(served.get("/sub/missing/").status == 404);
  CHECK(served.get("/page.html/more").status == 404);
  CHECK(served.get("/" + std::string(4000, 'x')).status == 404);  // longer than a file name may be
}

TEST_CASE("static files: percent-encoding is undone exactly once") {
  const Files files;
  Served served({files.host()});
  CHECK(served.get("/with%20space.txt").body == "space");
  CHECK(served.get("/w%C3%B6rld.txt").body == "utf-8");
  CHECK(served.get("/%70age.html").body == "page");
  CHECK(served.get("/sub%2Fdeep%2ffile.bin").body == "deep");
  CHECK(served.get("/percent%2541.txt").body == "percent");
  CHECK(served.get("/percent%41.txt").status == 404);
  CHECK(served.get("/a..b.txt").body == "dots");
  for (const std::string_view target : {"/%", "/%4", "/%zz", "/page%.html", "/%2"}) CHECK(served.get(target).status == 400);
}

TEST_CASE("static files: nothing outside the folder") {
  const Files files;
  Served served({files.host()});
  for (const std::string_view target : {"/../secret.txt",
                                        "/%2e%2e/secret.txt",
                                        "/.%2e/secret.txt",
                                        "/%2e./secret.txt",
                                        "/..%2fsecret.txt",
                                        "/%2e%2e%2fsecret.txt",
                                        "/sub/../../secret.txt",
                                        "/sub/%2e%2e/%2e%2e/secret.txt",
                                        "/sub/..",
                                        "/./page.html",
                                        "/%2e/page.html",
                                        "/..",
                                        "/.",
                                        "/%252e%252e/secret.txt",
                                        "/../www2/secret.txt",
                                        "//etc/passwd",
                                        "/%2fetc/passwd",
                                        "//page.html",
                                        "/sub//index.html",
                                        "/..\\secret.txt",
                                        "/..%5csecret.txt",
                                        "/%5c..%5csecret.txt",
                                        "/back%5cslash.txt"}) {
    CAPTURE(target);
    const Answer answer = served.get(target);
    CHECK(answer.status == 404);
    CHECK(answer.body == "There is nothing here.\n");
  }
}

TEST_CASE("static files: hidden files are not there") {
  const Files files;
  Served served({files.host()});
  for (const std::string_view target : {"/.hidden", "/%2ehidden", "/.git/config", "/.git/", "/%2Egit/config"})
    CHECK(served.get(target).status == 404);
}

TEST_CASE("static files: a NUL is refused") {
  const Files files;
  Served served({files.host()});
  for (const std::string_view target : {"/page.html%00", "/%00", "/page.html%00.png", "/sub/%00../"})
    CHECK(served.get(target).status == 400);
}

TEST_CASE("static files: symbolic links are followed within the folder and not out of it") {
  const Files files;
  fs::create_symlink("page.html", files.www() / "link.html");
  fs::create_directory_symlink("sub", files.www() / "linked");
  fs::create_symlink(files.root / "secret.txt", files.www() / "out.txt");
  fs::create_symlink("../secret.txt", files.www() / "out-relative.txt");
  fs::create_directory_symlink(files.root, files.www() / "out-folder");
  fs::create_directory_symlink(files.root / "www2", files.www() / "beside");  // its real path starts with the folder's
  fs::create_symlink("loop", files.www() / "loop");
  fs::create_symlink("nowhere", files.www() / "dangling");
  Served served({files.host()});
  CHECK(served.get("/link.html").body == "page");
  CHECK(served.get("/linked/").body == "sub page");
  for (const std::string_view target :
       {"/out.txt", "/out-relative.txt", "/out-folder/secret.txt", "/beside/secret.txt", "/loop", "/dangling"})
    CHECK(served.get(target).status == 404);
}

TEST_CASE("static files: the mount itself may be a symbolic link") {
  const Files files;
  fs::create_directory_symlink("www", files.root / "current");
  VirtualHost host;
  host.mounts.push_back({"/", (files.root / "current").string() + "/"});
  Served served({host});
  CHECK(served.get("/page.html").body == "page");
  CHECK(served.get("/sub/").body == "sub page");
}

TEST_CASE("static files: a folder that becomes a link out of it while a file is looked up gives nothing away") {
  for (const char* which : {"", "sub", "sub/deep"}) {
    CAPTURE(which);
    const Files files;
    Served served({files.host()});
    const fs::path folder = *which == '\0' ? files.www() : files.www() / which;
    const fs::path outside = files.root / "outside";
    write_file(outside / fs::relative(files.www() / "sub" / "deep" / "file.bin", folder), "secret");
    CHECK(served.get("/sub/deep/file.bin").body == "deep");
    after_real_path = [&] {
      fs::rename(folder, files.root / "away");
      fs::create_directory_symlink(outside, folder);
    };
    const Answer answer = served.get("/sub/deep/file.bin");
    CHECK_FALSE(after_real_path);
    CHECK(answer.status == 404);
    CHECK(answer.body.find("secret") == std::string::npos);
    CHECK(served.get("/sub/deep/file.bin").status == 404);  // and from now on
  }
}

TEST_CASE("static files: a folder that has gone serves nothing, not even of the root folder") {
  const Files files;
  REQUIRE(fs::exists("/etc/passwd"));
  const auto check = [](Served& served) {
    for (const char* target : {"/", "/page.html", "/etc/passwd", "//etc/passwd"}) CHECK(served.get(target).status == 404);
  };
  Served before({files.host()});
  CHECK(before.get("/page.html").status == 200);
  fs::remove_all(files.www());
  check(before);
  Served after({files.host()});
  check(after);
}

TEST_CASE("static files: what is not a regular file is not served, and does not block") {
  const Files files;
  REQUIRE(mkfifo((files.www() / "pipe").c_str(), 0644) == 0);
  Served served({files.host()});
  CHECK(served.get("/pipe").status == 404);
}

TEST_CASE("static files: a file that may not be read is 404") {
  const Files files;
  write_file(files.www() / "locked.txt", "locked");
  fs::permissions(files.www() / "locked.txt", fs::perms::none);
  fs::permissions(files.www() / "sub", fs::perms::none);
  Served served({files.host()});
  int locked = 0, in_locked_folder = 0, open = 0;
  {
    const Unprivileged now;
    locked = served.get("/locked.txt").status;
    in_locked_folder = served.get("/sub/index.html").status;
    open = served.get("/page.html").status;
  }
  fs::permissions(files.www() / "sub", fs::perms(0755));
  CHECK(locked == 404);
  CHECK(in_locked_folder == 404);
  CHECK(open == 200);
}

TEST_CASE("static files: an empty file is an empty answer, and the connection goes on") {
  const Files files;
  Served served({files.host()});
  const auto link = served.connect();
  link->receive(Served::head("GET", "/empty.txt") + Served::head("GET", "/page.html"));
  const std::string answers = link->take();
  CHECK(answers.find("Content-Length: 0\r\n") != std::string::npos);
  CHECK(answers.ends_with("\r\n\r\npage"));
  CHECK_FALSE(link->closed());
  link->abort();
  link->run();
}

TEST_CASE("static files: 5 MiB through a small window, every byte, and never much of it in memory") {
  const Files files;
  std::string big(5 * 1024 * 1024, '\0');
  std::uint32_t noise = 1;
  for (char& byte : big) byte = static_cast<char>((noise = noise * 1664525 + 1013904223) >> 24);
  write_file(files.www() / "big.bin", big);
  Served served({files.host()});
  const auto link = served.connect();
  link->set_window(0);
  link->receive(Served::head("GET", "/big.bin") + Served::head("GET", "/page.html"));
  std::string taken;
  std::size_t most_queued = 0;
  for (int turn = 0; turn < 10'000 && !taken.ends_with("\r\n\r\npage"); ++turn) {
    link->set_window(3001);
    link->run();
    most_queued = std::max(most_queued, link->out().size());
    taken += link->take();
  }
  const std::size_t begin = taken.find("\r\n\r\n") + 4;
  CHECK(taken.substr(0, begin).find("Content-Length: 5242880\r\n") != std::string::npos);
  CHECK(taken.compare(begin, big.size(), big) == 0);
  CHECK(taken.substr(begin + big.size()).starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(most_queued <= 65 * 1024);
  link->abort();
  link->run();
}

TEST_CASE("static files: a file that shrinks while it is sent breaks the connection off") {
  const Files files;
  write_file(files.www() / "big.bin", std::string(1024 * 1024, 'x'));
  Served served({files.host()});
  const auto link = served.connect();
  link->set_window(1000);
  link->receive(Served::head("GET", "/big.bin"));
  fs::resize_file(files.www() / "big.bin", 100);
  link->set_window(session::MemoryLink::unlimited);
  for (int turn = 0; turn < 100 && !link->closed(); ++turn) link->run();
  CHECK(link->was_aborted());
  CHECK(link->take().size() < 1024 * 1024);
}

TEST_CASE("static files: a client that leaves in the middle of a file") {
  const Files files;
  write_file(files.www() / "big.bin", std::string(1024 * 1024, 'x'));
  Served served({files.host()});
  const auto open_files = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); };
  const auto before = open_files();
  const auto link = served.connect();
  link->set_window(1000);
  link->receive(Served::head("GET", "/big.bin"));
  CHECK(open_files() == before + 1);
  link->abort();
  link->run();
  CHECK(open_files() == before);
}

TEST_CASE("static files: folders that can not be mounted") {
  const Files files;
  CHECK(StaticFiles::check_folder({"/", files.www()}).empty());
  CHECK(StaticFiles::check_folder({"/a/b/", files.www()}).empty());
  for (const char* prefix : {"", "a/", "/a", "a"}) {
    const std::string fault = StaticFiles::check_folder({prefix, files.www()});
    CHECK(fault == "mount prefix '" + std::string(prefix) + "' must start and end with '/'");
  }
  const std::string missing = files.www() / "missing";
  CHECK(StaticFiles::check_folder({"/", missing}) ==
        "cannot serve files from '" + missing + "': No such file or directory; name a folder that exists and can be read");
  const std::string file = files.www() / "page.html";
  {
    const Unprivileged now;
    CHECK(StaticFiles::check_folder({"/", file}).starts_with("cannot serve files from '" + file + "': "));
  }
  CHECK_FALSE(StaticFiles::check_folder({"/", ""}).empty());
  const fs::path locked = files.root / "locked";
  fs::create_directory(locked);
  fs::permissions(locked, fs::perms::none);
  const Unprivileged now;
  CHECK(StaticFiles::check_folder({"/", locked}) ==
        "cannot serve files from '" + locked.string() + "': Permission denied; name a folder that exists and can be read");
}
