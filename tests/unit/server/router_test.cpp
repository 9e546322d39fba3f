#include "server/router.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "temporary_folder.h"
#include "unit/server/served.h"

namespace {

using namespace wharf;
using namespace wharf::server;

/// A folder with one index page that says which folder it is.
class PageFolders {
 public:
  Mount mount(const std::string& prefix, const std::string& says) const {
    std::filesystem::create_directories(folder_.path / says);
    folder_.write(says + "/index.html", says);
    return {prefix, ::wharf::Files{folder_.path / says}};
  }
  VirtualHost host(const std::string& name, std::vector<Mount> mounts) const {
    VirtualHost host;
    host.name = name;
    host.mounts = std::move(mounts);
    return host;
  }

 private:
  TemporaryFolder folder_;
};

/// A password file with one user.
class PasswordText {
 public:
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  TemporaryFolder folder_;
  // htpasswd -nbBC 4 alice 'correct horse'
  std::string path_ = folder_.write("users", "alice:$2y$04$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312\n");
};

std::string handshake(std::string_view host, std::string_view protocol) {
  return base::concat("GET / HTTP/1.1\r\nHost: ", host,
                      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ",
                      protocol, "\r\n\r\n");
}

}  // namespace

TEST_CASE("router: the host is compared whole, without case, port and a dot at the end (RFC 9110 section 7.2)") {
  const PageFolders folders;
  Served served({folders.host("", {folders.mount("/", "others")}), folders.host("one.example", {folders.mount("/", "one")}),
                 folders.host("Two.Example", {folders.mount("/", "two")}), folders.host("[::1]", {folders.mount("/", "six")}),
                 folders.host("127.0.0.1", {folders.mount("/", "four")})});
  for (const std::string_view host :
       {"one.example", "one.example:80", "ONE.example:7681", "One.Example", "one.example:", "one.example.", "one.example.:80"})
    CHECK(served.get("/", host).body == "one");
  for (const std::string_view host : {"two.example", "TWO.EXAMPLE:1"}) CHECK(served.get("/", host).body == "two");
  for (const std::string_view host : {"[::1]", "[::1]:7681", "[0:0:0:0:0:0:0:1]"}) CHECK(served.get("/", host).body == "six");
  for (const std::string_view host : {"127.0.0.1", "127.0.0.1:8080"}) CHECK(served.get("/", host).body == "four");
  for (const std::string_view host :
       {"one.exampl", "one.example.org", "sub.one.example", "one.example..", "[::2]", "[::1:1]:7681", "127.0.0.11", "example", "x"})
    CHECK(served.get("/", host).body == "others");
}

TEST_CASE("router: an exact name goes before a wildcard, which stands for one label; aliases are names too") {
  const PageFolders folders;
  VirtualHost wide = folders.host("*.example", {folders.mount("/", "wide")});
  VirtualHost one = folders.host("one.example", {folders.mount("/", "one")});
  one.aliases = {"uno.example", "*.One.example.", "::1"};
  Served served({wide, one, folders.host("", {folders.mount("/", "others")})});
  for (const std::string_view host : {"one.example", "UNO.example", "a.one.example", "[::1]"})
    CHECK(served.get("/", host).body == "one");
  for (const std::string_view host : {"two.example", "x.example."}) CHECK(served.get("/", host).body == "wide");
  for (const std::string_view host : {"example", ".example", "a.two.example", "a.b.one.example", "*.x.y"})
    CHECK(served.get("/", host).body == "others");
}

TEST_CASE("router: unknown hosts are refused if the server says so, with 421 or 404 (RFC 9110 section 15.5.20)") {
  const PageFolders folders;
  const VirtualHost one = folders.host("one.example", {folders.mount("/", "one")});
  const VirtualHost two = folders.host("two.example", {folders.mount("/", "two")});
  for (const auto& [unknown, status] : {std::pair(UnknownHosts::misdirected, 421), std::pair(UnknownHosts::not_found, 404)}) {
    Served alone({one}, {}, {}, unknown), both({one, two}, {}, {}, unknown), others({one, folders.host("", {})}, {}, {}, unknown);
    for (Served* served : {&alone, &both}) {
      CHECK(served->get("/", "one.example").body == "one");
      CHECK(served->get("/", "x.example").status == status);
      CHECK(served->home.log_lines.back() == "info: 192.0.2.1:4711 asks for the host 'x.example', which it has not");
      CHECK(served->ask("GET / HTTP/1.0\r\n\r\n").status == status);
    }
    CHECK(others.get("/", "x.example").status == 404);
    CHECK(others.get("/", "one.example").body == "one");
  }
}

