#include "test-apps/door_places.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

// Places to listen on, as a command line has them.

namespace {

using namespace door_places;

/// The place in words: how it is secured, the interface and the port, or the path.
std::string read(std::string_view text, Security usual = Security::plain) {
  const auto place = parse(text, usual);
  if (!place) return "none";
  if (!place->path.empty()) return "unix " + place->path;
  return (place->security == Security::tls ? "tls " : "plain ") + place->interface + " " + std::to_string(place->port);
}

}  // namespace

TEST_CASE("door places: a port, an address with a port, a URL, or a unix socket") {
  CHECK(read("8080") == "plain 127.0.0.1 8080");
  CHECK(read("*:443") == "plain * 443");
  CHECK(read("localhost:0") == "plain localhost 0");
  CHECK(read("[::1]:80") == "plain [::1] 80");
  CHECK(read("[fe80::1%eth0]:80") == "plain [fe80::1%eth0] 80");
  CHECK(read("http://192.0.2.1:80/") == "plain 192.0.2.1 80");
  CHECK(read("https://192.0.2.1:443") == "tls 192.0.2.1 443");
  CHECK(read("unix:/run/a:b") == "unix /run/a:b");
  CHECK(read("unix:@name") == "unix @name");
}

TEST_CASE("door places: a scheme goes before what is usual") {
  CHECK(read("443", Security::tls) == "tls 127.0.0.1 443");
  CHECK(read("http://127.0.0.1:80", Security::tls) == "plain 127.0.0.1 80");
}

TEST_CASE("door places: what is none") {
  for (const char* text : {"", "host", "host:", ":80", "::1:80", "host:http", "host:-1", "host:65536", "host:80x",
                           "unix:", "ftp://host:80", "https://", "http:///", "8080/"})
    CHECK_MESSAGE(read(text) == "none", text);
}

TEST_CASE("door places: a door has only what has an effect on its kind of place") {
  wharf::Door door;
  door.fast_open = 5;
  door.mode = 0600;
  door.owner = "1";
  door.group = "2";
  door.proxy_header_from = {"127.0.0.1", "unix", "::1"};
  const auto of = [&door](Kind kind) {
    const wharf::Door made = door_for(kind, door);
    std::string text = std::to_string(made.fast_open) + (made.mode == 0600 ? " mode" : "") + made.owner + made.group;
    for (const std::string& network : made.proxy_header_from) text += " " + network;
    return text;
  };
  CHECK(of(kind_of(*parse("8080", Security::plain))) == "5 127.0.0.1 ::1");
  CHECK(of(kind_of(*parse("unix:/run/a", Security::plain))) == "0 mode12 unix");
  CHECK(of(kind_of_path("@a")) == "0 unix");
  CHECK(of(Kind::passed) == "5 mode12 127.0.0.1 unix ::1");
}

TEST_CASE("door places: modes are octal") {
  unsigned mode = 0;
  CHECK(take_mode(mode, "0660"));
  CHECK(mode == 0660);
  CHECK(take_mode(mode, "600"));
  CHECK(mode == 0600);
  for (const char* text : {"", "rw", "8", "0x1", "-1", "99999999999999"}) CHECK_FALSE(take_mode(mode, text));
}
