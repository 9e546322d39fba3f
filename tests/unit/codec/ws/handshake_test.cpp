#include "codec/ws/handshake.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace wharf::codec;

/// The handshake of RFC 6455 section 1.3 without its subprotocols.
RequestHead handshake() {
  RequestHead head;
  head.method = "GET";
  head.target = "/chat";
  head.host = "server.example.com";
  head.fields = {
      {"Host", "server.example.com"},   {"Upgrade", "websocket"},
      {"Connection", "Upgrade"},        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
      {"Origin", "http://example.com"}, {"Sec-WebSocket-Version", "13"},
  };
  return head;
}

void set(RequestHead& head, std::string_view name, std::string_view value) {
  for (Field& field : head.fields)
    if (field.name == name) field.value = value;
}

void remove(RequestHead& head, std::string_view name) {
  std::erase_if(head.fields, [name](const Field& field) { return field.name == name; });
}

RequestHead with(std::string_view name, std::string_view value) {
  RequestHead head = handshake();
  set(head, name, value);
  return head;
}

RequestHead without(std::string_view name) {
  RequestHead head = handshake();
  remove(head, name);
  return head;
}

RequestHead offering(std::initializer_list<std::string_view> lists) {
  RequestHead head = handshake();
  for (const std::string_view list : lists) head.fields.push_back({"sec-websocket-PROTOCOL", list});
  return head;
}

/// The status of the response: 101 for a valid handshake. A refusal must say why.
int status(const RequestHead& head) {
  const auto offer = check_handshake(head);
  if (offer) return 101;
  CHECK(offer.error().reason.size() > 20);
  CHECK(offer.error().reason.ends_with('.'));
  return offer.error().status;
}

using Names = std::vector<std::string_view>;

}  // namespace

