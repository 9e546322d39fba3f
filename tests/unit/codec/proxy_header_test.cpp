#include "codec/proxy_header.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

// Whole headers are in tests/wire/proxy_header.wire.

namespace {

using namespace wharf::codec;
using Looks = LooksLikeProxyHeader;

constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};

}  // namespace

TEST_CASE("proxy header: what looks like one, from its first byte on") {
  for (const std::string_view begin : {std::string_view("PROXY "), signature}) {
    for (std::size_t size = 0; size < begin.size(); ++size) CHECK(looks_like_proxy_header(begin.substr(0, size)) == Looks::maybe);
    CHECK(looks_like_proxy_header(begin) == Looks::yes);
    CHECK(looks_like_proxy_header(std::string(begin) + "more") == Looks::yes);
    for (std::size_t at = 0; at < begin.size(); ++at) {
      std::string other(begin);
      other[at] = '!';
      CHECK(looks_like_proxy_header(other) == Looks::no);
    }
  }
  CHECK(looks_like_proxy_header("POST / HTTP/1.1") == Looks::no);
  CHECK(looks_like_proxy_header("PROXYING") == Looks::no);
  CHECK(looks_like_proxy_header("\r\nGET / HTTP/1.1") == Looks::no);
}

TEST_CASE("proxy header: values that nobody has, and bytes that are none") {
  CHECK_FALSE(proxy_value("", "authority"));
  CHECK_FALSE(proxy_value("\x02", "authority"));
  for (const char* const name : {"", "Authority", "0x", "0x100", "0x1g", "2", "ssl"})
    CHECK_FALSE(proxy_value({"\x02\0\1a", 4}, name));
  CHECK(proxy_value({"\x02\0\1a\x02\0\1b", 8}, "authority") == "a");
  CHECK(proxy_value({"\x02\0\1a", 4}, "0x2") == "a");
  CHECK(proxy_value({"\x02\0\1a", 4}, "0x02") == "a");
  CHECK_FALSE(proxy_value({"\x22\0\1a", 4}, "ssl_cn"));
  CHECK_FALSE(proxy_value({"\x20\0\1a", 4}, "ssl_cn"));
}

TEST_CASE("proxy header: even the smallest limit ends") {
  for (const std::size_t most : std::initializer_list<std::size_t>{0, 1, 5, 6, 15}) {
    CHECK(read_proxy_header("", most).state == (most == 0 ? ProxyHeaderResult::State::failed : ProxyHeaderResult::State::more));
    CHECK(read_proxy_header("PROXY TCP4 1.1.1.1 ", most).state == ProxyHeaderResult::State::failed);
    CHECK(read_proxy_header(std::string(signature) + std::string("\x21\0\0\0", 4), most).state == ProxyHeaderResult::State::failed);
  }
}