TEST_CASE("router: a name in the handshake of another host than that of the request is 421 (RFC 9110 section 7.4)") {
  const PageFolders folders;
  Served served(
      {folders.host("one.example", {folders.mount("/", "one")}), folders.host("*.two.example", {folders.mount("/", "two")})});
  const auto get = [&served](std::string_view named, std::string_view host) {
    session::TlsFacts facts;
    facts.server_name = named;
    return served.ask(Served::head("GET", "/", host), &facts).status;
  };
  CHECK(get("one.example", "ONE.example.:443") == 200);
  CHECK(get("a.two.example", "b.two.example") == 200);  // one certificate, one host
  CHECK(get("", "a.two.example") == 200);               // a client by address
  CHECK(get("unknown.example", "one.example") == 200);  // the first host serves both
  CHECK(get("one.example", "a.two.example") == 421);
  CHECK(get("a.two.example", "one.example") == 421);
  CHECK(get("unknown.example", "a.two.example") == 421);
  Served alone({folders.host("one.example", {folders.mount("/", "one")})});
  session::TlsFacts facts;
  facts.server_name = "x.example";
  CHECK(alone.ask(Served::head("GET", "/", "one.example"), &facts).status == 200);
}

TEST_CASE("router: a bad name of a host is an error in one line") {
  const auto fault = [](const char* name, const char* alias = "a") {
    VirtualHost host;
    host.name = name;
    host.aliases = {alias};
    return Host::check(host);
  };
  for (const char* name : {"", "a", "a.b.", "*.a", "xn--bcher-kva.example", "a_b-c.example", "127.0.0.1", "::1", "[::1]"})
    CHECK_MESSAGE(fault(name).empty(), name);
  for (const char* name : {".", "a..b", "*", "a.*", "*a.b", "a.example:80", "[::1]:80", "http://a/", "b\xC3\xBC", "a b", "[::1"}) {
    CHECK_MESSAGE(!fault(name).empty(), name);
    CHECK_MESSAGE(!fault("a", name).empty(), name);
    CHECK(fault(name).find('\n') == std::string::npos);
  }
  CHECK(fault(std::string(64, 'a').c_str()) != "");
  CHECK(fault("a", "") == "virtual host 'a': an alias is empty");
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
    CHECK(served.get("/a?query").status == 301);  // the folder without its slash
    CHECK(served.get("/a?query").field("Location") == "/a/?query");
    CHECK(served.get("/a/bb/").status == 404);  // belongs to /a/, which has no such folder
    CHECK(served.get("/A/").status == 404);     // paths are not names of hosts: case counts
  }
}

TEST_CASE("router: a path that no mount serves is 404") {
  const PageFolders folders;
  Served served({folders.host("", {folders.mount("/files/", "files")})});
  CHECK(served.get("/files/").body == "files");
  for (const std::string_view target : {"/", "/file", "/other/", "/filesx/"}) {
    const Answer answer = served.get(target);
    CHECK(answer.status == 404);
    CHECK(answer.body == "There is nothing here.\n");
    CHECK(answer.field("Content-Type") == "text/plain; charset=utf-8");
    CHECK_FALSE(answer.closed);
  }
  Served nothing({VirtualHost{}});
  CHECK(nothing.get("/").status == 404);
}

