#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "server/certificates/certificates.h"
#include "server/life/takeover.h"
#include "server/open_door.h"
#include "server/worker.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// The ports and unix sockets of a server: bound at once, each with a socket for every loop, and handed to the workers later. It
/// outlives them.
class Doors {
 public:
  /// Both outlive this.
  Doors(const ServerOptions& options, base::Log& log) : options_(options), log_(log), certificates_(log) {}

  /// As Server::listen() and Server::listen_unix().
  Error listen(const std::string& interface, std::uint16_t port, const Door& settings);
  Error listen_unix(const std::string& path, Door settings);
  Error listen_inherited(const std::string& name, const Door& settings);
  [[nodiscard]] std::vector<std::string> addresses() const;
  /// The raw rows that the doors name.
  [[nodiscard]] std::vector<std::string> raw_rows() const;

  /// The virtual hosts, all of them, whose names and certificates clients of doors with TLS may ask for from now on. From any thread,
  /// at any time; files that are new are read within the call. The error is one line, and then nothing has changed.
  Error use_hosts(const std::vector<VirtualHost>& hosts) { return certificates_.use_hosts(hosts); }
  [[nodiscard]] Certificates& certificates() { return certificates_; }
  /// Logs what a virtual host has that no door can have an effect of.
  void warn_of(const VirtualHost& host) const;

  /// Hands the sockets of that loop to its worker, on its thread.
  Error open_to(Worker& worker, std::size_t number);
  /// Closes the sockets that no worker has.
  void close();

  // ---- For a successor; from any thread. ----

  /// Keeps a duplicate of each socket from here on, until close_kept().
  void keep();
  void close_kept();
  /// Duplicates of what is kept, and how to name them.
  [[nodiscard]] base::Result<Takeover::Passed, Error> passed();
  /// Which process removes the files of unix sockets.
  void claim_files();
  void leave_files();

 private:
  struct Kept {
    io::ListeningSocket socket;
    std::string asked;
  };
  Error prepare(OpenDoor& door);
  Error take_inherited(OpenDoor& door);
  Error share_sockets(OpenDoor& door) const;
  Error bind(std::vector<std::unique_ptr<OpenDoor>>& opened, const std::vector<io::Address>& addresses, const Door& settings);
  Error open_port(OpenDoor& door);
  Error adapt(const OpenDoor& door) const;
  [[nodiscard]] int backlog_of(const Door& settings) const;
  [[nodiscard]] io::SocketSettings socket_settings(const Door& settings) const;

  const ServerOptions& options_;
  base::Log& log_;
  Certificates certificates_;
  std::mutex kept_mutex_;
  std::vector<Kept> kept_;
  std::vector<std::unique_ptr<OpenDoor>> doors_;  // each stays where it is: workers know it
};

}  // namespace wharf::server
