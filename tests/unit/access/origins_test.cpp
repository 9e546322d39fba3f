#include "access/origins.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace wharf;
using wharf::server::AllowedOrigins;
using Transport = AllowedOrigins::Transport;

/// Whether the entries let a request with one Origin field pass.
bool passes(const std::vector<std::string>& entries, std::string_view origin, std::string_view host = "here.example",
            Transport transport = Transport::plain) {
  return AllowedOrigins(entries).allows(origin, 1, host, transport);
}

}  // namespace

TEST_CASE("origins: an empty list allows everything") {
  const AllowedOrigins all({});
  CHECK(all.allows("https://anywhere.example", 1, "here.example", Transport::plain));
  CHECK(all.allows("null", 1, "here.example", Transport::tls));
  CHECK(all.allows("not an origin", 1, "", Transport::plain));
  CHECK(all.allows("https://a.example", 2, "here.example", Transport::plain));
  CHECK(all.allows({}, 0, "here.example", Transport::plain));
}

TEST_CASE("origins: a request without Origin does not come from a page of somebody else") {
  for (const char* entry : {"https://a.example", "same-origin", "null"}) {
    CAPTURE(entry);
    CHECK(AllowedOrigins({entry}).allows({}, 0, "here.example", Transport::plain));
    CHECK_FALSE(AllowedOrigins({entry}).allows("", 1, "here.example", Transport::plain));
  }
}

TEST_CASE("origins: a repeated field is refused, whatever it says") {
  const AllowedOrigins origins({"https://a.example", "same-origin", "null"});
  for (const std::string_view value : {"https://a.example", "null", "http://here.example"}) {
    CAPTURE(value);
    CHECK(origins.allows(value, 1, "here.example", Transport::plain));
    CHECK_FALSE(origins.allows(value, 2, "here.example", Transport::plain));
  }
}

TEST_CASE("origins: file:// of embedded browsers, and null, are allowed only if they are listed") {
  CHECK(AllowedOrigins::check("file://").empty());
  CHECK(passes({"file://"}, "file://"));
  CHECK_FALSE(passes({"file://"}, "null"));
  CHECK(passes({"null"}, "null"));
  for (const char* entry : {"null", "same-origin", "https://a.example"}) {
    CAPTURE(entry);
    CHECK_FALSE(passes({entry}, "file://"));
    CHECK_FALSE(passes({entry}, "file://", ""));
  }
  for (const std::string_view origin :
       {"file:///", "FILE://", "file://host", "file:", "file:///sdcard/page.html", "file:// ", "file"}) {
    CAPTURE(origin);
    CHECK_FALSE(passes({"file://"}, origin));
  }
  for (const char* entry : {"file:///", "file:", "file:///srv"}) CHECK_FALSE(AllowedOrigins::check(entry).empty());
}

TEST_CASE("origins: an origin is compared whole") {
  const std::vector<std::string> entries{"https://example.com", "http://example.org:8080"};
  CHECK(passes(entries, "https://example.com"));
  CHECK(passes(entries, "http://example.org:8080"));
  for (const std::string_view origin :
       {"http://example.com", "https://example.com:8443", "https://example.com.evil.example", "https://evilexample.com",
        "https://www.example.com", "https://example.co", "https://example.com.", "http://example.org", "http://example.org:80",
        "http://example.org:808", "http://example.org:80800", "wss://example.com", "https+x://example.com", "null"}) {
    CAPTURE(origin);
    CHECK_FALSE(passes(entries, origin));
  }
}