TEST_CASE("router: an https URL was served over a connection without TLS (RFC 9110 section 7.4)") {
  const PageFolders folders;
  Served served({folders.host("", {folders.mount("/", "page")})});
  CHECK(served.get("http://one.example/", "one.example").body == "page");
  for (const std::string_view target : {"https://one.example/", "HTTPS://one.example", "https://one.example/nowhere?x"}) {
    const Answer answer = served.get(target, "one.example");
    CHECK(answer.status == 421);
    CHECK(answer.body == "An https URL is not served over a connection without TLS.\n");
    CHECK_FALSE(answer.closed);
  }
  CHECK(served.ask(Served::head("OPTIONS", "https://one.example", "one.example")).status == 421);
  const auto front = served.open([](session::Link& link, session::HttpContext& context) {
    context.fronts = {{*base::PeerNetwork::parse("192.0.2.1")}, codec::ForwardingFields::either};
    return std::make_unique<session::H1>(link, context);
  });
  front->receive(Served::head("GET", "https://one.example/", "one.example"));
  CHECK(front->take().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("router: OPTIONS of the server as a whole, and CONNECT (RFC 9110 sections 9.3.6 and 9.3.7, RFC 9112 section 3.2.4)") {
  Served served({VirtualHost{}});
  for (const std::string_view target : {"*", "http://localhost", "HTTP://LOCALHOST"}) {
    CAPTURE(target);
    const Answer answer = served.ask(Served::head("OPTIONS", target));
    CHECK(answer.status == 204);
    CHECK(answer.field("Allow") == "GET, HEAD, OPTIONS");
    CHECK_FALSE(answer.closed);
  }
  for (const std::string_view target : {"http://localhost/", "http://localhost?", "http://localhost/localhost", "/*"})
    CHECK(served.ask(Served::head("OPTIONS", target)).status == 404);
  CHECK(served.get("http://localhost").status == 404);
  const Answer connect = served.ask("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
  CHECK(connect.status == 501);
  CHECK(connect.field("Connection") == "close");
  CHECK(connect.closed);
}

TEST_CASE("router: mounts are found by the decoded path, and dot segments lead nowhere (RFC 3986 sections 2.1 and 5.2.4)") {
  const PageFolders folders;
  Served served({folders.host("", {folders.mount("/", "root"), folders.mount("/a/", "a")})});
  CHECK(served.get("/%61/").body == "a");
  CHECK(served.get("/a%2Findex.html").body == "a");
  CHECK(served.get("/%2561/").status == 404);  // decoded once
  for (const std::string_view target : {"/a/../", "/a/..", "/..", "/./a/", "/a/%2e%2e/", "/a/.%2E", "/%2e/"}) {
    CAPTURE(target);
    CHECK(served.get(target).status == 404);
  }
  CHECK(served.get("/a/%zz").status == 400);
  CHECK(served.get("/a/%00").status == 400);
}

TEST_CASE("router: a spelling that others read as the path of another mount is 404") {
  const PasswordText users;
  for (const bool guarded : {false, true}) {
    VirtualHost host;
    host.mounts = {{"/", Fixed{200, "text/plain", "root"}}, {"/admin/", Fixed{200, "text/plain", "admin"}}};
    if (guarded) host.mounts[1].access = PasswordAccess{users.path()};
    Served served({host});
    for (const std::string_view target :
         {"//admin/x", "//admin", "///admin/x", "/%2Fadmin/x", "/%2f/admin/x", "/admin;a=b/x", "/admin;/x", "/admin;a",
          "/;a/admin/x", "/admin%3Bv/x", "/admin%3bv", "/\\admin/x", "/%5Cadmin/x", "/%5cadmin%5cx", "/admin%5Cx", "/admin\\x",
          "/\\/admin/x", "/%5C%2F;a/;/admin;b%5Cx"}) {
      CAPTURE(target);
      const Answer answer = served.get(target);
      CHECK(answer.status == 404);
      CHECK(answer.body == "There is nothing here.\n");
    }
    for (const std::string_view target :
         {"/admin/x", "/admin", "/admin//x", "/admin/a;b/c", "/admin/%5Cx", "/admin/;a", "/%61dmin//x"}) {
      CAPTURE(target);
      const Answer answer = served.get(target);
      CHECK(answer.status == (guarded ? 401 : 200));
      if (!guarded) CHECK(answer.body == "admin");
    }
    for (const std::string_view target : {"/a//b", "/a;b/c", "/a%3Bb/c", "/a\\b", "/a%5Cb", "//", "//a", "/;x", "/admins//x",
                                          "/a/admin;b/x", "/a//admin/x", "/admin.;a"}) {
      CAPTURE(target);
      CHECK(served.get(target).body == "root");
    }
  }
}

TEST_CASE("router: so is a spelling that only others read as a path of a mount, or of none") {
  VirtualHost host;
  host.mounts = {{"/a/", Fixed{200, "text/plain", "a"}}, {"/a/b/", Fixed{200, "text/plain", "b"}}};
  Served served({host});
  for (const std::string_view target : {"//a/x", "/a;p/x", "/a//b/x", "/a/b;p/x", "/a%5Cb/x", "/a/%5Cb", "//", "/c;p"}) {
    CAPTURE(target);
    CHECK(served.get(target).status == 404);
  }
  CHECK(served.get("/a//c").body == "a");
  CHECK(served.get("/a/b//c").body == "b");
  CHECK(served.get("/a/b;p").status == 404);
}

TEST_CASE("router: a fixed response, with fields of the mount and of its security switch") {
  VirtualHost host;
  Mount mount{"/robots.txt/", Fixed{200, "text/plain", "User-agent: *\nDisallow: /\n"}};
  mount.fields = {{"X-One", "1"}};
  mount.security = SecurityFields::on;
  host.mounts.push_back(std::move(mount));
  Served served({host});
  const Answer answer = served.get("/robots.txt");
  CHECK(answer.body == "User-agent: *\nDisallow: /\n");
  CHECK(answer.field("X-One") == "1");
  CHECK(answer.field("X-Content-Type-Options") == "nosniff");
  CHECK(answer.field("X-Frame-Options") == "DENY");
  CHECK(answer.field("Referrer-Policy") == "no-referrer");
  CHECK(answer.field("Content-Security-Policy").starts_with("default-src 'self';"));
  CHECK(served.get("/other").field("X-One") == "none");
}

TEST_CASE("router: redirects, to one place or to one below another") {
  for (const int status : {301, 302, 307, 308}) {
    VirtualHost host;
    host.mounts.push_back({"/old/", Redirect{"/new/", status}});
    host.mounts.push_back({"/one/", Redirect{"https://example.com/x?y", status}});
    host.mounts.push_back({"/root/", Redirect{"/", status}});
    Served served({host});
    CHECK(served.get("/old").status == status);
    CHECK(served.get("/old").field("Location") == "/new/");
    CHECK(served.get("/old/a%20b/c?q=1").field("Location") == "/new/a%20b/c?q=1");
    CHECK(served.get("/one/more?z").field("Location") == "https://example.com/x?y&z");
    CHECK(served.get("/root//evil.example/").field("Location") == "/evil.example/");  // "//" would name a host
    CHECK(served.get("/root/%5C%5Cevil.example/").field("Location") == "/%5C%5Cevil.example/");
    CHECK(served.get("/root/%0D%0AX:y").field("Location") == "/%0D%0AX%3Ay");
  }
}

TEST_CASE("router: what is wrong with a mount is said in one line") {
  const auto fault = [](const Mount& mount) {
    VirtualHost host;
    host.mounts.push_back(mount);
    return Host::check(host);
  };
  CHECK(fault({"x", Fixed{}}) == "mount prefix 'x' must start and end with '/'");
  for (const std::string prefix : {"/a;v/", "/a\\b/", "/a//b/", "//"}) {
    CAPTURE(prefix);
    CHECK(fault({prefix, Fixed{}}).ends_with("which servers read in different ways"));
  }
  Mount nameless{"/", Fixed{}};
  nameless.access = PasswordAccess{};
  CHECK(fault(nameless) == "mount '/': its password file has no name");
  for (const std::string prefix : {"/%41/", "/a%20b/", "/a%2Fb/", "/%2e%2e/", "/a/%25/"}) {
    CAPTURE(prefix);
    CHECK(fault({prefix, Fixed{}}).starts_with("mount prefix '" + prefix + "' is compared with decoded paths: write '"));
  }
  CHECK(fault({"/a%20b/", Fixed{}}).ends_with(": write '/a b/'"));
  for (const std::string prefix : {"/./", "/../", "/a/./", "/a/../b/", "/a/.."}) {
    CAPTURE(prefix);
    CHECK_FALSE(fault({prefix, Fixed{}}).empty());
  }
  CHECK(fault({"/a/../b/", Fixed{}}) == "mount prefix '/a/../b/' is never asked for: clients leave out '.' and '..'");
  for (const char* prefix : {"/.well-known/", "/a b/", "/100%/", "/a%zz/", "/..a/", "/.../"}) {
    CAPTURE(prefix);
    CHECK(fault({prefix, Fixed{}}).empty());
  }
  CHECK(fault({"/", Fixed{100, "", ""}}) == "a fixed response has a status from 200 to 599, not 100");
  CHECK(fault({"/", Redirect{"/x", 303}}) == "a redirect has status 301, 302, 307 or 308, not 303");
  CHECK(fault({"/", Redirect{"/a b", 301}}) == "a redirect needs a percent-encoded location, not '/a b'");
  CHECK(fault({"/", Requests{}}) == "mount '/' names no protocol");
  Mount fields{"/", Fixed{}};
  fields.fields = {{"Content-Length", "1"}};
  CHECK(fault(fields) == "mount '/': Content-Length is written by the server itself");
  fields.fields = {{"A", "b\r\nc: d"}};
  CHECK(fault(fields) == "mount '/': the value of A has a control character");
  for (const char* value : {"\x01", "a\x7F", "\x1B[31m"}) {
    fields.fields = {{"A", value}};
    CHECK(fault(fields) == "mount '/': the value of A has a control character");
    CHECK(fault({"/", Fixed{200, value, ""}}) == "the media type of a fixed response has a control character");
  }
  fields.fields = {{"A", "b\tc"}};
  CHECK(fault(fields).empty());
  fields.fields = {{"A b", "c"}};
  CHECK(fault(fields) == "mount '/': 'A b' is no name of a field");
  VirtualHost twice;
  twice.mounts = {{"/", Fixed{}}, {"/", Fixed{}}};
  CHECK(Host::check(twice) == "there are two mounts '/'");
  VirtualHost origins;
  origins.origins = {"example.com"};
  CHECK_FALSE(Host::check(origins).empty());
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

TEST_CASE("router: a host that cannot start takes those before it down again") {
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
