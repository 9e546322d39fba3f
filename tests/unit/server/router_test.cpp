#include "server/router.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "served.h"

namespace {

using namespace wharf;
using namespace wharf::server;

/// A folder with one index page that says which folder it is.
class PageFolders {
 public:
  PageFolders() {
    std::string name = std::filesystem::temp_directory_path() / "wharf-router-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~PageFolders() { std::filesystem::remove_all(root_); }

  Mount mount(const std::string& prefix, const std::string& says) const {
    std::filesystem::create_directories(root_ / says);
    std::ofstream(root_ / says / "index.html") << says;
    return {prefix, root_ / says};
  }
  VirtualHost host(const std::string& name, std::vector<Mount> mounts) const {
    VirtualHost host;
    host.name = name;
    host.mounts = std::move(mounts);
    return host;
  }

 private:
  std::filesystem::path root_;
};

std::string handshake(std::string_view host, std::string_view protocol) {
  return base::concat("GET / HTTP/1.1\r\nHost: ", host,
                      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ",
                      protocol, "\r\n\r\n");
}

}  // namespace

TEST_CASE("router: the host is compared whole, ignoring case and port") {
  const PageFolders folders;
  Served served({folders.host("", {folders.mount("/", "others")}), folders.host("one.example", {folders.mount("/", "one")}),
                 folders.host("Two.Example", {folders.mount("/", "two")}), folders.host("[::1]", {folders.mount("/", "six")}),
                 folders.host("127.0.0.1", {folders.mount("/", "four")})});
  for (const std::string_view host : {"one.example", "one.example:80", "ONE.example:7681", "One.Example", "one.example:"})
    CHECK(served.get("/", host).body == "one");
  for (const std::string_view host : {"two.example", "TWO.EXAMPLE:1"}) CHECK(served.get("/", host).body == "two");
  for (const std::string_view host : {"[::1]", "[::1]:7681"}) CHECK(served.get("/", host).body == "six");
  for (const std::string_view host : {"127.0.0.1", "127.0.0.1:8080"}) CHECK(served.get("/", host).body == "four");
  for (const std::string_view host :
       {"one.exampl", "one.example.org", "sub.one.example", "one.example.", "[::2]", "[::1:1]:7681", "127.0.0.11", "example", "x"})
    CHECK(served.get("/", host).body == "others");
}

TEST_CASE("router: without a host for all others, the first one serves them") {
  const PageFolders folders;
  Served served(
      {folders.host("one.example", {folders.mount("/", "one")}), folders.host("two.example", {folders.mount("/", "two")})});
  CHECK(served.get("/", "unknown.example").body == "one");
  CHECK(served.get("/", "two.example").body == "two");
}

TEST_CASE("router: a host for all others serves them wherever it stands") {
  const PageFolders folders;
  Served served({folders.host("one.example", {folders.mount("/", "one")}), folders.host("", {folders.mount("/", "others")})});
  CHECK(served.get("/", "unknown.example").body == "others");
  CHECK(served.get("/", "one.example").body == "one");
  CHECK(served.ask("GET / HTTP/1.0\r\n\r\n").body == "others");  // no Host at all
}

TEST_CASE("router: the authority of an absolute target counts as the host") {
  const PageFolders folders;
  Served served({folders.host("", {folders.mount("/", "others")}), folders.host("one.example", {folders.mount("/", "one")})});
  CHECK(served.get("http://one.example/", "one.example").body == "one");
  CHECK(served.get("http://one.example", "one.example").body == "one");
}

TEST_CASE("router: the longest prefix wins, whatever the order of the mounts") {
  const PageFolders folders;
  const std::vector<Mount> mounts{folders.mount("/", "root"), folders.mount("/a/", "a"), folders.mount("/a/b/", "ab"),
                                  folders.mount("/aa/", "aa")};
  const std::vector<Mount> reversed(mounts.rbegin(), mounts.rend());
  for (const auto& order : {mounts, reversed}) {
    Served served({folders.host("", order)});
    CHECK(served.get("/").body == "root");
    CHECK(served.get("/a/").body == "a");
    CHECK(served.get("/a/index.html").body == "a");
    CHECK(served.get("/a/b/").body == "ab");
    CHECK(served.get("/a/b/?query").body == "ab");
    CHECK(served.get("/aa/").body == "aa");
    CHECK(served.get("/a").status == 404);      // the root mount has no file of that name
    CHECK(served.get("/a/bb/").status == 404);  // belongs to /a/, which has no such folder
    CHECK(served.get("/A/").status == 404);     // paths are not names of hosts: case counts
  }
}

TEST_CASE("router: what no mount serves is 404") {
  const PageFolders folders;
  Served served({folders.host("", {folders.mount("/files/", "files")})});
  CHECK(served.get("/files/").body == "files");
  for (const std::string_view target : {"/", "/files", "/other/", "/filesx/"}) {
    const Answer answer = served.get(target);
    CHECK(answer.status == 404);
    CHECK(answer.body == "There is nothing here.\n");
    CHECK(answer.field("Content-Type") == "text/plain; charset=utf-8");
    CHECK_FALSE(answer.closed);
  }
  Served nothing({VirtualHost{}});
  CHECK(nothing.get("/").status == 404);
}

TEST_CASE("router: a target without a path is 400") {
  Served served({VirtualHost{}});
  const Answer answer = served.ask(Served::head("OPTIONS", "*"));
  CHECK(answer.status == 400);
  CHECK(answer.body == "The request's target has no path.\n");
}

TEST_CASE("router: each host has a protocol table of its own") {
  VirtualHost one, two;
  one.name = "one.example";
  one.protocols = {"chat"};
  two.name = "two.example";
  two.protocols = {"mirror"};
  Served served({one, two}, {plain_row("chat"), plain_row("mirror")});
  CHECK(served.ask(handshake("one.example", "chat")).status == 101);
  CHECK(served.ask(handshake("one.example:7681", "mirror")).status == 400);
  CHECK(served.ask(handshake("two.example", "mirror")).status == 101);
  CHECK(served.ask(handshake("TWO.example", "chat")).status == 400);
  CHECK(served.ask(handshake("three.example", "chat")).status == 101);  // the first host serves the others
}

TEST_CASE("router: a host that can not start takes those before it down again") {
  static int running = 0;
  running = 0;
  wharf_row row = plain_row("a");
  row.start = [](void*, wharf_scope* scope) {
    if (scope->services->option(scope, "fail") != nullptr) return 1;
    ++running;
    return 0;
  };
  row.stop = [](void*) { --running; };
  RowList rows;
  REQUIRE_FALSE(rows.add(row));
  VirtualHost good, bad;
  bad.name = "bad";
  bad.options["a"]["fail"] = "yes";
  TestHome home;
  const auto router = Router::start(rows, {good, bad}, {}, home.home);
  REQUIRE_FALSE(router);
  CHECK(router.error().message == "protocol 'a' could not start; the log says why");
  CHECK(running == 0);
}
