#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/flags.h"
#include "link/environment.h"
#include "link/guests.h"
#include "link/link.h"
#include "link/session.h"
#include "protocol/author_state.h"
#include "protocol/protocol.h"
#include "wharf/abi.h"

namespace wharf::session {

/// A connection that left HTTP: a pipe of bytes, which a row's code uses as wharf_pipe.
class Raw final : public Guest, public wharf_pipe, public AuthorState<Raw> {
 public:
  /// Calls `open` of `raw` within this call, so the response must be queued already. If it refuses, the link is cut.
  static std::unique_ptr<Session> open(Link& link, Protocol& protocol, const wharf_raw& raw, void* argument);
  ~Raw() override;
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;

  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  Drains drain() override { return Drains::when_told; }
  void shut_down() override;
  void leave() override { shut_down(); }
  void ended() override;

  // ---- What http_services.cpp offers to rows. ----

  wharf_flow write(std::string_view bytes);
  void cork() { link_.cork(); }
  void uncork() { link_.uncork(); }
  void end_output();
  void close() { link_.finish(); }
  void abort() { link_.abort(); }
  void pause();
  void resume();
  void tick_every(base::Time period);
  [[nodiscard]] std::size_t buffered() const { return link_.out().size(); }
  [[nodiscard]] std::string_view address() const;
  [[nodiscard]] Protocol& protocol() const { return protocol_; }
  wharf_handle handle();
  /// As wharf_http_services::pipe_forward.
  bool forward(std::string_view to, std::string_view first, base::Time within);
  [[nodiscard]] const TlsFacts* tls() const { return link_.peer().tls; }

 private:
  enum class Mark : std::uint8_t {
    paused,
    overfull,  // above high water, and `drained` is owed
    output_over,
    input_over,
    forwarding  // the next session is on its way
  };

  Raw(Link& link, Protocol& protocol, const wharf_raw& raw);

  void set_timer();
  [[nodiscard]] bool holds_input() const { return marks_.has_any(Mark::paused, Mark::overfull, Mark::forwarding); }
  void update_input();
  void destroy_state();
  std::unique_ptr<Session> join(Link& other, const std::string& first);
  void not_reached(std::string_view to, std::string_view why);

  Link& link_;
  Protocol& protocol_;
  wharf_raw raw_{};              // complete: one of an older header has been extended with zeros
  mutable std::string address_;  // made when it is first needed
  base::Time tick_due_ = base::never;
  base::Time tick_period_{0};
  base::Time heard_;  // when a byte last passed in either direction
  base::Flags<Mark> marks_;
  std::unique_ptr<server::Attempt> attempt_;  // while a connection is made for it
};

}  // namespace wharf::session