TEST_CASE("origins: neither case nor the usual port of the scheme matters") {
  CHECK(passes({"HTTPS://Example.COM"}, "https://example.com"));
  CHECK(passes({"https://example.com"}, "Https://EXAMPLE.com"));
  CHECK(passes({"https://example.com:443"}, "https://example.com"));
  CHECK(passes({"https://example.com"}, "https://example.com:443"));
  CHECK(passes({"http://example.com:80"}, "http://example.com"));
  CHECK_FALSE(passes({"https://example.com:80"}, "https://example.com"));
  CHECK_FALSE(passes({"http://example.com:443"}, "http://example.com"));
  CHECK(passes({"http://example.com:08080"}, "http://example.com:8080"));
  CHECK(passes({"http://[::1]:8080"}, "http://[::1]:8080"));
  CHECK(passes({"http://[FE80::A]"}, "http://[fe80::a]"));
  CHECK(passes({"chrome-extension://abcdef"}, "chrome-extension://abcdef"));
  CHECK_FALSE(passes({"chrome-extension://abcdef"}, "chrome-extension://abcdeg"));
}

TEST_CASE("origins: anything that is not exactly one origin is refused") {
  const std::vector<std::string> entries{"https://a.example", "https://b.example", "same-origin", "null"};
  for (const std::string_view origin : {"https://a.example/",
                                        "https://a.example/path",
                                        "https://a.example https://b.example",
                                        "https://a.example, https://b.example",
                                        "https://a.example,https://b.example",
                                        "https://a.example null",
                                        "null null",
                                        "NULL",
                                        "Null",
                                        " null",
                                        "null ",
                                        " https://a.example",
                                        "https://a.example ",
                                        "https:a.example",
                                        "https:/a.example",
                                        "https:///a.example",
                                        "https://",
                                        "://a.example",
                                        "a.example",
                                        "//a.example",
                                        "https://a.example?",
                                        "https://a.example#",
                                        "https://a.example:",
                                        "https://@a.example",
                                        "https://user@a.example",
                                        "https://a.example\\",
                                        "https://a.example:443:443",
                                        "https://a.example:x",
                                        "https://a.example:65536",
                                        "1https://a.example",
                                        "ht tps://a.example",
                                        "*",
                                        "same-origin",
                                        "https://here.example/",
                                        "https://[::1",
                                        "https://a.example\xC3\xA9"}) {
    CAPTURE(origin);
    CHECK_FALSE(passes(entries, origin));
  }
  CHECK_FALSE(passes(entries, std::string_view("https://a.example\0", 18)));
}

TEST_CASE("origins: null is allowed only if it is listed") {
  CHECK(passes({"null"}, "null"));
  CHECK_FALSE(passes({"same-origin"}, "null"));
  CHECK_FALSE(passes({"https://null"}, "null"));
  CHECK_FALSE(passes({"null"}, "https://null"));
}

TEST_CASE("origins: same-origin compares with the request's own host") {
  const std::vector<std::string> here{"same-origin"};
  CHECK(passes(here, "http://here.example", "here.example"));
  CHECK(passes(here, "https://here.example", "here.example"));  // TLS may have ended before us
  CHECK(passes(here, "http://Here.EXAMPLE", "hERE.example"));
  CHECK(passes(here, "http://here.example", "here.example:80"));
  CHECK(passes(here, "http://here.example:80", "here.example"));
  CHECK(passes(here, "https://here.example", "here.example:443"));
  CHECK(passes(here, "http://here.example:7681", "here.example:7681"));
  CHECK(passes(here, "http://[::1]:7681", "[::1]:7681"));
  CHECK(passes(here, "http://127.0.0.1:7681", "127.0.0.1:7681"));
  CHECK(passes(here, "http://here.example", "here.example:"));
  CHECK_FALSE(passes(here, "http://here.example", "here.example:443"));
  CHECK_FALSE(passes(here, "https://here.example", "here.example:80"));
  CHECK_FALSE(passes(here, "http://here.example", "here.example:7681"));
  CHECK_FALSE(passes(here, "http://here.example:7681", "here.example"));
  CHECK_FALSE(passes(here, "http://here.example:7681", "here.example:7682"));
  CHECK_FALSE(passes(here, "http://there.example", "here.example"));
  CHECK_FALSE(passes(here, "http://here.example.evil.example", "here.example"));
  CHECK_FALSE(passes(here, "ws://here.example", "here.example"));
  CHECK_FALSE(passes(here, "chrome-extension://here.example", "here.example"));
  CHECK_FALSE(passes(here, "http://here.example", ""));
  CHECK_FALSE(passes(here, "http://here.example", "not a host"));
}

