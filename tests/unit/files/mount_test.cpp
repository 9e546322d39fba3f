#include "files/mount.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "unit/files/mounted.h"
#include "unit/files/www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;
namespace fs = std::filesystem;

/// A site, and next to it files that must not be served.
struct Site : WwwFolder {
  Site() {
    write("../secret.txt", "secret");
    write("index.html", "front page");
    write("page.html", "page");
    write("sub/index.html", "sub page");
    write("sub/deep/file.bin", "deep");
    write("plain/note.txt", "note");
    write("with space.txt", "space");
    write("w\xC3\xB6rld.txt", "utf-8");
    write("percent%41.txt", "percent");
    write("a..b.txt", "dots");
    write("back\\slash.txt", "backslash");
    write(".hidden", "hidden");
    write(".git/config", "hidden");
    write("empty.txt", "");
  }
  [[nodiscard]] Files files() const { return Files{www()}; }
};

std::ptrdiff_t open_files() { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); }

}  // namespace

TEST_CASE("files: the bytes, the type, the length") {
  const Site site;
  Mounted mounted(site.files());
  const Answer answer = mounted.get("/page.html");
  CHECK(answer.status == 200);
  CHECK(answer.body == "page");
  CHECK(answer.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(answer.field("Content-Length") == "4");
  CHECK(answer.field("Accept-Ranges") == "bytes");
  CHECK(answer.field("Date") != "none");
  CHECK(answer.field("Cache-Control") == "none");
  CHECK(answer.field("Vary") == "none");
  CHECK_FALSE(answer.closed);
}

TEST_CASE("files: content types by the last extension") {
  const Site site;
  const std::pair<const char*, const char*> types[] = {{"style.css", "text/css; charset=utf-8"},
                                                       {"app.js", "text/javascript; charset=utf-8"},
                                                       {"data.json", "application/json"},
                                                       {"icon.SVG", "image/svg+xml"},
                                                       {"picture.png", "image/png"},
                                                       {"module.wasm", "application/wasm"},
                                                       {"archive.tar.gz", "application/gzip"},
                                                       {"no-extension", "application/octet-stream"}};
  for (const auto& [name, type] : types) site.write(name, "x");
  Mounted mounted(site.files());
  for (const auto& [name, type] : types) CHECK(mounted.get(std::string("/") + name).field("Content-Type") == type);
}

TEST_CASE("files: a mount's own media types go before the usual") {
  const Site site;
  site.write("page.WHARF", "x");
  site.write("dot.d/none", "x");
  Files files = site.files();
  files.types = {{"wharf", "text/x-wharf"}, {"html", "text/html; charset=iso-8859-1"}, {"d/none", "text/x-wrong"}};
  Mounted mounted(files);
  CHECK(mounted.get("/page.WHARF").field("Content-Type") == "text/x-wharf");
  CHECK(mounted.get("/page.html").field("Content-Type") == "text/html; charset=iso-8859-1");
  CHECK(mounted.get("/").field("Content-Type") == "text/html; charset=iso-8859-1");
  CHECK(mounted.get("/dot.d/none").field("Content-Type") == "application/octet-stream");
}

TEST_CASE("files: Cache-Control of the mount") {
  const Site site;
  Files files = site.files();
  files.cache_control = "public, max-age=3600";
  Mounted mounted(files);
  CHECK(mounted.get("/page.html").field("Cache-Control") == "public, max-age=3600");
  CHECK(mounted.get("/missing").field("Cache-Control") == "none");
}

TEST_CASE("files: a path that ends in a slash serves the index") {
  const Site site;
  Mounted mounted(site.files());
  CHECK(mounted.get("/").body == "front page");
  CHECK(mounted.get("/sub/").body == "sub page");
  CHECK(mounted.get("/sub/?x=1&y=../..").body == "sub page");
  CHECK(mounted.get("/sub/").field("Content-Type") == "text/html; charset=utf-8");
  CHECK(mounted.get("/plain/").status == 404);  // no index there, and no listing
  CHECK(mounted.get("/page.html/").status == 404);
}

TEST_CASE("files: the first index that exists") {
  const Site site;
  Files files = site.files();
  files.index = {"home.html", "note.txt", "index.html"};
  Mounted mounted(files);
  CHECK(mounted.get("/").body == "front page");
  CHECK(mounted.get("/plain/").body == "note");
  mounted.next_turn();
  site.write("home.html", "home");
  CHECK(mounted.get("/").body == "home");
  mounted.next_turn();
  fs::remove(site.www() / "home.html");
  CHECK(mounted.get("/").body == "front page");
  mounted.next_turn();
  fs::create_directory(site.www() / "home.html");  // a folder is no index
  CHECK(mounted.get("/").body == "front page");
  Mounted none({site.www(), {}});
  CHECK(none.get("/").status == 404);
  CHECK(none.get("/index.html").body == "front page");
}

TEST_CASE("files: a folder without its slash is moved to the same path with it") {
  const Site site;
  fs::create_directory_symlink("sub", site.www() / "linked");
  fs::create_directory_symlink(site.root, site.www() / "outside");
  Mounted mounted(site.files());
  const std::pair<const char*, const char*> moves[] = {
      {"/sub", "/sub/"},      {"/sub/deep", "/sub/deep/"},           {"/sub%2Fdeep", "/sub%2Fdeep/"},
      {"/%73ub", "/%73ub/"},  {"/sub?a=b&c=//d", "/sub/?a=b&c=//d"}, {"http://localhost/sub", "/sub/"},
      {"/linked", "/linked/"}};
  for (const auto& each : moves) {
    const auto& from = each.first;
    const auto& to = each.second;
    CAPTURE(from);
    const Answer answer = mounted.get(from);
    CHECK(answer.status == 301);
    CHECK(answer.field("Location") == to);
  }
  for (const char* path : {"//sub", "/%2fsub", "/\\sub", "/%5Csub", "/sub//deep", "/outside", "/.git"}) {
    CAPTURE(path);
    CHECK(mounted.get(path).status == 404);
    CHECK(mounted.get(path).field("Location") == "none");
  }
}

TEST_CASE("files: HEAD has the head of GET and no body (RFC 9110 section 9.3.2)") {
  const Site site;
  site.write("long.bin", noise(100'000));
  Mounted mounted(site.files());
  for (const std::string_view target : {"/page.html", "/", "/empty.txt", "/missing", "/sub", "/long.bin"}) {
    const Answer get = mounted.get(target);
    const Answer head = mounted.ask(Mounted::head("HEAD", target));
    CHECK(head.head == get.head);
    CHECK(head.body.empty());
  }
}

TEST_CASE("files: other methods get 405 and what is allowed (RFC 9110 section 15.5.6)") {
  const Site site;
  Mounted mounted(site.files());
  for (const std::string_view method : {"POST", "PUT", "DELETE", "PATCH", "TRACE"}) {
    const Answer answer = mounted.ask(Mounted::head(method, "/page.html"));
    CHECK(answer.status == 405);
    CHECK(answer.field("Allow") == "GET, HEAD, OPTIONS");
    CHECK(answer.body == "Only GET, HEAD and OPTIONS are answered here.\n");
  }
}

TEST_CASE("files: a method that nobody knows is 501 (RFC 9110 section 9.1)") {
  const Site site;
  Mounted mounted(site.files());
  for (const std::string_view method : {"get", "BREW", "PROPFIND", "GETS", "X"}) {
    CAPTURE(method);
    const Answer answer = mounted.ask(Mounted::head(method, "/page.html"));
    CHECK(answer.status == 501);
    CHECK(answer.field("Allow") == "none");
    CHECK_FALSE(answer.closed);
  }
}

TEST_CASE("files: OPTIONS says what is allowed (RFC 9110 section 9.3.7)") {
  const Site site;
  Mounted mounted(site.files());
  const Answer answer = mounted.ask(Mounted::head("OPTIONS", "/page.html"));
  CHECK(answer.status == 204);
  CHECK(answer.field("Allow") == "GET, HEAD, OPTIONS");
  CHECK(answer.body.empty());
  CHECK_FALSE(answer.closed);
}

TEST_CASE("files: a missing file is 404") {
  const Site site;
  Mounted mounted(site.files());
  const Answer answer = mounted.get("/missing.html");
  CHECK(answer.status == 404);
  CHECK(answer.body == "There is nothing here.\n");
  CHECK(mounted.get("/sub/missing/").status == 404);
  CHECK(mounted.get("/page.html/more").status == 404);
  CHECK(mounted.get("/" + std::string(4000, 'x')).status == 404);  // longer than a file name may be
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "/ab";
  CHECK(mounted.get(deep).status == 404);  // longer than a path may be
}

TEST_CASE("files: percent-encoding is undone exactly once") {
  const Site site;
  Mounted mounted(site.files());
  CHECK(mounted.get("/with%20space.txt").body == "space");
  CHECK(mounted.get("/w%C3%B6rld.txt").body == "utf-8");
  CHECK(mounted.get("/%70age.html").body == "page");
  CHECK(mounted.get("/sub%2Fdeep%2ffile.bin").body == "deep");
  CHECK(mounted.get("/percent%2541.txt").body == "percent");
  CHECK(mounted.get("/percent%41.txt").status == 404);
  CHECK(mounted.get("/a..b.txt").body == "dots");
}

TEST_CASE("files: hidden files are 404, and so are names that cannot be those of files") {
  const Site site;
  Mounted mounted(site.files());
  for (const std::string_view target : {"/.hidden", "/%2ehidden", "/.git/config", "/.git/", "/%2Egit/config", "/../secret.txt",
                                        "/sub/../../secret.txt", "/..%2fsecret.txt", "/sub/..", "/./page.html", "/..\\secret.txt",
                                        "/back%5cslash.txt", "//page.html", "/sub//index.html", "/%2fetc/passwd"}) {
    CAPTURE(target);
    CHECK(mounted.get(target).status == 404);
  }
}

TEST_CASE("files: a folder that has gone serves nothing, not even of the root folder") {
  const Site site;
  REQUIRE(fs::exists("/etc/passwd"));
  Mounted mounted(site.files());
  CHECK(mounted.get("/page.html").status == 200);
  mounted.next_turn();
  fs::remove_all(site.www());
  for (const char* target : {"/", "/page.html", "/etc/passwd", "//etc/passwd"}) CHECK(mounted.get(target).status == 404);
  LoopFiles shared;
  CHECK_FALSE(FileMount::open(site.files(), shared));
}

TEST_CASE("files: another folder under the same name changes nothing") {
  const Site site;
  Mounted mounted(site.files());
  fs::rename(site.www(), site.root / "old");
  site.write("page.html", "new page");
  CHECK(mounted.get("/page.html").body == "page");
}

TEST_CASE("files: the same if the kernel does not know openat2()") {
  const Site site;
  fs::create_symlink("page.html", site.www() / "link.html");
  fs::create_symlink(site.www() / "page.html", site.www() / "absolute.html");
  fs::create_symlink("../secret.txt", site.www() / "out.txt");
  fs::create_directory_symlink("..", site.www() / "out");
  for (const auto resolution : {OpenFolder::Resolution::kernel, OpenFolder::Resolution::walk}) {
    Files files = site.files();
    files.listing = Listing::on;
    Mounted mounted(files, settled_at_once(), nullptr, resolution);
    for (const char* target : {"/page.html", "/link.html", "/absolute.html"}) CHECK(mounted.get(target).body == "page");
    CHECK(mounted.get("/sub/").body == "sub page");
    CHECK(mounted.get("/sub").status == 301);
    CHECK(mounted.get("/plain/").body.find("\"./note.txt\"") != std::string::npos);
    for (const char* target : {"/out.txt", "/out/secret.txt", "/out/", "/out", "/missing", "/page.html/"})
      CHECK(mounted.get(target).status == 404);
    site.write("page.html", "changed");
    mounted.next_turn();
    for (const char* target : {"/page.html", "/link.html", "/absolute.html"}) CHECK(mounted.get(target).body == "changed");
    site.write("page.html", "page");
  }
}

TEST_CASE("files: other things than regular files are not served, and do not block") {
  const Site site;
  REQUIRE(mkfifo((site.www() / "pipe").c_str(), 0644) == 0);
  Mounted mounted(site.files());
  CHECK(mounted.get("/pipe").status == 404);
}

TEST_CASE("files: a file that may not be read is 404") {
  const Site site;
  site.write("locked.txt", "locked");
  fs::permissions(site.www() / "locked.txt", fs::perms::none);
  Mounted mounted(site.files());
  CHECK(mounted.get("/sub/index.html").status == 200);
  mounted.next_turn();
  fs::permissions(site.www() / "sub", fs::perms::none);
  int locked = 0, in_locked_folder = 0, open = 0;
  {
    const Unprivileged now;
    locked = mounted.get("/locked.txt").status;
    in_locked_folder = mounted.get("/sub/index.html").status;
    open = mounted.get("/page.html").status;
  }
  fs::permissions(site.www() / "sub", fs::perms(0755));
  CHECK(locked == 404);
  CHECK(in_locked_folder == 404);
  CHECK(open == 200);
}

TEST_CASE("files: an empty file is an empty response, and the connection goes on") {
  const Site site;
  Mounted mounted(site.files());
  const auto link = mounted.connect();
  link->receive(Mounted::head("GET", "/empty.txt") + Mounted::head("GET", "/page.html"));
  const std::string answers = link->take();
  CHECK(answers.find("Content-Length: 0\r\n") != std::string::npos);
  CHECK(answers.ends_with("\r\n\r\npage"));
  CHECK_FALSE(link->closed());
  link->abort();
  link->run();
}

TEST_CASE("files: 5 MiB through a small window, every byte, and never much of it in memory") {
  const Site site;
  const std::string big = noise(5 * 1024 * 1024);
  site.write("big.bin", big);
  Mounted mounted(site.files());
  const auto link = mounted.connect();
  link->set_window(0);
  link->receive(Mounted::head("GET", "/big.bin") + Mounted::head("GET", "/page.html"));
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

TEST_CASE("files: a file that shrinks while it is sent breaks the connection off") {
  const Site site;
  site.write("big.bin", std::string(1024 * 1024, 'x'));
  Mounted mounted(site.files());
  const auto link = mounted.connect();
  link->set_window(1000);
  link->receive(Mounted::head("GET", "/big.bin"));
  fs::resize_file(site.www() / "big.bin", 100);
  link->set_window(session::MemoryLink::unlimited);
  for (int turn = 0; turn < 100 && !link->closed(); ++turn) link->run();
  CHECK(link->was_aborted());
  CHECK(link->take().size() < 1024 * 1024);
}

TEST_CASE("files: a client that leaves in the middle of a file leaves nothing open except what is kept") {
  const Site site;
  site.write("big.bin", std::string(1024 * 1024, 'x'));
  Mounted mounted(site.files());
  const auto before = open_files();
  const auto link = mounted.connect();
  link->set_window(1000);
  link->receive(Mounted::head("GET", "/big.bin"));
  CHECK(open_files() == before + 1);
  link->abort();
  link->run();
  CHECK(open_files() == before + 1);
  CHECK(mounted.shared.cache.descriptors() == 1);
  mounted.shared.cache.drop_open();
  CHECK(open_files() == before);
}

TEST_CASE("files: a file that is dropped from the cache while it is sent is sent to the end") {
  const Site site;
  const std::string big = noise(1024 * 1024);
  site.write("big.bin", big);
  Mounted mounted(site.files());
  const auto link = mounted.connect();
  link->set_window(1000);
  link->receive(Mounted::head("GET", "/big.bin"));
  mounted.shared.cache.drop_open();
  fs::remove(site.www() / "big.bin");
  link->set_window(session::MemoryLink::unlimited);
  for (int turn = 0; turn < 100 && !link->closed(); ++turn) link->run();
  CHECK(Mounted::answer_on(*link).body == big);
  link->abort();
  link->run();
}

TEST_CASE("files: mounts that cannot be") {
  const Site site;
  CHECK(FileMount::check(site.files()).empty());
  const std::string missing = site.www() / "missing";
  CHECK(FileMount::check({missing}) ==
        "cannot serve files from '" + missing + "': No such file or directory; name a folder that exists and can be read");
  CHECK_FALSE(FileMount::check({""}).empty());
  const std::string file = site.www() / "page.html";
  fs::permissions(file, fs::perms(0755));
  CHECK(FileMount::check({file}) == "cannot serve files from '" + file + "': it is not a folder");
  const auto fault = [&site](const std::function<void(Files&)>& change) {
    Files files = site.files();
    change(files);
    return FileMount::check(files);
  };
  CHECK(fault([](Files& f) { f.index = {"sub/index.html"}; }) == "'sub/index.html' is no name of an index file");
  for (const char* name : {"", ".", ".."}) CHECK_FALSE(fault([name](Files& f) { f.index = {"index.html", name}; }).empty());
  CHECK(fault([](Files& f) { f.types["x"] = "text/x\r\nSet-Cookie: a=b"; }) == "the media type for 'x' is no value of a field");
  CHECK_FALSE(fault([](Files& f) { f.types["x"] = ""; }).empty());
  CHECK(fault([](Files& f) { f.cache_control = "no-store\n"; }) == "cache_control has a line break or another control character");
  const fs::path locked = site.root / "locked";
  fs::create_directory(locked);
  fs::permissions(locked, fs::perms::none);
  const Unprivileged now;
  CHECK(FileMount::check({locked}) ==
        "cannot serve files from '" + locked.string() + "': Permission denied; name a folder that exists and can be read");
}

TEST_CASE("files: a mount's folder as an absolute path") {
  const Site site;
  fs::create_directory_symlink("www", site.root / "current");
  CHECK(FileMount::resolved({(site.root / "current").string() + "/"}).folder == site.www());
  CHECK(FileMount::resolved({(site.root / "missing").string()}).folder == site.root / "missing");
  Mounted mounted({(site.root / "current").string() + "/"});
  CHECK(mounted.get("/page.html").body == "page");
}

TEST_CASE("files: a folder that was removed and made anew is found again, and nothing of the old one is served") {
  for (const auto resolution : {OpenFolder::Resolution::kernel, OpenFolder::Resolution::walk}) {
    const Site site;
    Files files = site.files();
    files.listing = Listing::on;
    Mounted mounted(files, settled_at_once(), nullptr, resolution);
    CHECK(mounted.get("/page.html").body == "page");
    fs::remove_all(site.www());
    mounted.next_turn();
    CHECK(mounted.get("/page.html").status == 404);
    CHECK(mounted.get("/").status == 404);
    mounted.next_turn();
    site.write("page.html", "anew");
    CHECK(mounted.get("/page.html").body == "anew");
    CHECK(mounted.get("/sub/index.html").status == 404);
    CHECK(mounted.get("/").status == 200);

    fs::remove_all(site.www());  // and again, first asked for by a folder
    site.write("index.html", "again");
    mounted.next_turn();
    CHECK(mounted.get("/").body == "again");
  }
}

TEST_CASE("files: a folder that was replaced is found when the server is told to look, and served as it was until then") {
  const Site site;
  Mounted mounted(site.files());
  CHECK(mounted.mount().look_again().empty());
  fs::rename(site.www(), site.root / "old");
  site.write("page.html", "new page");
  mounted.next_turn();
  CHECK(mounted.get("/page.html").body == "page");
  CHECK(mounted.mount().look_again().empty());
  CHECK(mounted.get("/page.html").body == "new page");

  fs::rename(site.www(), site.root / "older");
  CHECK(mounted.mount().look_again() == "cannot serve files from '" + site.www().string() + "': No such file or directory");
  CHECK(mounted.get("/page.html").body == "new page");
}

TEST_CASE("files: a link where the removed folder was, or above it, leads nowhere") {
  for (const auto resolution : {OpenFolder::Resolution::kernel, OpenFolder::Resolution::walk}) {
    const Site site;
    fs::create_directories(site.root / "secret");
    std::ofstream(site.root / "secret/page.html") << "secret";
    fs::create_directories(site.root / "a/www");
    std::ofstream(site.root / "a/www/page.html") << "inside";
    Files files = site.files();
    files.folder = site.root / "a/www";
    Mounted mounted(files, settled_at_once(), nullptr, resolution);
    CHECK(mounted.get("/page.html").body == "inside");
    fs::remove_all(site.root / "a/www");
    fs::create_directory_symlink(site.root / "secret", site.root / "a/www");
    mounted.next_turn();
    CHECK(mounted.get("/page.html").status == 404);
    CHECK_FALSE(mounted.mount().look_again().empty());
    CHECK(mounted.get("/page.html").status == 404);

    fs::remove_all(site.root / "a");
    fs::create_directories(site.root / "b/www");
    std::ofstream(site.root / "b/www/page.html") << "elsewhere";
    fs::create_directory_symlink("b", site.root / "a");
    mounted.next_turn();
    CHECK(mounted.get("/page.html").status == 404);
    CHECK_FALSE(mounted.mount().look_again().empty());
  }
}
