#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "codec/deflate.h"
#include "wharf/websocket.hpp"

namespace {

using namespace wharf::websocket;

const std::string sample_key = "dGhlIHNhbXBsZSBub25jZQ==";
const std::string sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request of RFC 6455 section 1.2.
const std::string sample =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The sample with one part replaced.
std::string with(std::string_view old, std::string_view other) {
  std::string changed = sample;
  const std::size_t at = changed.find(old);
  REQUIRE(at != std::string::npos);
  return changed.replace(at, old.size(), other);
}

ServerHandshake answer(const std::string& bytes, const ServerOptions& options = {}) { return answer_request(bytes, options); }

int status_of(const std::string& answer) { return std::stoi(answer.substr(9, 3)); }

bool fixed(std::span<unsigned char> bytes) {
  const std::string_view nonce = "the sample nonce";
  std::copy_n(nonce.begin(), std::min(nonce.size(), bytes.size()), bytes.begin());
  return true;
}

ClientOptions sample_client() {
  ClientOptions options;
  options.host = "server.example.com";
  options.target = "/chat";
  options.protocols = {"chat", "superchat"};
  options.compression.context = Compression::Context::off;
  options.random = fixed;
  return options;
}

const std::string sample_answer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

ClientHandshake check(std::string_view old, std::string_view other, const ClientOptions& options = sample_client()) {
  std::string changed = sample_answer;
  changed.replace(changed.find(old), old.size(), other);
  return check_answer(changed, make_request(options));
}

}  // namespace

TEST_CASE("websocket_handshake: the RFC's own request gets the RFC's own response") {
  ServerOptions options;
  options.protocols = {"chat"};
  for (std::size_t size = 0; size < sample.size(); ++size) {
    const ServerHandshake handshake = answer(sample.substr(0, size), options);
    if (handshake.outcome != Outcome::incomplete || !handshake.answer.empty()) FAIL_CHECK("not incomplete at " << size);
  }
  const ServerHandshake handshake = answer(sample + "frames", options);
  CHECK(handshake.outcome == Outcome::accepted);
  CHECK(handshake.error == Error::none);
  CHECK(handshake.used == sample.size());
  CHECK(handshake.protocol == "chat");
  CHECK(handshake.agreement == Agreement());
  CHECK(handshake.method == "GET");
  CHECK(handshake.target == "/chat");
  CHECK(find_field(handshake.fields, "origin") == "http://example.com");
  CHECK(find_field(handshake.fields, "cookie") == std::nullopt);
  CHECK(handshake.answer == sample_answer);
}