TEST_CASE("origins: over TLS a page of http is another origin") {
  const std::vector<std::string> here{"same-origin"};
  CHECK(passes(here, "https://here.example", "here.example", Transport::tls));
  CHECK(passes(here, "https://here.example:7681", "here.example:7681", Transport::tls));
  CHECK_FALSE(passes(here, "http://here.example", "here.example", Transport::tls));
  CHECK_FALSE(passes(here, "http://here.example:7681", "here.example:7681", Transport::tls));
  CHECK(passes({"http://here.example"}, "http://here.example", "here.example", Transport::tls));  // as written
}

TEST_CASE("origins: entries stand side by side") {
  const std::vector<std::string> entries{"same-origin", "https://friend.example", "null"};
  CHECK(passes(entries, "http://here.example"));
  CHECK(passes(entries, "https://friend.example"));
  CHECK(passes(entries, "null"));
  CHECK_FALSE(passes(entries, "http://friend.example"));
}

TEST_CASE("origins: of a request head the Origin fields and the host count") {
  const AllowedOrigins origins({"same-origin"});
  codec::RequestHead head;
  head.host = "here.example";
  const auto allows = [&](Transport transport) {
    return origins.allows(head.field("Origin"), head.count("Origin"), head.host, transport);
  };
  CHECK(allows(Transport::plain));
  head.fields.push_back({"ORIGIN", "http://here.example"});
  CHECK(allows(Transport::plain));
  CHECK_FALSE(allows(Transport::tls));
  head.fields.push_back({"origin", "http://here.example"});
  CHECK_FALSE(allows(Transport::plain));
}

TEST_CASE("origins: a well-formed entry has no fault") {
  for (const char* entry : {"https://example.com", "https://example.com:8443", "HTTP://EXAMPLE.com", "http://[::1]:80", "null",
                            "same-origin", "http://localhost", "moz-extension://0b1-2c3", "capacitor://localhost"}) {
    CAPTURE(entry);
    CHECK(AllowedOrigins::check(entry) == "");
  }
}

TEST_CASE("origins: a malformed entry is told apart in one line, and matches nothing") {
  const auto fault = [](const std::string& entry) {
    const std::string text = AllowedOrigins::check(entry);
    CHECK(text.find('\n') == std::string::npos);
    CHECK_FALSE(passes({entry}, entry));
    CHECK_FALSE(passes({entry}, "https://example.com"));
    return text;
  };
  CHECK(fault("https://example.com/") ==
        "origin 'https://example.com/' is not taken: it ends with the host or its port, without a '/' or a path behind them");
  CHECK(fault("https://example.com/path").find("without a '/'") != std::string::npos);
  CHECK(fault("https://example.com?q").find("without a '/'") != std::string::npos);
  CHECK(fault("example.com").find("begins with a scheme") != std::string::npos);
  CHECK(fault("example.com:443").find("begins with a scheme") != std::string::npos);
  CHECK(fault("//example.com").find("begins with a scheme") != std::string::npos);
  CHECK(fault("Same-Origin").find("same-origin") != std::string::npos);
  CHECK(fault("").find("begins with a scheme") != std::string::npos);
  CHECK(fault("*").find("name each origin") != std::string::npos);
  CHECK(AllowedOrigins::check("https://*.example.com").find("no patterns") != std::string::npos);
  CHECK(fault("https://me@example.com").find("no user") != std::string::npos);
  CHECK(fault("https://ex\xC3\xA4mple.com").find("xn--") != std::string::npos);
  CHECK(fault("https://example.com:").find("a host, and a port") != std::string::npos);
  CHECK(fault("https://example.com:port").find("a host, and a port") != std::string::npos);
  CHECK(fault("https://").find("a host, and a port") != std::string::npos);
  CHECK(fault("https://a.example b.example").find("a host, and a port") != std::string::npos);
  CHECK(fault("https://example.com\nx").find("\\x0a") != std::string::npos);
}
