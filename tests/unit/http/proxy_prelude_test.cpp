#include "http/proxy_prelude.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/http/opening_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;

constexpr std::string_view line = "PROXY TCP4 203.0.113.9 198.51.100.7 4711 443\r\n";
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};

std::string version_2(std::string_view front, std::string_view block) { return std::string(signature).append(front).append(block); }

/// A client that came by TLS, and its host.
std::string header_2() {
  return version_2({"\x21\x11\0\x1d", 4}, {"\xcb\0\x71\x09\xc6\x33\x64\x07\x12\x67\x01\xbb\x20\0\5\1\0\0\0\0\2\0\6a.test", 29});
}

struct PreludeBench : OpeningBench {
  explicit PreludeBench(std::string_view network = "192.0.2.0/24") {
    parts.balancers.push_back(*base::PeerNetwork::parse(network));
    link.open(std::make_unique<session::ProxyPrelude>(link, parts));
  }
  [[nodiscard]] std::string peer() const { return link.peer().address.text(); }

  session::ProxyParts parts{log, base::Time{5'000}, 4'096, {}, maker("next")};
};

}  // namespace

TEST_CASE("proxy prelude: the link gets the real peer, and what is behind every byte behind the header, wherever it is cut") {
  for (const std::string& header : {std::string(line), header_2()}) {
    const std::string bytes = header + "GET /";
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      CAPTURE(cut);
      PreludeBench bench;
      bench.link.receive(bytes.substr(0, cut));
      bench.link.receive(bytes.substr(cut));
      CHECK(bench.begun == std::vector<std::string>{"next"});
      CHECK(bench.got == "GET /");
      CHECK(bench.peer() == "203.0.113.9:4711");
      CHECK(bench.link.address() == "203.0.113.9:4711");
      REQUIRE(bench.link.peer().proxied);
      CHECK(bench.link.peer().proxied->destination == "198.51.100.7:443");
    }
  }
  PreludeBench bench;
  for (const char byte : header_2()) bench.link.receive({&byte, 1});
  CHECK(bench.link.peer().scheme() == "https");
  CHECK(bench.link.peer().proxied->version == "2");
  CHECK(codec::proxy_value(bench.link.peer().proxied->values, "authority") == "a.test");
  CHECK(bench.log_lines.empty());
}

TEST_CASE("proxy prelude: a check of the balancer, and a client that is not known, keep the address") {
  for (const std::string& header :
       {version_2({"\x20\0\0\0", 4}, {}), version_2({"\x21\0\0\0", 4}, {}), std::string("PROXY UNKNOWN\r\n")}) {
    PreludeBench bench;
    bench.link.receive(header + "GET /");
    CHECK(bench.got == "GET /");
    CHECK(bench.peer() == session::MemoryLink::first_address);
    CHECK(bench.link.peer().scheme() == "http");
  }
}

TEST_CASE("proxy prelude: a balancer without a header, or with a wrong one, is closed without a byte, and with a line") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"GET / HTTP/1.1\r\n", "there is none"},
      {"\x16\x03\x01", "there is none"},
      {"PROXY TCP4 x\r\n", "its line does not have two addresses and two ports"},
      {version_2({"\x21\x11\x20\0", 4}, {}), "it is too long"}};
  for (const auto& [bytes, why] : wrong) {
    PreludeBench bench;
    bench.link.receive(bytes);
    CHECK(bench.link.closed());
    CHECK(bench.link.take().empty());
    CHECK(bench.begun.empty());
    CHECK(bench.log_lines == std::vector<std::string>{"192.0.2.1:4711: closed, its PROXY header is not taken: " + why});
  }
}

TEST_CASE("proxy prelude: a stranger is served, and may not send a header, wherever it is cut") {
  for (const std::string bytes : {"GET / HTTP/1.1\r\n", "PROPFIND / HTTP/1.1\r\n", "\r\n\r\nGET / HTTP/1.1\r\n", "\x16\x03\x01"}) {
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      PreludeBench bench("10.0.0.0/8");
      bench.link.receive(bytes.substr(0, cut));
      bench.link.receive(bytes.substr(cut));
      CHECK(bench.got == bytes);
      CHECK(bench.peer() == session::MemoryLink::first_address);
      CHECK(bench.log_lines.empty());
    }
  }
  for (const std::string& bytes : {std::string(line), header_2()}) {
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      PreludeBench bench("10.0.0.0/8");
      bench.link.receive(bytes.substr(0, cut));
      bench.link.receive(bytes.substr(cut));
      CHECK(bench.link.closed());
      CHECK(bench.link.take().starts_with("HTTP/1.1 400 Bad Request\r\n"));
      CHECK(bench.begun.empty());
      CHECK(bench.log_lines ==
            std::vector<std::string>{"192.0.2.1:4711: refused, it sent a PROXY header and is none of the balancers of "
                                     "this door"});
    }
  }
}

TEST_CASE("proxy prelude: the end of input, and of its time") {
  PreludeBench only_looks;
  only_looks.link.receive_end();
  CHECK(only_looks.link.closed());
  CHECK(only_looks.log_lines.empty());
  PreludeBench cut;
  cut.link.receive("PROXY TCP4 ");
  cut.link.receive_end();
  CHECK(cut.link.closed());
  CHECK(cut.log_lines ==
        std::vector<std::string>{"192.0.2.1:4711: closed, its PROXY header is not taken: the connection ended within it"});
  PreludeBench stranger("10.0.0.0/8");
  stranger.link.receive("P");
  stranger.link.receive_end();
  stranger.link.run();
  CHECK(stranger.got == "P");
  CHECK(stranger.ends == 1);
  PreludeBench slow;
  for (int i = 0; i < 5; ++i) {
    slow.link.receive(line.substr(static_cast<std::size_t>(i), 1));
    slow.advance(1'000);
  }
  CHECK(slow.link.closed());
  CHECK(slow.log_lines == std::vector<std::string>{"192.0.2.1:4711: closed, its PROXY header is not taken: it took too long"});
  PreludeBench late;
  late.link.arrive(line);
  late.advance(5'000);
  CHECK(late.begun.size() == 1);
  PreludeBench quiet("10.0.0.0/8");
  quiet.advance(5'000);
  CHECK(quiet.log_lines == std::vector<std::string>{"192.0.2.1:4711: closed, nothing came"});
}
