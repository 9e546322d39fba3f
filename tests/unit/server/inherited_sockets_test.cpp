#include "server/life/inherited_sockets.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"

// Sockets that a process was started with. The environment is the test's own; so are the descriptors of WHARF_SOCKETS, but those of
// systemd would have to be 3 and the next, which belong to somebody else here.

namespace {

using namespace wharf;
using namespace wharf::server;
using Kind = PassedDescriptor::Kind;
using Map = std::map<std::string, std::string>;

/// Taken out as they are read.
InheritedSockets::Variables variables(Map& map) {
  return [&map](const char* name) -> std::optional<std::string> {
    const auto found = map.find(name);
    if (found == map.end()) return std::nullopt;
    std::string text = found->second;
    map.erase(found);
    return text;
  };
}

std::uint64_t inode_of(int descriptor) {
  struct stat found {};
  REQUIRE(fstat(descriptor, &found) == 0);
  return found.st_ino;
}

/// A socket that listens on a free port, or does not listen, or is no stream.
int socket_of(int type, bool listens) {
  const int number = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const io::Address address = *io::resolve_interface("127.0.0.1", 0);
  REQUIRE(bind(number, address.get(), address.size) == 0);
  if (listens) REQUIRE(listen(number, 5) == 0);
  return number;
}

std::string address_of(int number) {
  io::Address address;
  REQUIRE(getsockname(number, address.get(), &address.size) == 0);
  return address.text();
}

io::Address parsed(const std::string& text) {
  return *io::resolve_interface(text.substr(0, text.find(':')),
                                static_cast<std::uint16_t>(std::stoi(text.substr(text.find(':') + 1))));
}

}  // namespace

TEST_CASE("inherited sockets: none") {
  Map map;
  InheritedSockets none(variables(map));
  CHECK(none.take(parsed("127.0.0.1:80")).empty());
  CHECK(none.take_named("web").error() == "no socket 'web' was passed to this process; there are: none");
  CHECK(none.close_the_rest().empty());
  CHECK_FALSE(none.has_predecessor());
  none.tell_ready();
}

TEST_CASE("inherited sockets: a door is found by the address that it has, or that was asked for, with all of its sockets") {
  for (const bool asked : {false, true}) {
    CAPTURE(asked);
    const int number = socket_of(SOCK_STREAM, true);
    const std::string address = address_of(number);
    const int same = dup(number);
    const int other = socket_of(SOCK_STREAM, true);
    Map map{{"WHARF_SOCKETS", write_passed({{number, inode_of(number), Kind::own, "127.0.0.1:0", ""},
                                            {same, inode_of(same), Kind::own, "127.0.0.1:0", ""},
                                            {other, inode_of(other), Kind::own, "127.0.0.1:0", ""}})}};
    InheritedSockets sockets(variables(map));
    CHECK(map.empty());
    CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    const auto taken = sockets.take(parsed(asked ? "127.0.0.1:0" : address));
    REQUIRE(taken.size() == 2);
    CHECK(taken[0].descriptor() == number);
    CHECK(taken[0].address().text() == address);
    CHECK((fcntl(number, F_GETFL) & O_NONBLOCK) != 0);
    CHECK(taken[0].holder() == io::ListeningSocket::Holder::server);
    CHECK(sockets.take(parsed(address)).empty());
    const auto lines = sockets.close_the_rest();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("closed, as it is not configured: descriptor ") != std::string::npos);
    CHECK(fcntl(other, F_GETFD) < 0);
  }
}

TEST_CASE("inherited sockets: one that the service manager named is found by that name") {
  const int number = socket_of(SOCK_STREAM, true);
  const int datagrams = socket_of(SOCK_DGRAM, false);
  const int deaf = socket_of(SOCK_STREAM, false);
  Map map{{"WHARF_SOCKETS", write_passed({{number, inode_of(number), Kind::lent, "", "web"},
                                          {datagrams, inode_of(datagrams), Kind::lent, "", "log"},
                                          {deaf, inode_of(deaf), Kind::lent, "", "deaf"}})}};
  InheritedSockets sockets(variables(map));
  CHECK(sockets.take_named("other").error() == "no socket 'other' was passed to this process; there are: web, log, deaf");
  CHECK(sockets.take_named("log").error().find("it is a datagram socket") != std::string::npos);
  CHECK(sockets.take_named("deaf").error().find("it does not listen") != std::string::npos);
  const auto taken = sockets.take_named("web");
  REQUIRE(taken);
  REQUIRE(taken->size() == 1);
  CHECK(taken->front().holder() == io::ListeningSocket::Holder::service_manager);
  CHECK(taken->front().name() == "web");
  CHECK(sockets.close_the_rest().size() == 2);
}

TEST_CASE("inherited sockets: a variable that reached somebody else takes nothing away") {
  const int number = socket_of(SOCK_STREAM, true);
  Map map{{"WHARF_SOCKETS", write_passed({{number, inode_of(number) + 1, Kind::own, "", ""}})}};
  {
    InheritedSockets sockets(variables(map));
    CHECK(sockets.take(parsed(address_of(number))).empty());
    const auto lines = sockets.close_the_rest();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("is another one by now") != std::string::npos);
  }
  CHECK(fcntl(number, F_GETFD) >= 0);
  Map wrong{{"WHARF_SOCKETS", "everything"}};
  InheritedSockets sockets(variables(wrong));
  CHECK(sockets.close_the_rest().size() == 1);
  Map theirs{{"LISTEN_PID", "1"}, {"LISTEN_FDS", "1"}, {"LISTEN_FDNAMES", "web"}};
  InheritedSockets none(variables(theirs));
  CHECK(theirs.empty());  // no program that is started later sees them
  CHECK_FALSE(none.take_named("web"));
  for (const char* count : {"x", "-1", "100000"}) {
    Map bad{{"LISTEN_PID", std::to_string(getpid())}, {"LISTEN_FDS", count}};
    InheritedSockets nothing(variables(bad));
    CHECK(nothing.close_the_rest().size() == 1);
  }
  close(number);
}

TEST_CASE("inherited sockets: the predecessor is told when this process serves, even if it has gone") {
  int ends[2];
  for (const bool gone : {false, true}) {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    Map map{{"WHARF_SOCKETS", write_passed({{ends[1], inode_of(ends[1]), Kind::ready, "", ""}})}};
    InheritedSockets sockets(variables(map));
    CHECK(sockets.has_predecessor());
    if (gone) close(ends[0]);
    sockets.tell_ready();
    CHECK_FALSE(sockets.has_predecessor());
    if (gone) continue;
    char bytes[2];
    CHECK(read(ends[0], bytes, 2) == 1);
    CHECK(read(ends[0], bytes, 2) == 0);
    close(ends[0]);
  }
}
