#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "codec/http/request_head.h"
#include "http/exchange_core.h"
#include "http/h1_body.h"
#include "link/link.h"
#include "link/session.h"

namespace wharf::session {

/// HTTP/1.1 and 1.0 on a link, server's side (RFC 9112): the framing of requests that come one after the other, each with its
/// response before the next is read. ExchangeCore has the exchanges.
class H1 final : public Session, private ExchangeCore {
 public:
  H1(Link& link, HttpContext& context);
  ~H1() override;
  H1(const H1&) = delete;
  H1& operator=(const H1&) = delete;

  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void turn() override { exchange_turn(); }
  void deadline() override { exchange_deadline(); }
  Drains drain() override;
  void shut_down() override;
  void ended() override { exchange_ended(); }

 private:
  struct Received;  // a head of which a part has arrived

  /// Whether another request may follow this one.
  enum class Persistence : std::uint8_t { kept, last };
  /// Whether the next requests wait, because the peer does not read its responses.
  enum class Next : std::uint8_t { taken, waits };

  // ExchangeCore
  void send_head(const Response& response, Content content, std::optional<std::uint64_t> length) override;
  void send_piece(std::string_view piece) override;
  void send_end() override;
  void send_interim(int status, const Fields& fields) override;
  int send_switch(std::string_view protocol, const Fields& fields) override;
  void make_last(Reason /*reason*/) override { persistence_ = Persistence::last; }
  [[nodiscard]] bool is_last() const override { return persistence_ == Persistence::last; }
  void reset(Reason reason) override;
  void next() override;
  [[nodiscard]] BodyLeft body_left() const override { return {body_.left(), body_.in_chunks()}; }
  void intake_changed() override;
  void idle_late() override;

  std::size_t take_head(std::span<char> bytes);
  std::size_t take_more_head(std::span<char> bytes);
  [[nodiscard]] bool has_begun() const;
  void head_begins();
  void handle(const codec::RequestHead& head, Behind behind, std::unique_ptr<codec::KeptHead> kept = nullptr);
  std::span<char> take_body(std::span<char> bytes);
  [[nodiscard]] bool wants_head() const { return stage() == Stage::idle && next_ == Next::taken; }
  [[nodiscard]] std::size_t useful_read() const;

  std::unique_ptr<Received> incoming_;
  IncomingBody body_;
  Persistence persistence_;
  Next next_ = Next::taken;
  Delimiting delimiting_ = Delimiting::length;
};

}  // namespace wharf::session
