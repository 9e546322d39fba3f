#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace wharf::session {

class Link;

/// What speaks on a link: HTTP/1, WebSocket, raw. Together with link.h this is the waist: neither side knows which kind of the
/// other it has. All calls come from the link on its loop's thread, on a fresh stack: never from within a call that the session
/// made.
class Session {
 public:
  virtual ~Session() = default;

  /// Once, when the session has become the link's, before anything else.
  virtual void start() {}

  /// Bytes arrived; the session may change them during the call. Returns how many were used. A session itself keeps what it still
  /// needs and uses everything, unless it asked the link to hold input, to become another session, or to end, or the link does not
  /// let it go on in this turn: then the link keeps the rest for later or for the next session. It is called without bytes only
  /// after ask_again().
  virtual std::size_t input(std::span<char> bytes) = 0;

  /// The peer will send no more. Output still reaches it.
  virtual void end_of_input() = 0;

  /// At most the low-water mark is queued again; called after want_room(), once for each such call.
  virtual void room() {}

  /// After want_turn().
  virtual void turn() {}

  /// The moment given to set_deadline() has come.
  virtual void deadline() {}

  /// The server stops soon, but has time: what was begun goes on as before, and a session that ends by itself does so as soon as
  /// nothing is left undone. The others hear shut_down() when it is their turn, within the time that a drain takes. A session that
  /// takes over later is asked after its start().
  enum class Drains : std::uint8_t { by_itself, when_told };
  virtual Drains drain() { return Drains::by_itself; }

  /// The server stops: finish what was begun, begin nothing new. A session that takes over later is told so after its start().
  virtual void shut_down() = 0;

  /// The link is ending: the last call before destruction, unless another session took over. Nothing can be sent any more.
  virtual void ended() {}
};

/// Makes the session of a link. Called once for each link.
using SessionMaker = std::function<std::unique_ptr<Session>(Link&)>;

}  // namespace wharf::session
