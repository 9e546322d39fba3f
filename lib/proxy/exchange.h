#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "http/exchange.h"
#include "http/h1_client.h"
#include "proxy/forwarding.h"
#include "proxy/places.h"
#include "proxy/target.h"
#include "proxy/upstream_pool.h"

namespace wharf::server {

/// The destination of the exchanges of one proxy mount. Outlives them.
struct Upstream {
  /// `mount` is its prefix; `idle` is how long a connection that left HTTP may be without a byte.
  Upstream(Proxy settings_of_mount, ProxyTarget to, std::string_view mount, UpstreamSettings settings, Outside& outside,
           base::Log* log, base::Time idle);
  /// The places of the mount and its target as this client knows them.
  [[nodiscard]] ProxyPlaces places(const session::Exchange& exchange) const;

  Proxy proxy;
  ProxyTarget target;
  std::string prefix;            // percent-decoded; ends with '/'
  std::string decoded_base;      // of the target
  std::string forwarded_prefix;  // for X-Forwarded-Prefix; empty: none
  session::OutgoingRequest::Persistence persistence;
  base::Time pipe_idle;
  UpstreamPool pool;
};

/// One request that a server upstream handles. Client and upstream may each leave at any time: the exchange ends with
/// ended(), the connection upstream with one of the calls that ResponseReceiver names, and the other is cut or cut off then.
class ProxyExchange final : public session::Responder, private UpstreamPool::Waiter, private session::ResponseReceiver {
 public:
  /// Within Handler::handle(). `path` is upstream's, with the query.
  static void serve(session::Exchange& exchange, Upstream& upstream, std::string path);
  ~ProxyExchange() override;
  ProxyExchange(const ProxyExchange&) = delete;
  ProxyExchange& operator=(const ProxyExchange&) = delete;

  void body(std::string_view piece) override;
  void body_end() override;
  void drained() override;
  void tick() override;
  void ended(const session::ExchangeEnd& end) override;

 private:
  ProxyExchange(session::Exchange& exchange, Upstream& upstream, std::string path);

  void start();
  void connect();
  void connected(session::H1Client& session) override;
  void not_connected(UpstreamFailure failure) override;
  void send(session::H1Client& session);
  void take_body();

  session::Flow response_interim(const codec::AnswerHead& head) override;
  void response_begins(const codec::AnswerHead& head, std::optional<std::uint64_t> length) override;
  session::Flow response_piece(std::string_view piece) override;
  void response_ends() override;
  Upgrade response_switches(const codec::AnswerHead& head) override;
  void response_fails(session::ResponseFailure failure) override;
  void request_has_room() override;

  [[nodiscard]] bool may_try_again() const;
  [[nodiscard]] session::Fields fields_for_client(const codec::AnswerHead& head) const;
  void refuse(UpstreamFailure failure);
  template <class Call>
  void sheltered(Call&& call) noexcept;
  void let_go();

  session::Exchange& exchange_;
  Upstream& upstream_;
  std::string path_;
  session::H1Client* session_ = nullptr;      // while it works for this exchange
  std::optional<UpstreamPool::Place> place_;  // while it waits for a connection
  bool body_begun_ = false;
  bool body_over_ = false;
};

}  // namespace wharf::server
