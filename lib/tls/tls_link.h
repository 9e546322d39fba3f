#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/flags.h"
#include "base/log.h"
#include "link/counts.h"
#include "link/environment.h"
#include "link/link.h"
#include "link/session.h"
#include "tls/engine.h"
#include "tls/handshakes.h"

namespace wharf::tls {

/// What the TLS links of one loop have in common, and use one after the other. It outlives them. A link that stands on another of them
/// needs parts of its own, for both have bytes in theirs at the same time.
struct LoopParts {
  LoopParts(base::ChunkPool& of, const session::OutputLimits& limits, base::Log& its_log)
      : pool(of), output(limits), log(its_log) {}

  base::ChunkPool& pool;
  const session::OutputLimits& output;
  base::Log& log;
  /// Where large keys sign on threads of their own; nullptr: all sign on the loop.
  server::Outside* outside = nullptr;
  Handshakes handshakes;
  /// Of links in the server's role; nullptr: nobody counts.
  session::OpeningCounts* counts = nullptr;
  base::Time handshake_time{10'000};                                     ///< from the beginning of the link
  std::vector<char> plain = std::vector<char>(std::size_t{128} * 1024);  ///< what was read, until a session has it
  std::array<char, largest_record> record{};                             ///< what is gathered for a record
};

/// A link over TLS: a session to the link below it, and the link of the session above it, which is made when the handshake is done.
/// Neither learns of the other. Both roles; below may be a socket, a tunnel, or a link in memory.
///
/// Handshakes have a budget in each turn of the loop, and wait for a later turn in the order of arrival. Meanwhile, and while a large key
/// signs on another thread, the link below is held. A client's count too, from the first reply on: they are begun for somebody else.
///
/// Output is sealed when it is flushed, up to most_sealed bytes in the queue below; the rest waits unsealed, and counts against the
/// limits of output. Input is not read below while the session above holds its own. The end of the peer's output is its close_notify
/// (RFC 8446 section 6.1): if the link below ends without one, the session above is ended as by a reset, and what it had queued leaves,
/// without a close_notify.
class TlsLink final : public session::Session, public session::Link {
 public:
  /// Gets the reason in a few words.
  using Failed = std::function<void(std::string_view)>;

  /// `server_name` is for a client: the host that it connects to. Either `make_session` is called once, when the handshake is done, or
  /// `failed`, on a fresh stack; neither if there is no memory. Without `failed` the log has a line instead. Throws std::bad_alloc.
  TlsLink(session::Link& below, const Context& context, LoopParts& parts, session::SessionMaker make_session,
          const std::string& server_name = {}, Failed failed = nullptr);
  /// A server that has a context for each name; it keeps them until the handshake is over, as others may replace them meanwhile.
  TlsLink(session::Link& below, std::shared_ptr<const NamedContexts> contexts, LoopParts& parts,
          session::SessionMaker make_session);
  ~TlsLink() override;
  TlsLink(const TlsLink&) = delete;
  TlsLink& operator=(const TlsLink&) = delete;

  /// Before it starts: when the handshake must be over, instead of handshake_time after the start.
  void finish_handshake_by(base::Time when) { opening_->deadline = when; }

  // The session of the link below.
  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void turn() override;
  void deadline() override;
  Drains drain() override;
  void shut_down() override;
  void ended() override;

  // The link of the session above.
  void flush() override;
  void now_idle() override;
  void now_busy() override;
  void set_deadline(base::Time when) override { below_.set_deadline(when); }
  [[nodiscard]] base::Time now() const override { return below_.now(); }
  [[nodiscard]] std::string address() const override;

  /// The bytes that wait below from which on nothing more is sealed.
  static constexpr std::size_t most_sealed = std::size_t{64} * 1024;
  /// A record is small at first, so that the peer can read it after a packet; and again after a rest.
  static constexpr std::size_t small_record = 1'300;
  static constexpr std::uint32_t small_until = std::uint32_t{64} * 1024;
  static constexpr base::Time rest{1'000};
  /// What waits below at most, as OpenSSL itself replies to what comes; above it nothing is read until the peer takes some.
  static constexpr std::size_t most_replies = std::size_t{64} * 1024;
  /// For the rest of a message of the handshake that has come in part, when all else is done.
  static constexpr base::Time closing_wait{5'000};

 private:
  enum class Stage : std::uint8_t { handshaking, open, winding_up, over };
  struct Signing;
  /// What is needed until the handshake is done.
  struct Opening {
    Opening(session::Link& below, const Context& its_context, session::SessionMaker make, Failed tell)
        : context(its_context), make_session(std::move(make)), failed(std::move(tell)), waiting(below) {}

    const Context& context;
    std::shared_ptr<const NamedContexts> contexts{};  // nullptr: the context is the only one
    session::SessionMaker make_session;
    Failed failed;
    std::optional<base::Time> deadline{};  // nothing: after handshake_time
    Waiting waiting;
    std::shared_ptr<Signing> signing;  // on another thread
  };
  enum class Mark : std::uint8_t {
    called,       // it is this link's turn to shake hands
    idle,         // as the session above says
    cut_short,    // the peer ended without a close_notify: it gets none
    replies_wait  // below: nothing is read
  };

  [[nodiscard]] std::uint32_t turn_number() const override { return turn_number_of(below_); }
  void schedule() override { below_.want_turn(); }
  void tell_lost(const char* what) noexcept override { tell_lost_of(below_, what); }
  void input_wanted_changed() override;
  void output_ended() override;
  void say_goodbye() noexcept override;
  void wind_up() override;
  [[nodiscard]] bool nothing_came() override;

  [[nodiscard]] bool may_shake_hands();
  void make_engine();
  void set_keys();
  void wait_in(WaitingLine& line);
  void my_turn();
  void shake_hands();
  void go_on_from(Engine::State state);
  void sign();
  void handshake_failed(std::string_view why);
  void say_failed(std::string_view why);
  void tell_failed(std::string_view why);
  void count(std::atomic<std::uint64_t> session::OpeningCounts::*which);
  void begin_session();
  void read();
  [[nodiscard]] bool seal_record();
  void drop();
  void tell_idle();
  [[nodiscard]] std::size_t record_size();
  void proceed();
  void conclude() noexcept;
  void give_up();

  session::Link& below_;
  LoopParts& parts_;
  session::OpeningCounts* counts_ = nullptr;  // of the server's role
  std::unique_ptr<Opening> opening_;          // while handshaking
  std::optional<Engine> engine_;
  session::TlsFacts facts_;
  base::Time last_sealed_{0};
  std::uint32_t sealed_since_rest_ = 0;
  std::uint32_t looked_ahead_ = 0;  // bytes that come again, which the engine has had
  Stage stage_ = Stage::handshaking;
  base::Flags<Mark> marks_;
};

}  // namespace wharf::tls
