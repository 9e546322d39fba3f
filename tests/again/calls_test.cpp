// A whole server, and a client on a socket that sends one request after the other: how many functions of the library one request enters,
// and that a kind of mounts which was added serves.
#define DOCTEST_CONFIG_IMPLEMENT
#include <arpa/inet.h>
#include <crypt.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "temporary_folder.h"
#include "wharf/server.hpp"

namespace {

thread_local std::uint64_t entered = 0;
std::string page_with_figures;
std::string folder;  // with an index.html that has been as it is for some seconds, so that it is known to be settled

}  // namespace

extern "C" {
void __cyg_profile_func_enter(void* /*function*/, void* /*caller*/) { ++entered; }
void __cyg_profile_func_exit(void* /*function*/, void* /*caller*/) {}
}

namespace {

using namespace wharf;

/// A connection that is closed with it.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Whether a 200 with `body` at its end came back.
  [[nodiscard]] bool ask(const std::string& request, std::string_view body) const {
    if (!connected_ || ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      return false;
    std::string answer;
    while (!answer.ends_with(body)) {
      std::array<char, 4096> bytes{};
      const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), 0);
      if (size <= 0) return false;
      answer.append(bytes.data(), static_cast<std::size_t>(size));
    }
    return answer.starts_with("HTTP/1.1 200 ");
  }

 private:
  int socket_;
  bool connected_ = false;
};

/// Serves so many such requests, each of which is to get `body`, and returns the calls of it all with the start and the stop.
std::uint64_t serve(const Mount& mount, const std::string& request, const std::string& body, int requests) {
  ServerOptions options;
  options.quiet = true;
  Server server(options);
  VirtualHost host;
  host.mounts.push_back(mount);
  REQUIRE_FALSE(server.add(std::move(host)));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  const std::string address = server.addresses().front();
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  int served = 0;
  std::thread other([&] {
    const Client client(port);
    while (served < requests && client.ask(request, body)) ++served;
    server.stop();
  });
  const std::uint64_t before = entered;
  const Error error = server.run();
  const std::uint64_t all = entered - before;
  other.join();
  CHECK_MESSAGE(!error, error.message);
  CHECK(served == requests);
  return all;
}

/// The calls of one request, when the file and the password are known.
std::uint64_t calls_of_one(const Mount& mount, const std::string& request) {
  constexpr int few = 100;
  constexpr int many = 600;
  const std::string body = content_of(folder + "/index.html");
  const std::uint64_t first = serve(mount, request, body, few);
  const std::uint64_t second = serve(mount, request, body, many);
  return (second - first + (many - few) / 2) / (many - few);
}

/// The figure of the page, behind `what` in a row of a table.
std::optional<std::uint64_t> written(std::string_view what) {
  std::ifstream file(page_with_figures);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| " + std::string(what) + " |")) continue;
    const std::size_t at = line.find_first_of("0123456789", what.size() + 4);
    std::uint64_t figure = 0;
    if (at != std::string::npos && std::from_chars(line.data() + at, line.data() + line.size(), figure).ec == std::errc())
      return figure;
  }
  return std::nullopt;
}

void check(std::uint64_t counted, std::string_view what, std::uint64_t most) {
  MESSAGE(what << ": " << counted << " calls");
  CHECK(counted <= most);
  const auto figure = written(what);
  REQUIRE_MESSAGE(figure, "the page has no row for: " << what);
  constexpr std::uint64_t few = 8;  // turns of the loop come and go with the load of the machine
  CHECK(counted <= *figure + few);
  CHECK(counted + few >= *figure);
}

}  // namespace

TEST_CASE("calls: a GET of a cached file") {
  const Mount mount{"/", Files{folder}};
  check(calls_of_one(mount, "GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n"), "GET of a cached file", 288);
}

TEST_CASE("calls: a GET of a cached file that a known password guards") {
  crypt_data data{};
  const char* const hash = ::crypt_r("secret", "$2b$04$abcdefghijklmnopqrstuu", &data);
  REQUIRE(hash != nullptr);
  const TemporaryFolder secrets;
  Mount mount{"/", Files{folder}};
  mount.access = PasswordAccess{secrets.write("passwords", "alice:" + std::string(hash) + "\n")};
  check(calls_of_one(mount, "GET /index.html HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n"),
        "the same, guarded by a known password", 400);
}

TEST_CASE("a kind of mounts that was added serves, and is checked") {
  serve({"/toy/", Toy{"good day"}}, "GET /toy/box HTTP/1.1\r\nHost: localhost\r\n\r\n", "good day at /toy/box\n", 3);
  Server server;
  VirtualHost host;
  host.mounts.push_back({"/toy/", Toy{}});
  const Error error = server.add(std::move(host));
  REQUIRE(error);
  CHECK(error.message == "mount '/toy/': a toy has words");
}

int main(int count, char** arguments) {
  if (count < 3) return 2;
  page_with_figures = arguments[1];
  folder = arguments[2];
  doctest::Context context;
  context.applyCommandLine(count - 2, arguments + 2);
  return context.run();
}
