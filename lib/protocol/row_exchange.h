#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "protocol/author_state.h"
#include "protocol/protocol.h"
#include "protocol/request_view.h"
#include "wharf/abi.h"

namespace wharf::session {

/// One request that a row handles: what its author holds as wharf_exchange.
class RowExchange final : public Responder, public wharf_exchange, public AuthorState<RowExchange> {
 public:
  /// Within Handler::handle(). The row's `http` is not null.
  static void serve(Exchange& exchange, Protocol& protocol, const RequestPlace& place);
  ~RowExchange() override;
  RowExchange(const RowExchange&) = delete;
  RowExchange& operator=(const RowExchange&) = delete;

  void body(std::string_view piece) override;
  void body_end() override;
  void drained() override;
  void tick() override;
  void ended(const ExchangeEnd& end) override;

  // ---- What http_services.cpp offers to rows. ----

  [[nodiscard]] const RequestView& request() const;
  [[nodiscard]] std::string_view whole_body() const { return body_; }
  bool add_field(std::string_view name, std::string_view value);
  wharf_flow respond(int status, std::string_view data);
  bool respond_file(int status, const char* path);
  wharf_flow begin(int status, std::optional<std::uint64_t> length);
  wharf_flow write(std::string_view piece);
  void end();
  void abort();
  void fail();
  void pause_body();
  void resume_body();
  void answer_within(base::Time time);
  void tick_every(base::Time period);
  bool upgrade(std::string_view token, const wharf_raw* raw, void* argument);
  [[nodiscard]] std::size_t buffered() const;
  wharf_handle handle();
  [[nodiscard]] Protocol& protocol() const { return protocol_; }

 private:
  RowExchange(Exchange& exchange, Protocol& protocol, const RequestPlace& place);

  void start();
  void begin_request();
  [[nodiscard]] std::uint64_t body_limit() const;
  void refuse_body();
  bool may_answer();
  void destroy_state(bool complete);

  Exchange* exchange_;
  Protocol& protocol_;
  const wharf_http_row& row_;
  std::string_view mount_prefix_;  // the router's
  std::optional<std::string> user_;
  mutable std::optional<RequestView> request_;  // made when it is first needed
  Fields fields_;
  std::string body_;
  std::uint64_t body_size_ = 0;
  bool over_ = false;  // no response is possible any more
};

}  // namespace wharf::session