TEST_CASE("websocket_handshake: each fault of a request has its name and status") {
  struct Case {
    Error error;
    int status;
    std::string request;
  };
  const std::vector<Case> cases{
      {Error::head_malformed, 400, with("Host:", "Host :")},
      {Error::head_malformed, 400, with("Host: server.example.com\r\n", "")},
      {Error::head_malformed, 400, "\x16\x03\x01"},
      {Error::head_too_large, 431, with("Origin: ", "Origin: " + std::string(17'000, 'o'))},
      {Error::head_too_large, 414, with("/chat", "/" + std::string(9'000, 'c'))},
      {Error::http_version, 400, with("HTTP/1.1", "HTTP/1.0")},
      {Error::http_version, 505, with("HTTP/1.1", "HTTP/2.0")},
      {Error::upgrade_missing, 426, with("Upgrade: websocket\r\n", "")},
      {Error::upgrade_missing, 426, with("Upgrade: websocket", "Upgrade: h2c")},
      {Error::connection_missing, 400, with("Connection: Upgrade", "Connection: keep-alive")},
      {Error::method_not_get, 400, with("GET", "POST")},
      {Error::body_unexpected, 400, with("Origin:", "Content-Length: 1\r\nOrigin:")},
      {Error::body_unexpected, 400, with("Origin:", "Transfer-Encoding: chunked\r\nOrigin:")},
      {Error::version_unsupported, 426, with("Version: 13", "Version: 8")},
      {Error::version_unsupported, 426, with("Sec-WebSocket-Version: 13\r\n", "")},
      {Error::version_unsupported, 426, with("Origin:", "Sec-WebSocket-Version: 13\r\nOrigin:")},
      {Error::key_missing, 400, with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")},
      {Error::key_missing, 400, with("Origin:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin:")},
      {Error::key_malformed, 400, with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==")},
      {Error::key_malformed, 400, with("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=")},
      {Error::protocols_malformed, 400, with("chat, superchat", "chat, chat")},
      {Error::protocols_malformed, 400, with("chat, superchat", "chat/2")},
      {Error::protocols_malformed, 400, with("chat, superchat", "")},
      {Error::protocol_unknown, 400, with("chat, superchat", "super")},
  };
  ServerOptions options;
  options.protocols = {"chat", "superchat"};
  for (const Case& each : cases) {
    CAPTURE(each.request.substr(0, 400));
    const ServerHandshake handshake = answer(each.request, options);
    CHECK(handshake.outcome == Outcome::refused);
    CHECK(handshake.error == each.error);
    CHECK(status_of(handshake.answer) == each.status);
    CHECK(!handshake.reason.empty());
    CHECK(handshake.answer.ends_with("\r\n\r\n" + std::string(handshake.reason) + "\n"));
    CHECK(handshake.answer.find("Content-Length: " + std::to_string(handshake.reason.size() + 1)) != std::string::npos);
    CHECK((handshake.answer.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos) == (each.status == 426));
    CHECK(handshake.protocol.empty());
  }
}

TEST_CASE("websocket_handshake: a HEAD request is refused without a body") {
  const ServerHandshake handshake = answer("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(handshake.error == Error::upgrade_missing);
  CHECK(handshake.answer.ends_with("\r\n\r\n"));
}

TEST_CASE("websocket_handshake: the first subprotocol of the client's that is spoken is chosen") {
  ServerOptions options;
  options.protocols = {"superchat", "chat"};
  CHECK(answer(sample, options).protocol == "chat");
  options.protocols = {"superchat"};
  CHECK(answer(sample, options).protocol == "superchat");
  options.protocols = {"Chat"};
  CHECK(answer(sample, options).error == Error::protocol_unknown);
  options.protocols = {};
  CHECK(answer(sample, options).outcome == Outcome::accepted);
  CHECK(answer(sample, options).protocol.empty());
  CHECK(answer(sample, options).answer.find("Sec-WebSocket-Protocol") == std::string::npos);

  const std::string offers_none = with("Sec-WebSocket-Protocol: chat, superchat\r\n", "");
  options.protocols = {"chat"};
  CHECK(answer(offers_none, options).outcome == Outcome::accepted);
  options.protocol_required = true;
  CHECK(answer(offers_none, options).error == Error::protocol_unknown);
  options.protocols = {};
  CHECK(answer(offers_none, options).outcome == Outcome::accepted);
}

TEST_CASE("websocket_handshake: compression is agreed on, over several fields too") {
  const std::string offers = with("Origin:",
                                  "Sec-WebSocket-Extensions: x-other\r\n"
                                  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\nOrigin:");
  const ServerHandshake handshake = answer(offers);
  Agreement expected;
  expected.compressed = true;
  expected.server_window_bits = 12;
  expected.client_window_bits = 10;
  CHECK(handshake.agreement == expected);
  CHECK(handshake.answer.find("Sec-WebSocket-Extensions: permessage-deflate; "
                              "client_no_context_takeover; client_max_window_bits=10\r\n") != std::string::npos);

  ServerOptions options;
  options.compression.context = Compression::Context::off;
  CHECK(!answer(offers, options).agreement.compressed);
  CHECK(answer(offers, options).answer.find("Extensions") == std::string::npos);
  options.compression.context = Compression::Context::dedicated;
  CHECK(answer(offers, options).agreement.compress_from == 64);
  options.compression.window_bits = 15;
  options.compression.memory_level = 8;
  options.compression.level = 9;
  options.compression.compress_from = 1000;
  expected = {true, true, true, 15, 10, 8, 9, 1000};
  CHECK(answer(offers, options).agreement == expected);
}

TEST_CASE("websocket_handshake: a server's own mistakes are 500") {
  const auto error_with = [](auto change) {
    ServerOptions options;
    change(options);
    const ServerHandshake handshake = answer(sample, options);
    CHECK(handshake.outcome == Outcome::refused);
    CHECK(status_of(handshake.answer) == 500);
    return handshake.error;
  };
  CHECK(error_with([](auto& options) { options.protocols = {"a", "a"}; }) == Error::bad_protocol);
  CHECK(error_with([](auto& options) { options.protocols = {""}; }) == Error::bad_protocol);
  CHECK(error_with([](auto& options) { options.protocols = {"a\r\nX: y"}; }) == Error::bad_protocol);
  CHECK(error_with([](auto& options) { options.fields = {{"X", "a\r\nSet-Cookie: b"}}; }) == Error::bad_field);
  CHECK(error_with([](auto& options) { options.fields = {{"sec-websocket-accept", "a"}}; }) == Error::reserved_field);
  CHECK(error_with([](auto& options) { options.compression.window_bits = 16; }) == Error::bad_compression);

  ServerOptions options;
  options.fields = {{"Set-Cookie", "a=b"}};
  CHECK(answer(sample, options).answer.ends_with("\r\nSet-Cookie: b\r\n\r\n") == false);
  CHECK(answer(sample, options).answer.ends_with("\r\nSet-Cookie: a=b\r\n\r\n"));
  options.head_limit = sample.size();
  CHECK(answer(sample, options).outcome == Outcome::accepted);
  --options.head_limit;
  CHECK(answer(sample, options).error == Error::head_too_large);
}

TEST_CASE("websocket_handshake: a refusal of the caller's own") {
  CHECK(refusal(403, "no").starts_with("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"));
  CHECK(refusal(403, "no").ends_with("Content-Length: 3\r\n\r\nno\n"));
  CHECK(status_of(refusal(101, "no")) == 500);
  CHECK(status_of(refusal(600, "no")) == 500);
}

TEST_CASE("websocket_handshake: a client's request is the RFC's, and is accepted by the server") {
  const ClientRequest request = make_request(sample_client());
  CHECK(request.error == Error::none);
  CHECK(request.key == sample_key);
  CHECK(request.bytes ==
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n");
  for (std::size_t size = 0; size < sample_answer.size(); ++size)
    CHECK(check_answer(sample_answer.substr(0, size), request).outcome == Outcome::incomplete);
  const ClientHandshake handshake = check_answer(sample_answer + "frames", request);
  CHECK(handshake.outcome == Outcome::accepted);
  CHECK(handshake.status == 101);
  CHECK(handshake.used == sample_answer.size());
  CHECK(handshake.protocol == "chat");
  CHECK(handshake.agreement == Agreement());
  CHECK(find_field(handshake.fields, "UPGRADE") == "websocket");
}

TEST_CASE("websocket_handshake: the two sides agree whatever each of them wishes") {
  using Context = Compression::Context;
  for (const Context clients : {Context::standard, Context::off, Context::shared, Context::dedicated}) {
    for (const Context servers : {Context::standard, Context::off, Context::shared, Context::dedicated}) {
      for (const unsigned bits : {0U, 8U, 15U}) {
        ClientOptions client;
        client.host = "[::1]:7681";
        client.compression.context = clients;
        ServerOptions server;
        server.compression.context = servers;
        server.compression.window_bits = bits;
        const ClientRequest request = make_request(client);
        const ServerHandshake on_server = answer(request.bytes, server);
        const ClientHandshake on_client = check_answer(on_server.answer, request);
        CHECK(on_client.outcome == Outcome::accepted);
        const Agreement &here = on_client.agreement, &there = on_server.agreement;
        CHECK(here.compressed == (clients != Context::off && servers != Context::off));
        CHECK(there.compressed == here.compressed);
        // The server does not say what it does without being asked.
        CHECK(here.server_window_bits >= there.server_window_bits);
        CHECK(here.server_keeps_context >= there.server_keeps_context);
        // A client's window may be smaller than agreed on.
        CHECK(here.client_window_bits <= there.client_window_bits);
        CHECK(here.client_keeps_context <= there.client_keeps_context);
      }
    }
  }
}

TEST_CASE("websocket_handshake: keys differ, and come from the random source") {
  ClientOptions options = sample_client();
  options.random = {};
  CHECK(make_request(options).key != make_request(options).key);
  options.random = [](std::span<unsigned char>) { return false; };
  CHECK(make_request(options).error == Error::no_random);
  CHECK(make_request(options).bytes.empty());
}

TEST_CASE("websocket_handshake: nothing can be smuggled into a client's request") {
  const auto error_with = [](auto change) {
    ClientOptions options = sample_client();
    change(options);
    const ClientRequest request = make_request(options);
    CHECK(request.bytes.empty());
    CHECK(check_answer(sample_answer, request).error == request.error);
    return request.error;
  };
  const std::string nul("a\0b", 3);
  for (const std::string& host : {std::string(), std::string("a\r\nX: y"), std::string("a b"), std::string("u@a"), nul})
    CHECK(error_with([&](auto& options) { options.host = host; }) == Error::bad_host);
  for (const std::string& target : {std::string(), std::string("a"), std::string("/ HTTP/1.1\r\nX: y"), std::string("/a b"),
                                    std::string("/a#b"), std::string("/\xC3\xBC"), "/" + nul})
    CHECK(error_with([&](auto& options) { options.target = target; }) == Error::bad_target);
  for (const std::string& name : {std::string(), std::string("a\r\nX: y"), std::string("a,b"), nul, std::string("chat")})
    CHECK(error_with([&](auto& options) { options.protocols = {"chat", name}; }) == Error::bad_protocol);
  for (const std::string& name : {std::string(), std::string("X:"), std::string("X Y"), std::string("X\r\nY"), nul})
    CHECK(error_with([&](auto& options) { options.fields = {{name, "value"}}; }) == Error::bad_field);
  for (const std::string& value : {std::string("a\r\nX: y"), std::string("a\rb"), std::string("a\nb"), std::string("a\x7F"), nul})
    CHECK(error_with([&](auto& options) { options.fields = {{"X", value}}; }) == Error::bad_field);
  for (const std::string name :
       {"host", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "Sec-WebSocket-Key", "sec-websocket-anything"})
    CHECK(error_with([&](auto& options) { options.fields = {{name, "value"}}; }) == Error::reserved_field);
  CHECK(error_with([](auto& options) { options.compression.level = 10; }) == Error::bad_compression);
  CHECK(error_with([](auto& options) { options.compression.memory_level = 10; }) == Error::bad_compression);
  CHECK(error_with([](auto& options) { options.compression.window_bits = 7; }) == Error::bad_compression);

  ClientOptions options = sample_client();
  options.fields = {{"Origin", "https://example.com"}, {"X-Name", "Zo\xC3\xAB\tb"}, {"X-Empty", ""}};
  CHECK(make_request(options).bytes.ends_with("\r\nOrigin: https://example.com\r\nX-Name: Zo\xC3\xAB\tb\r\nX-Empty: \r\n\r\n"));
}

TEST_CASE("websocket_handshake: each fault of a response has its name") {
  CHECK(check("HTTP/1.1 101", "HTTP/1.1 403").error == Error::status_not_101);
  CHECK(check("HTTP/1.1 101", "HTTP/1.1 403").status == 403);
  CHECK(check("HTTP/1.1 101", "HTTP/1.1 403").used == sample_answer.size());
  CHECK(check("HTTP/1.1 101", "HTTP/1.0 101").error == Error::http_version);
  CHECK(check("HTTP/1.1 101", "HTTP/2 101").error == Error::head_malformed);
  CHECK(check("Upgrade: websocket", "X: y").error == Error::upgrade_missing);
  CHECK(check("Upgrade: websocket", "Upgrade: websocket2").error == Error::upgrade_missing);
  CHECK(check("Upgrade: websocket", "Upgrade: h2c, websocket").error == Error::upgrade_missing);
  CHECK(check("Connection: Upgrade", "Connection: close").error == Error::connection_missing);
  CHECK(check("s3pP", "s3pp").error == Error::accept_wrong);
  CHECK(check("Sec-WebSocket-Accept", "X-Accept").error == Error::accept_wrong);
  CHECK(check("\r\nUpgrade", "\r\nSec-WebSocket-Accept: " + sample_accept + "\r\nUpgrade").error == Error::accept_wrong);
  CHECK(check("Protocol: chat", "Protocol: Chat").error == Error::protocol_not_offered);
  CHECK(check("Protocol: chat", "Protocol: chat, superchat").error == Error::protocol_not_offered);
  CHECK(check("Protocol: chat", "Protocol: chat\r\nSec-WebSocket-Protocol: chat").error == Error::protocol_not_offered);
  CHECK(check("Protocol: chat", "Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate").error ==
        Error::extension_not_offered);
  CHECK(check("Protocol: chat", "Protocol: chat\r\nSec-WebSocket-Extensions: ").error == Error::extension_not_offered);
  CHECK(check("Connection: Upgrade", "Connection : Upgrade").error == Error::head_malformed);
  CHECK(check("Connection: Upgrade", "X: " + std::string(17'000, 'x')).error == Error::head_too_large);
  CHECK(check("Connection: Upgrade", "Connection: keep-alive, UPGRADE").outcome == Outcome::accepted);
  CHECK(check("Upgrade: websocket", "upgrade:WebSocket").outcome == Outcome::accepted);
  CHECK(check("Sec-WebSocket-Protocol", "X").outcome == Outcome::accepted);
  for (const auto& refused : {check("s3pP", "s3pp"), check("Protocol: chat", "Protocol: Chat")}) {
    CHECK(refused.outcome == Outcome::refused);
    CHECK(refused.protocol.empty());
    CHECK(refused.reason == message(refused.error));
  }
  ClientOptions compressing = sample_client();
  compressing.compression.context = Compression::Context::shared;
  // Its server keeps a context, with a larger window than the client would like.
  const ClientHandshake less =
      check("Protocol: chat", "Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate", compressing);
  CHECK(less.outcome == Outcome::accepted);
  CHECK(less.agreement.server_keeps_context);
  CHECK(less.agreement.server_window_bits == 15);
}

TEST_CASE("websocket_handshake: a client offers what its memory can inflate, and accepts nothing beyond") {
  ClientOptions options = sample_client();
  options.compression.context = Compression::Context::dedicated;
  const auto offered = [&options](std::uint64_t limit) {
    options.memory_limit = limit;
    const std::string bytes = make_request(options).bytes;
    const std::size_t at = bytes.find("permessage-deflate");
    return at == std::string::npos ? "" : bytes.substr(at, bytes.find("\r\n", at) - at);
  };
  const std::string wanted = "permessage-deflate; server_max_window_bits=12; client_max_window_bits";
  constexpr std::uint64_t room = 32 * 1024;
  CHECK(offered(0) == wanted + ", permessage-deflate");
  CHECK(offered(room + wharf::codec::Inflater::memory(15) + 1) == wanted + ", permessage-deflate");
  CHECK(offered(room + wharf::codec::Inflater::memory(15)) == wanted);
  CHECK(offered(room + wharf::codec::Inflater::memory(12) + 1) == wanted);
  CHECK(offered(room + wharf::codec::Inflater::memory(12)) ==
        "permessage-deflate; server_max_window_bits=11; client_max_window_bits");
  CHECK(offered(room + wharf::codec::Inflater::memory(8)).empty());
  CHECK(offered(1).empty());

  const std::uint64_t some = room + wharf::codec::Inflater::memory(14) + 1;
  const Compression& wish = options.compression;
  CHECK(check_compression("permessage-deflate; server_max_window_bits=14", wish, some).agreement.server_window_bits == 14);
  CHECK(check_compression("permessage-deflate", wish, some).error == Error::extension_not_offered);
  CHECK(check_compression("permessage-deflate", wish).error == Error::none);
  CHECK(check_compression("permessage-deflate; server_max_window_bits=8", wish, 1).error == Error::extension_not_offered);
}

TEST_CASE("websocket_handshake: an offer that is libwebsockets' has the stream compress every message") {
  Compression wish;
  const Agreement agreement = negotiate_compression("permessage-deflate; client_no_context_takeover", wish).agreement;
  CHECK(agreement.compress_all);
  CHECK_FALSE(negotiate_compression("permessage-deflate; client_max_window_bits", wish).agreement.compress_all);
  std::string out;
  Stream server(Role::server, agreement);
  for (const std::string_view message : {"", "a", "Hello"}) {
    CHECK(server.send(wharf::Kind::text, message, out = {}) == Error::none);
    CHECK(static_cast<unsigned char>(out[0]) == 0xC1);
  }
  wish.messages = Compression::Messages::all;
  CHECK(negotiate_compression("permessage-deflate", wish).agreement.compress_all);
  CHECK(check_compression("permessage-deflate", wish).agreement.compress_all);
}

TEST_CASE("websocket_handshake: responses that announce another are skipped, within the limit") {
  const std::string early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
  const ClientRequest request = make_request(sample_client());
  const ClientHandshake handshake = check_answer("HTTP/1.1 100 Continue\r\n\r\n" + early + sample_answer, request);
  CHECK(handshake.outcome == Outcome::accepted);
  CHECK(handshake.used == 25 + early.size() + sample_answer.size());
  CHECK(check_answer(early, request).outcome == Outcome::incomplete);
  std::string endless;
  while (endless.size() <= request.head_limit) endless += early;
  CHECK(check_answer(endless, request).error == Error::head_too_large);
}

TEST_CASE("websocket_handshake: step by step") {
  for (const auto version : {"HTTP/1.1", "HTTP/1.2", "HTTP/1.9"}) CHECK(check_http_version(version) == Error::none);
  for (const auto version : {"HTTP/1.0", "HTTP/1.", "HTTP/1.x", "HTTP/1.10", "HTTP/2", "HTTP/2.1", "http/1.1", ""})
    CHECK(check_http_version(version) == Error::http_version);
  CHECK(check_upgrade("h2c, WebSocket") == Error::none);
  CHECK(check_upgrade("websocket2") == Error::upgrade_missing);
  CHECK(check_connection("keep-alive,upgrade") == Error::none);
  CHECK(check_connection("close") == Error::connection_missing);
  CHECK(check_version("13") == Error::none);
  for (const auto version : {"", "013", "13, 8"}) CHECK(check_version(version) == Error::version_unsupported);
  CHECK(check_key(sample_key) == Error::none);
  CHECK(check_key("") == Error::key_malformed);
  CHECK(accept_value(sample_key) == sample_accept);
  CHECK(check_accept(sample_accept, sample_key) == Error::none);
  CHECK(check_accept("", sample_key) == Error::accept_wrong);

  CHECK(choose_protocol("b, a", {"a", "b"}).protocol == "b");
  CHECK(choose_protocol("c, a", {"a", "b"}).protocol == "a");
  CHECK(choose_protocol("", {"a"}).error == Error::none);
  CHECK(choose_protocol("b", {}).protocol.empty());
  CHECK(choose_protocol("c", {"a"}).error == Error::protocol_unknown);
  CHECK(choose_protocol("a, a", {"a"}).error == Error::protocols_malformed);
  CHECK(choose_protocol("a b", {"a"}).error == Error::protocols_malformed);

  Compression wish;
  const Negotiation server = negotiate_compression("permessage-deflate; bad, " + offer_compression(wish), wish);
  CHECK(server.error == Error::none);
  CHECK(server.agreement.compressed);
  CHECK(check_compression(server.field, wish).agreement == server.agreement);
  CHECK(negotiate_compression("permessage-deflate", wish).field == "permessage-deflate; client_no_context_takeover");
  CHECK(negotiate_compression("", wish).field.empty());
  CHECK(check_compression("", wish).error == Error::none);
  CHECK(check_compression("x", wish).error == Error::extension_not_offered);
  wish.window_bits = 16;
  CHECK(negotiate_compression("permessage-deflate", wish).error == Error::bad_compression);
  CHECK(check_compression("permessage-deflate", wish).error == Error::bad_compression);
  CHECK(offer_compression(wish).empty());
  wish.context = Compression::Context::off;
  wish.window_bits = 0;
  CHECK(offer_compression(wish).empty());
  CHECK(check_compression("permessage-deflate", wish).error == Error::extension_not_offered);
  CHECK(!negotiate_compression("permessage-deflate", wish).agreement.compressed);
}
