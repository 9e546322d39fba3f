#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "io/address.h"
#include "server/certificates/file_states.h"
#include "server/certificates/tls_context.h"
#include "tls/named_contexts.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// The certificates of a server's doors and virtual hosts, and what else is in files for TLS. Any thread.
class Certificates {
 public:
  /// The log outlives this.
  explicit Certificates(base::Log& log);

  /// Reads what a door needs. The error is one line. What is returned is asked for each connection, and may be so for as long as anybody
  /// has it.
  base::Result<std::shared_ptr<const tls::CurrentContexts>, std::string> open(Tls settings, const io::Address& address);
  /// As Doors::use_hosts(). What has not changed is not read again.
  Error use_hosts(const std::vector<VirtualHost>& hosts);
  /// What our own connections with those settings get, as long as anybody has it; the same for all who ask. The error is one line.
  base::Result<std::shared_ptr<const tls::CurrentContexts>, std::string> of_client(const TlsClient& settings);
  /// Whether those could be used. An empty text, or what is wrong, in one line. Reads files.
  static std::string check(std::vector<Certificate> certificates);
  static std::string check(const TlsClient& settings);

  /// Why files are read again.
  enum class Cause : std::uint8_t {
    asked,   ///< somebody has said so
    watched  ///< only if one has changed; what is wrong then is said if it is still so at the next look
  };
  class Reading;
  /// Reading all again takes three steps: this, read() on any thread, which owns all that it touches, and apply().
  std::shared_ptr<Reading> begin(Cause cause) const;
  static void read(Reading& reading);
  /// Uses what was read, as Server::reload() says. False: the hosts have changed meanwhile, so it must begin anew.
  [[nodiscard]] bool apply(Reading& reading);

  /// Logs what will expire, has expired, or is of no use.
  void warn() const;
  /// The shortest Tls::watch of all doors; 0: nobody watches.
  [[nodiscard]] base::Time watch_period() const;
  [[nodiscard]] bool empty() const;

 private:
  using SharedContext = std::shared_ptr<const tls::Context>;

  struct HostSettings {
    std::vector<codec::HostPattern> patterns;  // of its name and its aliases
    std::vector<Certificate> certificates;
  };
  struct DoorSettings {
    Tls tls;
    tls::KeyPair made{};  // if it has no certificate of its own
    std::shared_ptr<tls::TicketKeys> tickets{};
  };
  struct OpenedDoor {
    DoorSettings settings;
    SharedContext own;
    std::vector<SharedContext> hosts{};  // as those of the server; nullptr: the door's own
    std::shared_ptr<tls::CurrentContexts> current{};
  };
  struct OpenedClient {
    TlsClient settings;
    std::weak_ptr<tls::CurrentContexts> current;
  };

  static std::shared_ptr<const tls::NamedContexts> name(const OpenedDoor& door, const std::vector<HostSettings>& hosts);
  static base::Result<std::vector<HostSettings>, std::string> read_names(const std::vector<VirtualHost>& hosts);
  base::Result<OpenedDoor, std::string> read_door(Tls settings, const io::Address& address) const;
  /// Those of `wanted` for a door that has those of `present`.
  base::Result<std::vector<SharedContext>, std::string> contexts_of_hosts(const OpenedDoor& door,
                                                                          const std::vector<HostSettings>& present,
                                                                          const std::vector<HostSettings>& wanted) const;
  void warn_of_names() const;
  void warn_locked() const;
  void say(Reading& reading);

  base::Log& log_;
  std::shared_ptr<tls::TicketKeys> own_tickets_;  // of all doors that have no file of them

  mutable std::mutex mutex_;  // guards what follows, and is not held while files are read
  std::vector<OpenedDoor> doors_;
  std::vector<HostSettings> hosts_;
  std::vector<OpenedClient> clients_;
  std::uint64_t generation_ = 0;  // of both
  FileStates known_;              // before the files were read that are used
  FileStates bad_;                // when something was wrong that has not been said
};

}  // namespace wharf::server