TEST_CASE("ws_handshake: the example of RFC 6455") {
  const RequestHead head = offering({"chat, superchat"});
  const auto offer = check_handshake(head);
  REQUIRE(offer);
  CHECK(offer->key == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(offer->protocols == Names{"chat", "superchat"});
  CHECK(WsAccept(offer->key).text() == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("ws_handshake: the accept value of another key") {
  CHECK(WsAccept("x3JJHMbDL1EzLkh9GBhXDw==").text() == "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

TEST_CASE("ws_handshake: whether a request wants WebSocket") {
  CHECK(wants_websocket(handshake()));
  CHECK(wants_websocket(with("Upgrade", "WebSocket")));
  CHECK(wants_websocket(with("Upgrade", "h2c, websocket")));
  CHECK_FALSE(wants_websocket(with("Upgrade", "h2c")));
  CHECK_FALSE(wants_websocket(with("Upgrade", "websockets")));
  CHECK_FALSE(wants_websocket(without("Upgrade")));
  CHECK(wants_websocket(without("Connection")));
}

TEST_CASE("ws_handshake: lists and case are read as HTTP has them") {
  CHECK(status(with("Connection", "keep-alive, Upgrade")) == 101);
  CHECK(status(with("Connection", "UPGRADE")) == 101);
  CHECK(status(with("Upgrade", "foo, WEBSOCKET")) == 101);
}

TEST_CASE("ws_handshake: method, version, host and fields") {
  CHECK(status(handshake()) == 101);
  for (const std::string_view method : {"POST", "HEAD", "get", "CONNECT"}) {
    RequestHead head = handshake();
    head.method = method;
    CHECK(status(head) == 400);
  }
  RequestHead old = handshake();
  old.version = HttpVersion::http10;
  CHECK(status(old) == 400);
  RequestHead nowhere = handshake();
  nowhere.host = {};
  CHECK(status(nowhere) == 400);
  CHECK(status(without("Upgrade")) == 400);
  CHECK(status(with("Upgrade", "h2c")) == 400);
  CHECK(status(without("Connection")) == 400);
  CHECK(status(with("Connection", "keep-alive")) == 400);
  CHECK(status(with("Connection", "upgraded")) == 400);
}

TEST_CASE("ws_handshake: a body is refused") {
  RequestHead head = handshake();
  head.body = BodyFraming::chunked;
  CHECK(status(head) == 400);
  head.body = BodyFraming::length;
  head.content_length = 1;
  CHECK(status(head) == 400);
  head.content_length = 0;
  CHECK(status(head) == 101);
}

TEST_CASE("ws_handshake: any version but 13 gets 426") {
  for (const std::string_view version : {"8", "12", "14", "013", "13, 8", "8, 13", "13;", "x", ""})
    CHECK(status(with("Sec-WebSocket-Version", version)) == 426);
  CHECK(status(without("Sec-WebSocket-Version")) == 426);
  RequestHead twice = handshake();
  twice.fields.push_back({"sec-websocket-version", "13"});
  CHECK(status(twice) == 400);
  RequestHead also_without_key = with("Sec-WebSocket-Version", "8");
  remove(also_without_key, "Sec-WebSocket-Key");
  CHECK(status(also_without_key) == 426);
}

TEST_CASE("ws_handshake: the key is the base64 form of 16 bytes, once") {
  const std::string valid = "dGhlIHNhbXBsZSBub25jZQ==";
  CHECK(status(without("Sec-WebSocket-Key")) == 400);
  CHECK(status(with("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")) == 101);
  CHECK(status(with("Sec-WebSocket-Key", "/+/+/+/+/+/+/+/+/+/+/w==")) == 101);
  for (const std::string_view key :
       {"", "==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZWFh", "dGhl IHNhbXBsZSBub25jZ==", "dGhl=HNhbXBsZSBub25jZQ==",
        "dGhl-HNhbXBsZSBub25jZQ==", "dGhl_HNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAAAA=="})
    CHECK(status(with("Sec-WebSocket-Key", key)) == 400);
  for (char last = 0x20; last < 0x7F; ++last) {
    std::string key = valid;
    key[21] = last;
    CAPTURE(key);
    const bool is_canonical = last == 'A' || last == 'Q' || last == 'g' || last == 'w';
    CHECK(status(with("Sec-WebSocket-Key", key)) == (is_canonical ? 101 : 400));
  }
  RequestHead twice = handshake();
  twice.fields.push_back({"SEC-WEBSOCKET-KEY", valid});
  CHECK(status(twice) == 400);
}

TEST_CASE("ws_handshake: subprotocols in the client's order over all fields") {
  const RequestHead several = offering({"b, a", "c"});
  const auto offer = check_handshake(several);
  REQUIRE(offer);
  CHECK(offer->protocols == Names{"b", "a", "c"});
  const auto none = check_handshake(handshake());
  REQUIRE(none);
  CHECK(none->protocols.empty());
  CHECK(status(offering({"Chat, chat"})) == 101);  // names are compared exactly
  CHECK(status(offering({" chat ,\tsuperchat,, v1.example!"})) == 101);
}

TEST_CASE("ws_handshake: subprotocols that are not tokens, repeated or missing") {
  for (const std::string_view list : {"two words", "a;b", "\"quoted\"", "a/b", "caf\xC3\xA9", "", ",", "chat, chat", "a, b, c, a"})
    CHECK(status(offering({list})) == 400);
  CHECK(status(offering({"chat", "superchat, chat"})) == 400);
  CHECK(status(offering({"chat", ""})) == 101);
}

TEST_CASE("ws_handshake: thousands of subprotocols are checked in no time") {
  std::string list;
  for (int i = 0; i < 20'000; ++i) ((list += 'p') += std::to_string(i)) += ',';
  CHECK(status(offering({list})) == 101);
  CHECK(status(offering({list, "p777"})) == 400);
}

namespace {

/// RFC 8441 section 5.1, as HTTP/2 hands it over.
RequestHead connect(std::vector<Field> fields) {
  RequestHead head;
  head.method = "CONNECT";
  head.protocol = "websocket";
  head.target = "/chat";
  head.host = "server.example.com";
  head.version = HttpVersion::http2;
  head.fields = std::move(fields);
  return head;
}

}  // namespace

TEST_CASE("ws_handshake: an extended CONNECT needs neither Upgrade nor a key (RFC 8441 section 5)") {
  const RequestHead head = connect({{"sec-websocket-protocol", "chat, superchat"}, {"sec-websocket-version", "13"}});
  CHECK(wants_websocket(head));
  const auto offer = check_handshake(head);
  REQUIRE(offer);
  CHECK(offer->key.empty());
  CHECK(offer->protocols == Names{"chat", "superchat"});
  CHECK(status(connect({{"sec-websocket-version", "13"}, {"sec-websocket-key", "none"}})) == 101);
}

TEST_CASE("ws_handshake: what else holds for an extended CONNECT too") {
  CHECK(status(connect({})) == 400);
  const auto other = check_handshake(connect({{"sec-websocket-version", "8"}}));
  REQUIRE_FALSE(other);
  CHECK(other.error().status == 400);  // 426 goes with Upgrade, which HTTP/2 does not have
  CHECK(other.error().tells_version);
  CHECK(status(connect({{"sec-websocket-version", "13"}, {"sec-websocket-version", "13"}})) == 400);
  CHECK(status(connect({{"sec-websocket-version", "13"}, {"sec-websocket-protocol", "a, a"}})) == 400);
  RequestHead nowhere = connect({{"sec-websocket-version", "13"}});
  nowhere.host = {};
  CHECK(status(nowhere) == 400);
}

TEST_CASE("ws_handshake: other requests of HTTP/2, and an Upgrade in it, want no WebSocket") {
  RequestHead other = connect({{"sec-websocket-version", "13"}});
  other.protocol = "connect-udp";
  CHECK_FALSE(wants_websocket(other));
  other.protocol = "WebSocket";
  CHECK(wants_websocket(other));
  RequestHead upgrade = handshake();
  upgrade.version = HttpVersion::http2;
  CHECK(status(upgrade) == 400);
}
