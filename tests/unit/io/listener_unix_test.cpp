#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/listener.h"
#include "temporary_folder.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using io::ListeningSocket;
using Sharing = ListeningSocket::Sharing;

base::Result<ListeningSocket, std::string> listen_on(const std::string& path) {
  return ListeningSocket::open(*io::unix_address(path), 7, Sharing::alone);
}

struct Folder : TemporaryFolder {
  std::string socket = file("socket");
};

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

/// A client's socket, without waiting; -1 if nobody listens.
int client_of(const std::string& path) {
  const io::Address address = *io::unix_address(path);
  const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (::connect(client, address.get(), address.size) == 0) return client;
  close(client);
  return -1;
}

bool can_connect(const std::string& path) {
  const int client = client_of(path);
  if (client >= 0) close(client);
  return client >= 0;
}

/// A socket's file on which nobody listens.
void leave_behind(const std::string& path) {
  const io::Address address = *io::unix_address(path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(bind(socket, address.get(), address.size) == 0);
  close(socket);
}

}  // namespace

TEST_CASE("unix listener: the file is there as long as the socket, and can be connected to") {
  const Folder folder;
  {
    const auto socket = listen_on(folder.socket);
    REQUIRE(socket);
    CHECK(socket->address().text() == "unix:" + folder.socket);
    CHECK(can_connect(folder.socket));
    CHECK((fcntl(socket->descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK_FALSE(exists(folder.socket));
}

TEST_CASE("unix listener: owner and group may use it, whatever the umask") {
  const mode_t before = umask(0);
  for (const mode_t mask : {mode_t{0000}, mode_t{0022}, mode_t{0077}}) {
    CAPTURE(mask);
    const Folder folder;
    umask(mask);
    const auto socket = listen_on(folder.socket);
    REQUIRE(socket);
    struct stat file {};
    REQUIRE(stat(folder.socket.c_str(), &file) == 0);
    CHECK((file.st_mode & 07777) == 0660);
  }
  umask(before);
}

TEST_CASE("unix listener: the mode, owner and group of its file are those of the door") {
  const Folder folder;
  const std::string user = std::to_string(getuid());
  const std::string group = std::to_string(getgid());
  for (const unsigned mode : {0600U, 0666U, 0777U, 0U}) {
    CAPTURE(mode);
    const auto access = io::SocketFileAccess::of(mode, user, group);
    REQUIRE(access);
    const auto socket = ListeningSocket::open(*io::unix_address(folder.socket), 7, Sharing::alone, {.access = *access});
    REQUIRE(socket);
    struct stat file {};
    REQUIRE(stat(folder.socket.c_str(), &file) == 0);
    CHECK((file.st_mode & 07777) == mode);
    CHECK(std::to_string(file.st_uid) == user);
    CHECK(std::to_string(file.st_gid) == group);
  }
}

TEST_CASE("unix listener: the file of a socket that a predecessor began takes on mode, owner and group; no other file does") {
  const Folder folder;
  const auto first = listen_on(folder.socket);
  REQUIRE(first);
  const auto adopt = [&first](ListeningSocket::Holder holder) {
    return ListeningSocket::adopt(base::Descriptor(fcntl(first->descriptor(), F_DUPFD_CLOEXEC, 0)), first->address(), holder, {});
  };
  const auto mode = [&folder] {
    struct stat file {};
    REQUIRE(stat(folder.socket.c_str(), &file) == 0);
    return file.st_mode & 07777;
  };
  const auto access = io::SocketFileAccess::of(0600, std::to_string(getuid()), std::to_string(getgid()));
  REQUIRE(access);
  const io::SocketSettings wanted{.access = *access};
  CHECK(adopt(ListeningSocket::Holder::service_manager).adapt(7, wanted).empty());
  CHECK(mode() == 0660);
  const ListeningSocket second = adopt(ListeningSocket::Holder::server);
  CHECK(second.adapt(7, wanted).empty());
  CHECK(mode() == 0600);
  CHECK(unlink(folder.socket.c_str()) == 0);
  const auto other = listen_on(folder.socket);
  REQUIRE(other);
  CHECK(second.adapt(7, wanted).empty());
  CHECK(mode() == 0660);
}

TEST_CASE("unix listener: users and groups have names or numbers, and those that nobody has are refused") {
  const auto fault = [](unsigned mode, const std::string& owner, const std::string& group) {
    const auto access = io::SocketFileAccess::of(mode, owner, group);
    return access ? std::string() : access.error();
  };
  REQUIRE(io::SocketFileAccess::of(0600, "root", "root"));
  CHECK(io::SocketFileAccess::of(0600, "root", "root")->owner == uid_t{0});
  CHECK(io::SocketFileAccess::of(0600, "root", "root")->group == gid_t{0});
  CHECK(io::SocketFileAccess::of(0600, "12", "34")->owner == uid_t{12});
  CHECK(io::SocketFileAccess::of(0600, "12", "34")->group == gid_t{34});
  CHECK_FALSE(io::SocketFileAccess::of(0600, "", "")->owner.has_value());
  CHECK(fault(0660, "no-such-user", "") == "there is no user 'no-such-user'");
  CHECK(fault(0660, "", "no-such-group") == "there is no group 'no-such-group'");
  CHECK(fault(0660, "4294967295", "") == "there is no user '4294967295'");  // that number means nobody
  CHECK(fault(01777, "", "") == "the mode of its file must be from 0 to 0777");
}

TEST_CASE("unix listener: a file that cannot be given away is an error, and does not stay") {
  if (getuid() == 0) return;
  const Folder folder;
  const auto access = io::SocketFileAccess::of(0660, "0", "");
  const auto socket = ListeningSocket::open(*io::unix_address(folder.socket), 7, Sharing::alone, {.access = *access});
  REQUIRE_FALSE(socket);
  CHECK(socket.error().find("to no other owner") != std::string::npos);
  CHECK_FALSE(exists(folder.socket));
}

TEST_CASE("unix listener: a link to another file is not followed and not removed") {
  const Folder folder;
  const std::string victim = folder.file("victim");
  close(open(victim.c_str(), O_CREAT | O_WRONLY, 0600));
  for (const std::string& target : {victim, folder.file("nothing")}) {
    REQUIRE(symlink(target.c_str(), folder.socket.c_str()) == 0);
    CHECK_FALSE(listen_on(folder.socket));
    struct stat file {};
    CHECK(lstat(folder.socket.c_str(), &file) == 0);
    CHECK(S_ISLNK(file.st_mode));
    REQUIRE(unlink(folder.socket.c_str()) == 0);
  }
  CHECK(exists(victim));
  leave_behind(folder.file("old"));
  REQUIRE(symlink(folder.file("old").c_str(), folder.socket.c_str()) == 0);
  CHECK_FALSE(listen_on(folder.socket));
}

TEST_CASE("unix listener: of several that find a file left behind at once, one listens and stays") {
  const Folder folder;
  for (int round = 0; round < 20; ++round) {
    leave_behind(folder.socket);
    std::vector<std::thread> threads;
    std::vector<std::optional<ListeningSocket>> sockets(4);
    for (auto& socket : sockets)
      threads.emplace_back([&socket, &folder] {
        if (auto opened = listen_on(folder.socket)) socket.emplace(std::move(*opened));
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(std::count_if(sockets.begin(), sockets.end(), [](const auto& socket) { return socket.has_value(); }) == 1);
    CHECK(can_connect(folder.socket));
  }
}

TEST_CASE("unix listener: a file that was left behind makes room") {
  const Folder folder;
  leave_behind(folder.socket);
  REQUIRE(exists(folder.socket));
  const auto socket = listen_on(folder.socket);
  REQUIRE(socket);
  CHECK(can_connect(folder.socket));
}

TEST_CASE("unix listener: if another listens, or something else has the name, nothing is removed") {
  const Folder folder;
  {
    const auto first = listen_on(folder.socket);
    REQUIRE(first);
    const auto second = listen_on(folder.socket);
    REQUIRE_FALSE(second);
    CHECK(second.error().find("unix:" + folder.socket) != std::string::npos);
    CHECK(second.error().find("choose another path") != std::string::npos);
    CHECK(can_connect(folder.socket));
  }
  close(open(folder.socket.c_str(), O_CREAT | O_WRONLY, 0600));
  CHECK_FALSE(listen_on(folder.socket));
  CHECK(exists(folder.socket));
  unlink(folder.socket.c_str());
  const int receiver = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  const io::Address address = *io::unix_address(folder.socket);
  REQUIRE(bind(receiver, address.get(), address.size) == 0);
  CHECK_FALSE(listen_on(folder.socket));
  CHECK(exists(folder.socket));
  close(receiver);
}

TEST_CASE("unix listener: a full backlog means that somebody listens") {
  const Folder folder;
  const auto first = ListeningSocket::open(*io::unix_address(folder.socket), 0, Sharing::alone);
  REQUIRE(first);
  std::vector<int> waiting;
  for (int client = client_of(folder.socket); client >= 0; client = client_of(folder.socket)) waiting.push_back(client);
  CHECK_FALSE(listen_on(folder.socket));
  CHECK(exists(folder.socket));
  for (const int client : waiting) close(client);
}

TEST_CASE("unix listener: a file that another put in its place is left alone") {
  const Folder folder;
  {
    const auto first = listen_on(folder.socket);
    REQUIRE(first);
    REQUIRE(unlink(folder.socket.c_str()) == 0);
    leave_behind(folder.socket);
  }
  CHECK(exists(folder.socket));
}

TEST_CASE("unix listener: the file is removed with the last of those that share the socket") {
  const Folder folder;
  {
    auto first = listen_on(folder.socket);
    REQUIRE(first);
    const auto second = first->duplicate();
    REQUIRE(second);
    CHECK(second->address().text() == first->address().text());
    CHECK(second->descriptor() != first->descriptor());
    CHECK((fcntl(second->descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
    {
      const ListeningSocket taken(std::move(*first));
      CHECK(first->descriptor() == -1);
    }
    CHECK(can_connect(folder.socket));
  }
  CHECK_FALSE(exists(folder.socket));
}

TEST_CASE("unix listener: abstract names have no file") {
  const std::string name = "@wharf-test-listener-" + std::to_string(getpid());
  const auto socket = listen_on(name);
  REQUIRE(socket);
  CHECK(socket->address().text() == "unix:" + name);
  CHECK(can_connect(name));
  CHECK_FALSE(listen_on(name));
}

TEST_CASE("unix listener: an error says what is wrong with the path") {
  const Folder folder;
  const auto nowhere = listen_on(folder.file("no/socket"));
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().find("the folder must exist") != std::string::npos);
}

TEST_CASE("unix listener: two loops accept from one socket; the file is removed when both have stopped") {
  const Folder folder;
  Story story;
  Turns first;
  Turns second;
  {
    auto socket = listen_on(folder.socket);
    REQUIRE(socket);
    auto other = socket->duplicate();
    REQUIRE(other);
    const auto make = [&story](session::Link& link) {
      story.events.push_back(link.address());
      return std::make_unique<Scripted>(link, story, "theirs");
    };
    first.loop().add(io::Listener::create(first.loop(), std::move(*socket), make));
    second.loop().add(io::Listener::create(second.loop(), std::move(*other), make));
  }
  const int client = client_of(folder.socket);
  REQUIRE(first.until([&] { return !story.events.empty(); }));
  CHECK(story.take() == std::vector<std::string>{"unix:", "theirs start"});
  first.loop().stop(base::Time{0}, nullptr);
  REQUIRE(first.until([&] { return !first.loop().in_use_by_caller(); }));
  CHECK(exists(folder.socket));
  const int another = client_of(folder.socket);
  REQUIRE(second.until([&] { return story.count("theirs start") == 1; }));
  second.loop().stop(base::Time{0}, nullptr);
  CHECK_FALSE(exists(folder.socket));
  close(client);
  close(another);
}
