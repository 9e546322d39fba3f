#pragma once
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/address.h"
#include "link/memory_link.h"
#include "server/entry/entrance.h"
#include "server/worker.h"
#include "session/rows.h"
#include "session/wire.h"
#include "wharf/server.hpp"

namespace wharf::test {

/// Open descriptors of this process.
std::size_t open_descriptors();

/// At its end, checks that no more descriptors are open than at its start.
class DescriptorCheck {
 public:
  DescriptorCheck();
  ~DescriptorCheck();
  DescriptorCheck(const DescriptorCheck&) = delete;
  DescriptorCheck& operator=(const DescriptorCheck&) = delete;

 private:
  std::size_t before_;
};

/// Listens on a free port of 127.0.0.1; returns the address.
inline io::Address listen_anywhere(Server& server) {
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  const std::string name = server.addresses().front();
  return *io::resolve_interface("127.0.0.1", static_cast<std::uint16_t>(std::stoi(name.substr(name.find(':') + 1))));
}

/// Runs a server as long as it lives.
class Running {
 public:
  explicit Running(Server& server) : server_(server), thread_([this] { error_ = server_.run().message; }) {}
  ~Running() {
    server_.stop();
    join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void join() {
    if (!thread_.joinable()) return;
    thread_.join();
    CHECK(error_.empty());
  }

 private:
  Server& server_;
  std::string error_;
  std::thread thread_;
};

/// Polls until it is true; a std::runtime_error if that takes a minute.
void wait_until(const std::function<bool()>& so);

/// The default limits of the rooms.
server::RoomLimits room_limits(const Limits& limits = {});

/// A folder with the file "big", 3,000,000 bytes, that is removed with the process.
const std::string& files_folder();
std::string big_file();

/// Rows that the sites have besides; set before a site is made.
std::vector<wharf_row>& more_rows();

/// What memory and sockets share: rows "echo" and "actor", files, a log.
struct SiteParts {
  explicit SiteParts(const server::RoomLimits& rooms);

  Record lines;
  base::Log log{base::LogLevel::debug,
                [this](base::LogLevel level, std::string_view text) { lines.add(base::concat(base::name_of(level), ": ", text)); }};
  server::RoomLimits limits;
  server::RowList rows;
  std::vector<VirtualHost> hosts{1};

  /// What one worker borrows.
  server::WorkerParts for_worker() {
    statistics.row_names.resize(rows.rows().size());
    return {rows, hosts, files, statistics, statistics.loops.emplace_back(rows.rows().size()), executors, certificates, log};
  }
  FileLimits files;
  session::Statistics statistics;
  server::Executors executors{Limits{}};
  server::Certificates certificates{log};
};

/// A certificate that signs itself, for localhost.
const tls::Context& tls_of_localhost();

/// What a server makes of a door that says this, except its sockets; with TLS, its certificate is that of localhost.
server::OpenDoor open_door(const Door& settings);

/// The server's sessions behind pipes in memory.
class MemorySite {
 public:
  explicit MemorySite(const server::RoomLimits& limits = room_limits());
  /// Its connections come in by a door.
  explicit MemorySite(const Door& door);
  std::unique_ptr<MemoryWire> connect();
  /// The same through TLS.
  std::unique_ptr<TlsWire> connect_by_tls();
  [[nodiscard]] const Record& log() const { return parts_.lines; }
  /// Changes the hosts.
  Error change(const server::HostChange& change);
  void advance(std::int64_t milliseconds) { now_ += base::Time{milliseconds}; }

 private:
  SiteParts parts_;
  base::Mailbox mailbox_;
  session::Handles handles_{mailbox_};
  base::Time now_{1'000'000};
  session::Home home_{parts_.log, handles_, [this] { return now_; }};
  base::ChunkPool pool_;
  std::unique_ptr<server::Router> router_;
  std::optional<session::HttpContext> http_;
  tls::LoopParts tls_{pool_, parts_.limits.loop.output, parts_.log};
  server::OpenDoor door_;
  std::optional<server::Entrance> entrance_;  // nothing: HTTP at once
};

/// TLS over memory.
class TlsMemorySite : public MemorySite {
 public:
  std::unique_ptr<TlsWire> connect() { return connect_by_tls(); }
};

/// The kinds of listening sockets that a site may have.
enum class SocketKind : std::uint8_t { tcp, unix_socket, tls };

enum class Begin : std::uint8_t { at_once, later };

/// The same behind a listening socket on a loop, which has a thread of its own.
class SocketSite {
 public:
  explicit SocketSite(const server::RoomLimits& limits = room_limits(), Begin begin = Begin::at_once,
                      SocketKind kind = SocketKind::tcp, const Door& door = {});
  /// Stops without grace if stop() was not called.
  ~SocketSite();
  SocketSite(const SocketSite&) = delete;
  SocketSite& operator=(const SocketSite&) = delete;

  std::unique_ptr<SocketWire> connect() { return std::make_unique<SocketWire>(address_); }
  [[nodiscard]] const io::Address& address() const { return address_; }
  [[nodiscard]] const Record& log() const { return parts_.lines; }

  /// Lets the loop run.
  void begin();
  /// Changes the hosts, on the loop.
  Error change(const server::HostChange& change);
  /// Runs `task` on the loop and waits for it.
  void on_loop(const std::function<void(io::Loop&)>& task);
  std::size_t connections();
  /// Waits until that many connections are open.
  void wait_for_connections(std::size_t count);
  /// Begins to stop, and returns at once.
  void stop(base::Time grace);
  /// Waits for the loop to end.
  void join();

 private:
  DescriptorCheck descriptors_;  // first made, last gone
  SiteParts parts_;
  server::OpenDoor door_;
  std::unique_ptr<server::Worker> worker_;
  io::Address address_;
  std::thread thread_;
};

class UnixSite : public SocketSite {
 public:
  UnixSite() : SocketSite(room_limits(), Begin::at_once, SocketKind::unix_socket) {}
};

class TlsSocketSite : public SocketSite {
 public:
  TlsSocketSite() : SocketSite(room_limits(), Begin::at_once, SocketKind::tls) {}
  std::unique_ptr<TlsWire> connect() { return std::make_unique<TlsWire>(SocketSite::connect()); }
};

/// Every carrier that there is, for TEST_CASE_TEMPLATE.
#define WHARF_ALL_SITES MemorySite, TlsMemorySite, SocketSite, UnixSite, TlsSocketSite

}  // namespace wharf::test
