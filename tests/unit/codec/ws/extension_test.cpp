#include "codec/ws/extension.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace wharf::codec;
using Context = DeflateWish::Context;
using Fields = std::vector<std::string_view>;

constexpr DeflateWish shared{.context = Context::shared, .window_bits = 12};
constexpr DeflateWish dedicated{.context = Context::dedicated, .window_bits = 12};
constexpr DeflateWish widest{.context = Context::dedicated, .window_bits = 15};

/// The extension in the server's response, "none" if it accepts no offer.
std::string answer(const Fields& fields, const DeflateWish& wish = widest) {
  const auto agreement = accept_deflate(fields, wish);
  return agreement ? deflate_answer(*agreement) : "none";
}
std::string answer(std::string_view field, const DeflateWish& wish = widest) { return answer(Fields{field}, wish); }

std::string after_name(std::string_view parameters) { return "permessage-deflate; " + std::string(parameters); }

/// The elements of a list, with every value in angles, and " ..." at the end if an element was left out.
std::string parsed(std::string_view field) {
  std::string text;
  const ExtensionList list = parse_extensions(field);
  for (const Extension& extension : list.extensions) {
    text += (text.empty() ? "" : ", ") + std::string(extension.name);
    for (const Extension::Parameter& parameter : extension.parameters)
      text += "; " + std::string(parameter.name) + (parameter.value ? "=<" + *parameter.value + ">" : "");
  }
  return text + (list.well_formed ? "" : " ...");
}

bool fits(std::string_view field, const DeflateWish& wish) { return read_deflate_answer({field}, wish).has_value(); }

}  // namespace

// ---- the grammar (RFC 6455 section 9.1) ----

TEST_CASE("ws_extension: the examples of RFC 6455") {
  CHECK(parsed("foo") == "foo");
  CHECK(parsed("bar; baz=2") == "bar; baz=<2>");
  CHECK(parsed("foo, bar; baz=2") == "foo, bar; baz=<2>");
  CHECK(parsed("deflate-stream") == "deflate-stream");
  CHECK(parsed("mux; max-channels=4; flow-control, deflate-stream") == "mux; max-channels=<4>; flow-control, deflate-stream");
  CHECK(parsed("private-extension") == "private-extension");
}

TEST_CASE("ws_extension: white space stands anywhere between, and lists may have holes") {
  CHECK(parsed(" \tfoo \t; a = 1 ;b\t=\t\"2\" , bar ") == "foo; a=<1>; b=<2>, bar");
  CHECK(parsed("foo;a=1;b,bar") == "foo; a=<1>; b, bar");
  CHECK(parsed(", ,foo,, bar,").starts_with("foo, bar"));
  CHECK(parsed(",foo,").ends_with("foo"));
  CHECK(parsed("").empty());
  CHECK(parsed(" , ").empty());
}

