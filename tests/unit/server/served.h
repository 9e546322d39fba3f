#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/clients.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "http/h1.h"
#include "link/memory_link.h"
#include "protocol/handles.h"
#include "protocol/protocol.h"
#include "server/router.h"
#include "wharf/server.hpp"

namespace wharf::server {

/// What a loop lends to the protocol tables on it, with a log that the test reads.
struct TestHome {
  std::vector<std::string> log_lines;  ///< "level: text"
  base::Log log{base::LogLevel::debug, [this](base::LogLevel level, std::string_view text) {
                  log_lines.push_back(base::concat(base::name_of(level), ": ", text));
                }};
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  base::Time now{0};
  session::Home home{log, handles, [this] { return now; }};
};

/// The response to a request.
struct Answer {
  int status = 0;
  std::string head;  ///< with the empty line
  std::string body;
  bool closed = false;

  /// The value of the field of that name, as it is written in the head; "none" if there is none.
  [[nodiscard]] std::string field(std::string_view name) const;
};

/// A row that does nothing, under a name with static storage.
wharf_row plain_row(const char* name);

/// Routers and links as a loop has them, without sockets.
class Served {
 public:
  /// Fails the test if a row cannot start.
  explicit Served(std::vector<VirtualHost> hosts, std::vector<wharf_row> rows = {}, const Limits& limits = {},
                  UnknownHosts unknown = UnknownHosts::served);
  ~Served();

  /// A link whose first session `made` is, with what the sessions of the server share.
  std::unique_ptr<session::MemoryLink> open(
      const std::function<std::unique_ptr<session::Session>(session::Link&, session::HttpContext&)>& made);
  /// A new connection to the server.
  std::unique_ptr<session::MemoryLink> connect();
  /// The response to this request, on a new connection; through TLS if there are facts of that.
  Answer ask(std::string_view request, const session::TlsFacts* tls = nullptr);
  Router& router() { return *router_; }
  /// GET of that target, of a host.
  Answer get(std::string_view target, std::string_view host = "localhost") { return ask(head("GET", target, host)); }

  static std::string head(std::string_view method, std::string_view target, std::string_view host = "localhost");

  TestHome home;

 private:
  codec::TrustedFronts fronts_;
  Clients clients_;
  base::ChunkPool pool_;
  session::OutputLimits output_;
  RowList rows_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<session::HttpContext> context_;
};

}  // namespace wharf::server
