#include "server/life/service_manager.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "io/address.h"
#include "temporary_folder.h"

// sd_notify without its library.

namespace {

using namespace wharf;
using server::ServiceManager;

struct Manager {
  explicit Manager(const std::string& name) : socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const io::Address address = *io::unix_address(name);
    REQUIRE(bind(socket.get(), address.get(), address.size) == 0);
  }
  [[nodiscard]] std::string heard() const {
    std::array<char, 512> room{};
    const ssize_t size = ::recv(socket.get(), room.data(), room.size(), 0);
    return size < 0 ? "nothing" : std::string(room.data(), static_cast<std::size_t>(size));
  }
  /// The next message, even if it is yet to come.
  [[nodiscard]] std::string heard_later() const {
    pollfd wanted{socket.get(), POLLIN, 0};
    ::poll(&wanted, 1, 60'000);
    return heard();
  }
  /// Sends messages until there is no more room. Returns how many.
  int fill(const std::string& name) const {
    const io::Address address = *io::unix_address(name);
    const base::Descriptor other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    constexpr std::string_view message = "STATUS=full";
    int count = 0;
    while (::sendto(other.get(), message.data(), message.size(), 0, address.get(), address.size) > 0) ++count;
    return count;
  }
  base::Descriptor socket;
};

struct Lines {
  std::vector<std::string> lines;
  base::Log log{base::LogLevel::info, [this](base::LogLevel, std::string_view text) { lines.emplace_back(text); }};
};

}  // namespace

TEST_CASE("service manager: it hears what it is told, by a path and by an abstract name") {
  const TemporaryFolder folder;
  Lines log;
  for (const std::string& name : {folder.file("notify"), "@wharf-notify-" + std::to_string(getpid())}) {
    CAPTURE(name);
    const Manager manager(name);
    ServiceManager teller({name, "", ""}, log.log);
    CHECK(teller.listens());
    CHECK(teller.watch_period() == base::never);
    teller.tell("READY=1");
    CHECK(manager.heard() == "READY=1");
    teller.tell_reloading();
    const std::string reloading = manager.heard();
    CHECK(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(reloading.find_first_not_of("0123456789", reloading.rfind('=') + 1) == std::string::npos);
  }
  CHECK(log.lines.empty());
}

TEST_CASE("service manager: what cannot be sent is said once, and nothing waits") {
  Lines log;
  ServiceManager gone({"/no/such/socket", "", ""}, log.log);
  gone.tell("READY=1");
  gone.tell("READY=1");
  REQUIRE(log.lines.size() == 1);
  CHECK(log.lines[0].find("/no/such/socket") != std::string::npos);
  const std::string name = "@wharf-full-" + std::to_string(getpid());
  const Manager manager(name);
  {
    ServiceManager full({name, "", ""}, log.log, std::chrono::milliseconds(50));
    for (int i = 0; i < 10'000; ++i) full.tell("STATUS=again");  // more than its socket and a list have room for
  }
  CHECK(log.lines.size() == 2);
}

TEST_CASE("service manager: what it had no room for was lost, even MAINPID=") {
  Lines log;
  const std::string name = "@wharf-busy-" + std::to_string(getpid());
  const Manager manager(name);
  const int filled = manager.fill(name);
  {
    ServiceManager teller({name, "", ""}, log.log, std::chrono::seconds(60));
    teller.tell("MAINPID=1");
    teller.tell(ServiceManager::alive);
    for (int i = 0; i < filled; ++i) CHECK(manager.heard() == "STATUS=full");
    CHECK(manager.heard_later() == "MAINPID=1");
    teller.tell("STATUS=first");
    CHECK(manager.heard_later() == "STATUS=first");
    manager.fill(name);
    for (const char* message : {"RELOADING=1", "READY=1", "STOPPING=1"}) teller.tell(message);
    for (int i = 0; i < filled; ++i) CHECK(manager.heard() == "STATUS=full");
  }  // the end waits for what is left
  for (const char* message : {"RELOADING=1", "READY=1", "STOPPING=1"}) CHECK(manager.heard() == message);
  CHECK(manager.heard() == "nothing");
  CHECK(log.lines.empty());
}

TEST_CASE("service manager: the end does not wait for one that never listens again") {
  Lines log;
  const std::string name = "@wharf-stuck-" + std::to_string(getpid());
  const Manager manager(name);
  manager.fill(name);
  { ServiceManager({name, "", ""}, log.log, std::chrono::milliseconds(20)).tell("MAINPID=1"); }
  CHECK(log.lines.size() == 1);
}

TEST_CASE("service manager: the watchdog is for the process that is named, or for whoever reads it") {
  Lines log;
  const auto period = [&log](const char* time, const std::string& process) {
    return ServiceManager({"@x", time, process}, log.log).watch_period();
  };
  CHECK(period("3000000", "") == base::Time{1'500});
  CHECK(period("3000000", std::to_string(getpid())) == base::Time{1'500});
  CHECK(period("3000000", "1") == base::never);
  CHECK(period("1", "") == base::Time{1});
  CHECK(log.lines.empty());
  CHECK(period("0", "") == base::never);
  CHECK(period("soon", "") == base::never);
  CHECK(log.lines.size() == 2);
  CHECK(ServiceManager({"", "3000000", ""}, log.log).watch_period() == base::never);
  CHECK_FALSE(ServiceManager({"relative", "", ""}, log.log).listens());
  CHECK(log.lines.size() == 3);
}