TEST_CASE("ws_extension: quoted values are tokens once they are unquoted") {
  CHECK(parsed(R"(foo; a="bc")") == "foo; a=<bc>");
  CHECK(parsed(R"(foo; a="\b\c")") == "foo; a=<bc>");
  CHECK(parsed(R"(foo; a="")") == " ...");
  CHECK(parsed(R"(foo; a="b c")") == " ...");
  CHECK(parsed(R"(foo; a="b\"c")") == " ...");
  CHECK(parsed(R"(foo; a="b,c")") == " ...");
  CHECK(parsed("foo; a=\"b") == " ...");
  CHECK(parsed("foo; a=\"b\\") == " ...");
  CHECK(parsed("foo; a=\"") == " ...");
  CHECK(parsed(R"(foo; "a"=b)") == " ...");
  CHECK(parsed(R"("foo")") == " ...");
}

TEST_CASE("ws_extension: an element that breaks the grammar is left out, its neighbours are not") {
  for (const char* bad : {"@", "b c", "b;", "b;;c", "b; =c", "b; c=", "b; c=d e", "b; c=@", "b=c", "; b", "=", "b; c==d", "b/c",
                          "caf\xC3\xA9", R"(b; c="d" e)", R"(b; c="d,e")", R"(@ "x, y\", z" q)", "b; c=\x01", "b\x7F"}) {
    CAPTURE(bad);
    CHECK(parsed(bad) == " ...");
    CHECK(parsed("a, " + std::string(bad) + ", z; y=1") == "a, z; y=<1> ...");
    CHECK(parsed(std::string(bad) + "," + bad + ",z") == "z ...");
  }
  CHECK(parsed("a, b; c=\"open, z") == "a ...");  // nobody knows where that would have ended
  CHECK(parsed("a, @\"open, z") == "a ...");
  CHECK(parsed(std::string_view("a, b\0c, z", 9)) == "a, z ...");
}

// ---- the server ----

TEST_CASE("ws_extension: the plainest offer") {
  CHECK(answer("permessage-deflate") == "permessage-deflate");
  CHECK(answer("permessage-deflate", dedicated) == "permessage-deflate");
  CHECK(answer("permessage-deflate", shared) == after_name("client_no_context_takeover"));
}

TEST_CASE("ws_extension: what browsers offer") {
  const auto agreement = accept_deflate({"permessage-deflate; client_max_window_bits"}, dedicated);
  REQUIRE(agreement);
  CHECK(agreement->server_max_window_bits == 12);
  CHECK(agreement->client_max_window_bits == 12);
  CHECK_FALSE(agreement->server_no_context_takeover);
  CHECK_FALSE(agreement->client_no_context_takeover);
  CHECK(deflate_answer(*agreement) == after_name("client_max_window_bits=12"));
}

TEST_CASE("ws_extension: the response does not say what the server does unasked, because some clients fail at that") {
  const auto agreement = accept_deflate({"permessage-deflate"}, shared);
  REQUIRE(agreement);
  CHECK(agreement->server_max_window_bits == 12);
  CHECK(agreement->server_no_context_takeover);
  for (const DeflateWish& wish : {shared, dedicated}) {
    CHECK(answer("permessage-deflate", wish).find("server_") == std::string::npos);
    CHECK(answer(after_name("client_max_window_bits"), wish).find("server_") == std::string::npos);
    CHECK(answer(after_name("client_no_context_takeover"), wish).find("server_") == std::string::npos);
  }
  CHECK(answer(after_name("server_no_context_takeover; client_no_context_takeover"), shared) ==
        after_name("server_no_context_takeover; client_no_context_takeover"));
}

TEST_CASE("ws_extension: clients with libwebsockets are told by their offer: before 4.4 they read compressed messages only") {
  const auto is_told = [](std::string_view offer) { return accept_deflate({offer}, shared)->reads_compressed_only; };
  CHECK(is_told("permessage-deflate; client_no_context_takeover; client_max_window_bits"));
  CHECK(is_told("permessage-deflate; client_no_context_takeover"));
  CHECK_FALSE(is_told("permessage-deflate"));
  CHECK_FALSE(is_told("permessage-deflate; client_max_window_bits"));
  CHECK_FALSE(is_told("permessage-deflate; client_no_context_takeover; client_max_window_bits=15"));
  CHECK_FALSE(is_told("permessage-deflate; server_no_context_takeover; client_no_context_takeover"));
  CHECK_FALSE(is_told("permessage-deflate; client_no_context_takeover; server_max_window_bits=15"));
}

TEST_CASE("ws_extension: Netty's client would fail at client_no_context_takeover: declined if no context is kept") {
  constexpr std::string_view netty = "permessage-deflate;client_max_window_bits,deflate-frame,x-webkit-deflate-frame";
  CHECK(answer(netty, shared) == "none");
  CHECK(answer(netty, dedicated) == after_name("client_max_window_bits=12"));
  CHECK(answer(Fields{"deflate-frame", "permessage-deflate"}, shared) == "none");
  CHECK(answer("deflate-frame, permessage-deflate; client_no_context_takeover", shared) ==
        after_name("client_no_context_takeover"));
  CHECK(answer("x-webkit-deflate-frame, permessage-deflate", shared) == after_name("client_no_context_takeover"));
}

TEST_CASE("ws_extension: no offer, nothing in the response") {
  for (const char* field : {"", "foo", "permessage-bzip2", "x-webkit-deflate-frame", "Permessage-Deflate", "permessage-deflate2",
                            "foo; permessage-deflate"})
    CHECK(answer(field) == "none");
  CHECK(answer(Fields{}) == "none");
}

TEST_CASE("ws_extension: context takeover is given up if either end wants it") {
  CHECK(answer(after_name("server_no_context_takeover")) == after_name("server_no_context_takeover"));
  CHECK(answer(after_name("client_no_context_takeover")) == after_name("client_no_context_takeover"));
  CHECK(answer(after_name("client_no_context_takeover; server_no_context_takeover")) ==
        after_name("server_no_context_takeover; client_no_context_takeover"));
}

TEST_CASE("ws_extension: a limit for the server is honoured and echoed") {
  for (int bits = 8; bits <= 15; ++bits) {
    const std::string offer = "server_max_window_bits=" + std::to_string(bits);
    CHECK(answer(after_name(offer)) == after_name(offer));  // even 15, which changes nothing
    CHECK(answer(after_name(offer), dedicated) == after_name("server_max_window_bits=" + std::to_string(std::min(bits, 12))));
  }
}

TEST_CASE("ws_extension: the client is limited only if it offered that") {
  const auto silent = accept_deflate({"permessage-deflate"}, dedicated);
  REQUIRE(silent);
  CHECK(silent->client_max_window_bits == 15);  // which has to be read then
  CHECK(answer(after_name("client_max_window_bits")) == "permessage-deflate");
  for (int bits = 8; bits <= 15; ++bits) {
    const auto agreement = accept_deflate({after_name("client_max_window_bits=" + std::to_string(bits))}, dedicated);
    REQUIRE(agreement);
    CHECK(agreement->client_max_window_bits == std::min(bits, 12));
    CHECK(deflate_answer(*agreement).ends_with("; client_max_window_bits=" + std::to_string(std::min(bits, 12))));
  }
}

TEST_CASE("ws_extension: no client is told to compress with a window of 2^8, which zlib has not, unless it says so itself") {
  constexpr DeflateWish smallest{.context = Context::dedicated, .window_bits = 8};
  CHECK(answer(after_name("client_max_window_bits"), smallest) == after_name("client_max_window_bits=9"));
  CHECK(answer(after_name("client_max_window_bits=10"), smallest) == after_name("client_max_window_bits=9"));
  CHECK(answer(after_name("client_max_window_bits=8"), smallest) == after_name("client_max_window_bits=8"));
  CHECK(accept_deflate({"permessage-deflate"}, smallest)->server_max_window_bits == 8);
}

TEST_CASE("ws_extension: values are 8 to 15, quoted or not") {
  CHECK(answer(after_name(R"(server_max_window_bits="10")")) == after_name("server_max_window_bits=10"));
  CHECK(answer(after_name(R"(client_max_window_bits="\1\0")")) == after_name("client_max_window_bits=10"));
  for (const char* value : {"0",   "1",  "7",   "16",  "08", "010", "015",   "-8",      "+8",      "8.0",
                            "0x9", "99", "100", "256", "1O", "a",   R"("")", R"(" 9")", R"("9 ")", "4294967304"}) {
    CHECK(answer(after_name("server_max_window_bits=") + value) == "none");
    CHECK(answer(after_name("client_max_window_bits=") + value) == "none");
  }
}

TEST_CASE("ws_extension: ill-formed, unknown and repeated parameters decline the offer") {
  for (const char* parameters :
       {"server_max_window_bits", "server_max_window_bits=", "client_max_window_bits=", "server_no_context_takeover=true",
        "client_no_context_takeover=1", "unknown", "unknown=1", "Server_No_Context_Takeover", "client_max_window_bits2",
        "server_no_context_takeover; server_no_context_takeover", "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10", "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=10; client_max_window_bits=10", "client_max_window_bits; client_max_window_bits=10",
        "client_max_window_bits=10; client_max_window_bits", "server_no_context_takeover; unknown", ""}) {
    CAPTURE(parameters);
    CHECK(answer(after_name(parameters)) == "none");
    CHECK(answer(after_name(parameters) + ", permessage-deflate") == "permessage-deflate");
  }
}

TEST_CASE("ws_extension: the first offer that fits, over all fields") {
  CHECK(answer(after_name("server_max_window_bits=10, permessage-deflate")) == after_name("server_max_window_bits=10"));
  CHECK(answer("foo, permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9") ==
        after_name("server_max_window_bits=9"));
  CHECK(answer(Fields{"foo", "", "permessage-deflate; bar", "permessage-deflate; client_no_context_takeover",
                      "permessage-deflate"}) == after_name("client_no_context_takeover"));
}

TEST_CASE("ws_extension: broken grammar declines its element alone") {
  CHECK(answer("@, permessage-deflate") == "permessage-deflate");
  CHECK(answer("permessage-deflate, @") == "permessage-deflate");
  CHECK(answer("permessage-deflate @") == "none");
  CHECK(answer("permessage-deflate; server_max_window_bits=, permessage-deflate") == "permessage-deflate");
  CHECK(answer(R"(foo; a=", permessage-deflate")") == "none");  // that comma is within the quotes
  CHECK(answer(Fields{"foo; a=\"", "permessage-deflate"}) == "permessage-deflate");
}

TEST_CASE("ws_extension: thousands of elements are read in no time") {
  std::string field;
  for (int i = 0; i < 100'000; ++i) field += "\"\\,\"a;b=\"c\",";
  CHECK(answer(field + "permessage-deflate") == "permessage-deflate");
  CHECK(answer(std::string(100'000, '"') + ",permessage-deflate") == "permessage-deflate");
}

// ---- the client ----

TEST_CASE("ws_extension: a client's offer is what it would like, and then anything") {
  CHECK(deflate_offer(widest) == after_name("client_max_window_bits, permessage-deflate"));
  CHECK(deflate_offer(dedicated) == after_name("server_max_window_bits=12; client_max_window_bits, permessage-deflate"));
  CHECK(deflate_offer(shared) == after_name("server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
                                            "client_max_window_bits, permessage-deflate"));
}

TEST_CASE("ws_extension: a client that cannot inflate the largest window does not offer it") {
  constexpr DeflateWish some{.context = Context::dedicated, .window_bits = 12, .largest_window_bits = 14};
  constexpr DeflateWish less{.context = Context::dedicated, .window_bits = 12, .largest_window_bits = 9};
  CHECK(deflate_offer(some) == after_name("server_max_window_bits=12; client_max_window_bits"));
  CHECK(deflate_offer(less) == after_name("server_max_window_bits=9; client_max_window_bits"));
  CHECK(fits(after_name("server_max_window_bits=14"), some));
  CHECK_FALSE(fits(after_name("server_max_window_bits=15"), some));
  CHECK_FALSE(fits("permessage-deflate", some));
  CHECK(fits(after_name("server_max_window_bits=9"), less));
  CHECK_FALSE(fits(after_name("server_max_window_bits=10"), less));
}

TEST_CASE("ws_extension: every wish of a client meets every wish of a server") {
  for (const Context ours : {Context::shared, Context::dedicated}) {
    for (const Context theirs : {Context::shared, Context::dedicated}) {
      for (int our_bits = 8; our_bits <= 15; ++our_bits) {
        for (int their_bits = 8; their_bits <= 15; ++their_bits) {
          const DeflateWish client{.context = ours, .window_bits = our_bits};
          const auto at_server = accept_deflate({deflate_offer(client)}, {.context = theirs, .window_bits = their_bits});
          REQUIRE(at_server);
          const auto at_client = read_deflate_answer({deflate_answer(*at_server)}, client);
          REQUIRE(at_client);
          CHECK(at_server->server_max_window_bits == std::min(our_bits, their_bits));
          CHECK(at_client->server_max_window_bits == (our_bits < 15 ? at_server->server_max_window_bits : 15));
          CHECK(at_client->client_max_window_bits == std::min(our_bits, std::max(their_bits, 9)));
          CHECK(at_client->client_max_window_bits <= at_server->client_max_window_bits);
          const bool without = ours == Context::shared || theirs == Context::shared;
          CHECK(at_client->client_no_context_takeover == without);
          CHECK(at_client->server_no_context_takeover == (ours == Context::shared));  // else the server does it without a word
        }
      }
    }
  }
}

TEST_CASE("ws_extension: a response narrows what was offered") {
  const auto agreement = read_deflate_answer({"permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                                              "server_max_window_bits=9; client_max_window_bits=8"},
                                             dedicated);
  REQUIRE(agreement);
  CHECK(agreement->server_no_context_takeover);
  CHECK(agreement->client_no_context_takeover);
  CHECK(agreement->server_max_window_bits == 9);
  CHECK(agreement->client_max_window_bits == 8);
  const auto wide =
      read_deflate_answer({R"(permessage-deflate; server_max_window_bits="12"; client_max_window_bits=15)"}, dedicated);
  REQUIRE(wide);
  CHECK(wide->client_max_window_bits == 12);  // the client need not use all it may
  CHECK(fits("permessage-deflate", widest));
  CHECK(read_deflate_answer({"", "permessage-deflate"}, widest));
}

TEST_CASE("ws_extension: a server may agree to less than the client would like") {
  const auto plain = read_deflate_answer({"permessage-deflate"}, shared);
  REQUIRE(plain);
  CHECK_FALSE(plain->server_no_context_takeover);
  CHECK(plain->client_no_context_takeover);
  CHECK(plain->server_max_window_bits == 15);
  CHECK(plain->client_max_window_bits == 12);
  CHECK(fits(after_name("server_max_window_bits=13"), dedicated));
  CHECK(fits(after_name("server_max_window_bits=12"), shared));
  CHECK(fits(after_name("server_no_context_takeover; client_no_context_takeover"), shared));  // Go's
}

TEST_CASE("ws_extension: a response that does not fit the offer fails the handshake") {
  for (const char* field :
       {"", ",", "foo", "permessage-deflate, foo", "foo, permessage-deflate", "permessage-deflate, permessage-deflate", "@",
        "permessage-deflate, @", "permessage-deflate;", "permessage-deflate; client_max_window_bits", "permessage-deflate; unknown",
        "permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=7", "PERMESSAGE-DEFLATE",
        "permessage-deflate; client_max_window_bits=16", "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover", "permessage-deflate; a=\"b"})
    CHECK_FALSE(fits(field, widest));
  CHECK_FALSE(read_deflate_answer({"permessage-deflate", "permessage-deflate"}, widest));
  CHECK_FALSE(read_deflate_answer({"permessage-deflate", "foo"}, widest));
  CHECK_FALSE(read_deflate_answer({}, widest));
}
