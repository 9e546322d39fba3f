#include "protocol/upgrade.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/server/served.h"

namespace {

using namespace wharf;
using namespace wharf::server;
using Fields = std::vector<std::pair<std::string, std::string>>;

Fields handshake(const std::string& protocols = {}) {
  Fields fields{{"Host", "localhost"},
                {"Upgrade", "websocket"},
                {"Connection", "Upgrade"},
                {"Sec-WebSocket-Version", "13"},
                {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  if (!protocols.empty()) fields.emplace_back("Sec-WebSocket-Protocol", protocols);
  return fields;
}

/// Replaces a field, or removes it if the value is empty.
Fields with(Fields fields, const std::string& name, const std::string& value) {
  std::erase_if(fields, [&name](const auto& field) { return field.first == name; });
  if (!value.empty()) fields.emplace_back(name, value);
  return fields;
}

std::string request(const Fields& fields, std::string_view line = "GET /chat?room=1 HTTP/1.1") {
  std::string text = base::concat(line, "\r\n");
  for (const auto& [name, value] : fields) text += base::concat(name, ": ", value, "\r\n");
  return text + "\r\n";
}

struct RefusedHandshake {
  std::string request;
  int status;
  std::string body;
};

wharf_row accepting(int (*accept)(void* shared, const wharf_request* request)) {
  wharf_row row = plain_row("chat");
  row.accept = accept;
  return row;
}

int accept_status(std::string_view query) {
  if (query.starts_with("status=")) return std::stoi(std::string(query.substr(7)));
  return 0;
}

}  // namespace

TEST_CASE("upgrade: the example of RFC 6455") {
  Served served({VirtualHost{}}, {plain_row("chat"), plain_row("superchat")});
  const Answer answer = served.ask(request(handshake("superchat, chat")));
  CHECK(answer.status == 101);
  CHECK(answer.head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(answer.field("Upgrade") == "websocket");
  CHECK(answer.field("Connection") == "Upgrade");
  CHECK(answer.field("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(answer.field("Sec-WebSocket-Protocol") == "superchat");
  CHECK(answer.field("Content-Length") == "none");
  CHECK(answer.field("Sec-WebSocket-Extensions") == "none");
  CHECK(answer.body.empty());
  CHECK_FALSE(answer.closed);
}

TEST_CASE("upgrade: every refusal says why, and nothing is upgraded") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
  const Fields good = handshake("chat");
  Fields two_keys = good, two_versions = good;
  two_keys.emplace_back("Sec-WebSocket-Key", key);
  two_versions.emplace_back("Sec-WebSocket-Version", "13");
  const RefusedHandshake refusals[] = {
      {request(good, "POST / HTTP/1.1"), 400, "A WebSocket handshake must be a GET request.\n"},
      {request(with(good, "Connection", "")), 400, "A WebSocket handshake must have \"Connection: Upgrade\".\n"},
      {request(with(good, "Connection", "keep-alive")), 400, "A WebSocket handshake must have \"Connection: Upgrade\".\n"},
      {request(with(good, "Content-Length", "1")), 400, "A WebSocket handshake must not have a body.\n"},
      {request(with(good, "Transfer-Encoding", "chunked")), 400, "A WebSocket handshake must not have a body.\n"},
      {request(two_versions), 400, "A WebSocket handshake must not repeat Sec-WebSocket-Version.\n"},
      {request(with(good, "Sec-WebSocket-Version", "")), 426, "This server speaks WebSocket version 13 only.\n"},
      {request(with(good, "Sec-WebSocket-Version", "8")), 426, "This server speaks WebSocket version 13 only.\n"},
      {request(with(good, "Sec-WebSocket-Key", "")), 400, "A WebSocket handshake must have exactly one Sec-WebSocket-Key.\n"},
      {request(two_keys), 400, "A WebSocket handshake must have exactly one Sec-WebSocket-Key.\n"},
      {request(with(good, "Sec-WebSocket-Key", "short==")), 400, "Sec-WebSocket-Key must be the base64 form of 16 bytes.\n"},
      {request(with(good, "Sec-WebSocket-Protocol", "two words")), 400, "Sec-WebSocket-Protocol must be a list of tokens.\n"},
      {request(with(good, "Sec-WebSocket-Protocol", ",")), 400, "Sec-WebSocket-Protocol must name at least one subprotocol.\n"},
      {request(with(good, "Sec-WebSocket-Protocol", "chat, chat")), 400,
       "Sec-WebSocket-Protocol must not name a subprotocol twice.\n"},
  };
  for (const RefusedHandshake& refusal : refusals) {
    CAPTURE(refusal.request);
    const Answer answer = served.ask(refusal.request);
    CHECK(answer.status == refusal.status);
    CHECK(answer.body == refusal.body);
    CHECK(answer.field("Content-Type") == "text/plain; charset=utf-8");
    CHECK(answer.field("Sec-WebSocket-Accept") == "none");
    CHECK(answer.field("Sec-WebSocket-Protocol") == "none");
    CHECK(answer.field("Sec-WebSocket-Version") == (refusal.status == 426 ? "13" : "none"));
    CHECK(answer.field("Upgrade") == (refusal.status == 426 ? "websocket" : "none"));
    if (refusal.status == 426) CHECK(answer.field("Connection") == "Upgrade");
  }
}

TEST_CASE("upgrade: none offered") {
  Served strict({VirtualHost{}}, {plain_row("chat"), plain_row("echo")});
  const Answer refused = strict.ask(request(handshake()));
  CHECK(refused.status == 400);
  CHECK(refused.body == "A subprotocol must be offered in Sec-WebSocket-Protocol. This server has: chat, echo\n");

  VirtualHost host;
  host.default_protocol = "echo";
  Served with_default({host}, {plain_row("chat"), plain_row("echo")});
  const Answer defaulted = with_default.ask(request(handshake()));
  CHECK(defaulted.status == 101);
  CHECK(defaulted.field("Sec-WebSocket-Protocol") == "none");  // the response must not have a name that was not offered

  Served nameless({VirtualHost{}}, {plain_row("chat"), plain_row("")});
  const Answer without = nameless.ask(request(handshake()));
  CHECK(without.status == 101);
  CHECK(without.field("Sec-WebSocket-Protocol") == "none");
}

TEST_CASE("upgrade: none of the offered is known") {
  VirtualHost host;
  host.default_protocol = "chat";
  Served served({host}, {plain_row("chat"), plain_row("echo")});
  const Answer answer = served.ask(request(handshake("mirror, Chat")));
  CHECK(answer.status == 400);
  CHECK(answer.body == "None of the subprotocols offered is known here: mirror, Chat. This server has: chat, echo\n");
  CHECK(served.ask(request(handshake("http"))).status == 400);
  Served empty({VirtualHost{}});
  CHECK(empty.ask(request(handshake("chat"))).body ==
        "None of the subprotocols offered is known here: chat. This server has: none\n");
}

TEST_CASE("upgrade: after a refusal the connection still speaks HTTP") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  const auto link = served.connect();
  link->receive(request(handshake("unknown")) + request(handshake("chat")));
  const std::string answers = link->take();
  CHECK(answers.starts_with("HTTP/1.1 400 "));
  CHECK(answers.find("HTTP/1.1 101 ") != std::string::npos);
  link->abort();
  link->run();
}

TEST_CASE("upgrade: another Upgrade than websocket is plain HTTP") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  CHECK(served.ask(request(with(handshake("chat"), "Upgrade", "h2c"))).status == 404);
  CHECK(served.ask(request(with(handshake("chat"), "Upgrade", "h2c, WebSocket"))).status == 101);
}

TEST_CASE("upgrade: accept() refuses with its status, and with 500 if that is none") {
  const wharf_row row = accepting([](void*, const wharf_request* asked) {
    const wharf_text query = asked->services->query(asked);
    return accept_status({query.data, query.size});
  });
  Served served({VirtualHost{}}, {row});
  const auto status = [&served](const std::string& asked) {
    const Answer answer = served.ask(request(handshake("chat"), "GET /?status=" + asked + " HTTP/1.1"));
    CHECK(answer.field("Sec-WebSocket-Accept") == (answer.status == 101 ? "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" : "none"));
    return std::to_string(answer.status) + " " + answer.body;
  };
  CHECK(status("0") == "101 ");
  CHECK(status("400") == "400 Bad Request\n");
  CHECK(status("401") == "401 Unauthorized\n");
  CHECK(status("403") == "403 Forbidden\n");
  CHECK(status("503") == "503 Service Unavailable\n");
  CHECK(status("599").starts_with("599 "));
  CHECK(served.home.log_lines.empty());
  for (const char* wrong : {"1", "-1", "101", "200", "302", "399", "600", "65936"}) {
    CHECK(status(wrong) == "500 Internal Server Error\n");
    CHECK(std::exchange(served.home.log_lines, {}) ==
          std::vector<std::string>{
              base::concat("error: chat: accept returned ", wrong, "; it is 0 to accept, or 400 to 599 to refuse")});
  }
}

TEST_CASE("upgrade: the request as accept() and open() see it") {
  static std::string seen;
  seen.clear();
  const auto look = [](const wharf_request* asked) {
    const wharf_services& services = *asked->services;
    for (const wharf_text text : {services.path(asked), services.query(asked), services.field(asked, "x-token"),
                                  services.field(asked, "X-Empty"), services.field(asked, "X-None"), services.address(asked)})
      seen += text.data != nullptr ? "'" + std::string(text.data, text.size) + "' " : "null ";
  };
  static const auto look_at = look;
  wharf_row row = accepting([](void*, const wharf_request* asked) {
    look_at(asked);
    return 0;
  });
  row.open = [](void*, void*, wharf_peer*, const wharf_request* asked) {
    look_at(asked);
    return 0;
  };
  Served served({VirtualHost{}}, {row});
  Fields fields = handshake("chat");
  fields.insert(fields.end(), {{"X-Token", "abc"}, {"x-TOKEN", "second"}, {"X-Empty", ""}});
  CHECK(served.ask(request(fields, "GET /a%20b?q=%41&r HTTP/1.1")).status == 101);
  const std::string once = "'/a%20b' 'q=%41&r' 'abc' '' null '192.0.2.1:4711' ";
  CHECK(seen == once + once);
}

TEST_CASE("upgrade: accept() is not asked for a handshake that is refused anyway") {
  static int asked = 0;
  asked = 0;
  Served served({VirtualHost{}}, {accepting([](void*, const wharf_request*) {
                  ++asked;
                  return 0;
                })});
  served.ask(request(handshake("unknown")));
  served.ask(request(with(handshake("chat"), "Sec-WebSocket-Key", "bad")));
  served.ask(request(with(handshake("chat"), "Sec-WebSocket-Version", "8")));
  CHECK(asked == 0);
  served.ask(request(handshake("chat")));
  CHECK(asked == 1);
}

TEST_CASE("upgrade: open() that refuses closes with 1011") {
  wharf_row row = plain_row("chat");
  row.open = [](void*, void*, wharf_peer*, const wharf_request*) { return 1; };
  row.closing = [](void*, std::uint16_t, const char*, std::size_t) { FAIL("there is no state that could be told"); };
  row.destroy = [](void*) { FAIL("there is no state to destroy"); };
  Served served({VirtualHost{}}, {row});
  const Answer answer = served.ask(request(handshake("chat")));
  CHECK(answer.status == 101);
  CHECK(answer.body == std::string("\x88\x02\x03\xF3"));
}

TEST_CASE("upgrade: a frame that arrives together with the handshake is not lost") {
  static std::string received;
  received.clear();
  wharf_row row = plain_row("chat");
  row.message = [](void*, wharf_kind, char* data, std::size_t size) { received.append(data, size); };
  Served served({VirtualHost{}}, {row});
  const std::string frame("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
  served.ask(request(handshake("chat")) + frame + frame);
  CHECK(received == "HelloHello");
}

TEST_CASE("upgrade: an HTTP/1.0 request's Upgrade is ignored (RFC 9110 section 7.8)") {
  VirtualHost host;
  host.mounts = {{"/", Fixed{200, "text/plain", "the page"}}};
  Served served({host}, {plain_row("chat")});
  const Answer answer = served.ask(request(handshake("chat"), "GET / HTTP/1.0"));
  CHECK(answer.status == 200);
  CHECK(answer.body == "the page");
}
