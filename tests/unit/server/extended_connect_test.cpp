// What an exchange is on a stream of HTTP/2, as far as no frame is needed for it.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "unit/server/served.h"
#include "unit/server/stream_framing.h"

namespace {

using namespace wharf;
using namespace wharf::server;

codec::RequestHead connect(std::vector<codec::Field> fields, std::string_view protocol = "websocket") {
  codec::RequestHead head;
  head.method = "CONNECT";
  head.protocol = protocol;
  head.target = "/chat?room=1";
  head.path = "/chat";
  head.query = "room=1";
  head.host = "localhost";
  head.fields = std::move(fields);
  return head;
}

std::vector<codec::Field> handshake() {
  return {{"sec-websocket-version", "13"}, {"sec-websocket-protocol", "other, chat"}, {"origin", "http://localhost"}};
}

std::string answer(Served& served, const codec::RequestHead& head) {
  const auto link = served.open([&head](session::Link& own, session::HttpContext& context) {
    return std::make_unique<test::StreamFraming>(own, context, head);
  });
  link->receive("HEADERS");
  std::string text = link->take();
  link->abort();
  link->run();
  return text;
}

VirtualHost with_mount(Mount mount) {
  VirtualHost host;
  host.mounts.push_back(std::move(mount));
  return host;
}

}  // namespace

TEST_CASE("extended CONNECT: the same conversation opens with 200, and without an accept value (RFC 8441 section 5)") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  CHECK(answer(served, connect(handshake())) == ":status=200\nsec-websocket-protocol=chat\n\n");
}

TEST_CASE("extended CONNECT: the conversation speaks on the stream") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  const auto link = served.open([](session::Link& own, session::HttpContext& context) {
    return std::make_unique<test::StreamFraming>(own, context, connect(handshake()));
  });
  link->receive("HEADERS");
  link->take();
  link->receive(std::string("\x89\x80\0\0\0\0", 6));  // a ping
  link->run();
  CHECK(link->take() == std::string("\x8a\0", 2));
  link->abort();
  link->run();
}

TEST_CASE("extended CONNECT: deflate is agreed on as over an upgrade") {
  wharf_row row = plain_row("chat");
  Served served({VirtualHost{}}, {row});
  auto fields = handshake();
  fields.push_back({"sec-websocket-extensions", "permessage-deflate"});
  const std::string upgraded = served
                                   .ask(
                                       "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                       "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
                                   .field("Sec-WebSocket-Extensions");
  const std::string connected = answer(served, connect(fields));
  if (upgraded == "none") CHECK(connected.find("sec-websocket-extensions") == std::string::npos);
  else CHECK(connected.find("sec-websocket-extensions=" + upgraded + "\n") != std::string::npos);
}

TEST_CASE("extended CONNECT: refusals name the version without an Upgrade, which HTTP/2 has not") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  const std::string refused = answer(served, connect({{"sec-websocket-version", "8"}, {"sec-websocket-protocol", "chat"}}));
  CHECK(refused.starts_with(":status=400\n"));
  CHECK(refused.find("\nsec-websocket-version=13\n") != std::string::npos);
  CHECK(refused.find("\nupgrade=") == std::string::npos);
}

TEST_CASE("extended CONNECT: other protocols, and tunnels to elsewhere, are not served") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  CHECK(answer(served, connect(handshake(), "connect-udp")).starts_with(":status=501\n"));
  CHECK(answer(served, connect(handshake(), {})).starts_with(":status=501\n"));
}

TEST_CASE("extended CONNECT: an Upgrade in a request of HTTP/2 means nothing") {
  Served served({VirtualHost{}}, {plain_row("chat")});
  codec::RequestHead head = connect(handshake(), {});
  head.method = "GET";
  head.fields.push_back({"upgrade", "websocket"});
  head.fields.push_back({"connection", "upgrade"});
  CHECK(answer(served, head).starts_with(":status=404\n"));
}

TEST_CASE("extended CONNECT: pages of other origins are refused as with an upgrade") {
  VirtualHost host;
  host.origins = {"https://friend.example"};
  Served served({host}, {plain_row("chat")});
  CHECK(answer(served, connect(handshake())).starts_with(":status=403\n"));
}

TEST_CASE("prepared fields: those of a mount leave as pairs with names in lower case") {
  Mount mount{"/", Redirect{.location = "https://elsewhere.example/"}};
  mount.security = SecurityFields::on;
  mount.fields = {{"X-Mount", "Yes: it is"}};
  Served served({with_mount(std::move(mount))});
  codec::RequestHead head = connect({}, {});
  head.method = "GET";
  head.target = head.path = "/";
  head.query = {};
  const std::string text = answer(served, head);
  CHECK(text.find("\nx-mount=Yes: it is\n") != std::string::npos);
  CHECK(text.find("\nx-content-type-options=nosniff\n") != std::string::npos);
}
