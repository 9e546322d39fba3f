#include "proxy/target.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace {

using namespace wharf::server;

struct Case {
  const char* to;
  const char* host;
  const char* port;
  const char* path;
  const char* base;
  const char* authority;
};

}  // namespace

TEST_CASE("proxy target: hosts, addresses and unix sockets") {
  for (const Case& each : {
           Case{"http://up.example", "up.example", "80", "", "/", "up.example"},
           Case{"http://up.example/", "up.example", "80", "", "/", "up.example"},
           Case{"HTTP://up.example:9000/a/b/", "up.example", "9000", "", "/a/b/", "up.example:9000"},
           Case{"http://127.0.0.1:9000/%41/", "127.0.0.1", "9000", "", "/%41/", "127.0.0.1:9000"},
           Case{"http://[::1]:9000/", "::1", "9000", "", "/", "[::1]:9000"},
           Case{"http://[fe80::1]", "fe80::1", "80", "", "/", "[fe80::1]"},
           Case{"https://up.example", "up.example", "443", "", "/", "up.example"},
           Case{"Https://up.example:8443/a/", "up.example", "8443", "", "/a/", "up.example:8443"},
           Case{"https://[::1]/", "::1", "443", "", "/", "[::1]"},
           Case{"unix:/run/app.socket", "", "", "/run/app.socket", "/", "localhost"},
           Case{"unix:/run/app.socket:/base/", "", "", "/run/app.socket", "/base/", "localhost"},
           Case{"unix:/run/app:socket:/", "", "", "/run/app:socket", "/", "localhost"},
           Case{"unix:@app:/base/", "", "", "@app", "/base/", "localhost"},
       }) {
    CAPTURE(each.to);
    const auto target = parse_proxy_target(each.to);
    REQUIRE_MESSAGE(target, target.error());
    CHECK(target->endpoint.host == each.host);
    CHECK(target->endpoint.port == each.port);
    CHECK(target->endpoint.path == each.path);
    CHECK(target->base == each.base);
    CHECK(target->authority == each.authority);
    CHECK(target->scheme == (each.to[4] == 's' ? "https" : "http"));
  }
}

TEST_CASE("proxy target: an invalid one is an error in one line that names it") {
  const std::string long_path = "unix:/" + std::string(200, 'a');
  for (const std::string& to : {std::string(),
                                std::string("up.example:80"),
                                std::string("https:up.example"),
                                std::string("https://"),
                                std::string("https://up.example:0/"),
                                std::string("https://up.example/base"),
                                std::string("httpss://up.example/"),
                                std::string("http://"),
                                std::string("http:///base/"),
                                std::string("http://up.example:0/"),
                                std::string("http://up.example:00/"),
                                std::string("http://up.example:70000/"),
                                std::string("http://user@up.example/"),
                                std::string("http://up.example/base"),
                                std::string("http://up.example/?a=/"),
                                std::string("http://up.example?/"),
                                std::string("http://up.example/#/"),
                                std::string("http://up.example/a b/"),
                                std::string("http://up.example/\xC3\xA4/"),
                                std::string("http://up.example/a/../"),
                                std::string("http://up.example/%2e%2e/"),
                                std::string("http://up.example/%zz/"),
                                std::string("unix:"),
                                std::string("unix:relative"),
                                std::string("unix::/base/"),
                                std::string("unix:/run/app:/base"),
                                long_path}) {
    CAPTURE(to);
    const auto target = parse_proxy_target(to);
    REQUIRE_FALSE(target);
    CHECK(target.error().starts_with("proxy target '" + to + "': "));
    CHECK(target.error().find('\n') == std::string::npos);
  }
}

TEST_CASE("proxy target: the path behind the prefix stays as it is written") {
  for (const auto& each :
       {std::pair{"/app/", ""}, std::pair{"/app", ""}, std::pair{"/app/x/y", "x/y"}, std::pair{"/app/%41%2fb", "%41%2fb"},
        std::pair{"/%61pp/x", "x"}, std::pair{"/app%2Fx", "x"}, std::pair{"/app//x", "/x"}}) {
    const std::string path = each.first;
    CAPTURE(path);
    const auto found = behind_prefix(path, "/app/");
    REQUIRE(found);
    CHECK(*found == each.second);
  }
  for (const char* const path : {"/", "/ap", "/apple", "/application/", "", "/%61", "/ap%7", "/ap%"}) {
    CAPTURE(path);
    CHECK_FALSE(behind_prefix(path, "/app/"));
  }
  CHECK(behind_prefix("/x", "/") == "x");
  CHECK(behind_prefix("/", "/") == "");
}

TEST_CASE("proxy target: paths that lead out of their folder for somebody") {
  for (const char* const path : {"..", ".", "a/..", "a/../b", "./b", "%2e%2e/b", "a/%2E./b", "..%2fb", "a%2f..%2fb", "a\\..\\b",
                                 "a%5c..", "..;/b", "a/..;x=1/b", ".;", "%", "%4", "%zz", "a%00b"}) {
    CAPTURE(path);
    CHECK(may_climb(path));
  }
  for (const char* const path : {"", "a", "a/b/", "...", "a..b", ".well-known/x", "..a/b", "a//b", "%252e%252e/b", ";..", "%41"}) {
    CAPTURE(path);
    CHECK_FALSE(may_climb(path));
  }
}
