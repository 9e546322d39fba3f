#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

namespace wharf::session {

class Link;

/// What speaks on a link: HTTP/1, WebSocket, raw. Together with link.h the waist of the house: neither side knows which kind of the
/// other it got. All calls come from the link on its loop's thread, on a fresh stack: never from within a call that the session made.
class Session {
 public:
  virtual ~Session() = default;

  /// Once, when the session has become the link's, before anything else.
  virtual void start() {}

  /// Bytes arrived; they are the session's to change during the call. Returns how many were used. A session keeps what it still needs
  /// itself and uses everything, except when it asked the link to hold input, to become another session, or to end, or when the link
  /// does not let it go on in this turn: then the link keeps the rest for later or for the next one. Without bytes it is called after
  /// ask_again() alone.
  virtual std::size_t input(std::span<char> bytes) = 0;

  /// The peer will send no more. Output still reaches it.
  virtual void end_of_input() = 0;

  /// Less output is queued than the low-water mark again; called after want_room(), once for each such call.
  virtual void room() {}

  /// What want_turn() asked for.
  virtual void turn() {}

  /// The moment given to set_deadline() has come.
  virtual void deadline() {}

  /// The server stops: finish what was begun, begin nothing new.
  virtual void shut_down() = 0;

  /// The link is ending: the last call before destruction, unless another session took over. Nothing can be sent any more.
  virtual void ended() {}
};

/// Makes what is to speak on a link. Called once for each link.
using SessionMaker = std::function<std::unique_ptr<Session>(Link&)>;

}  // namespace wharf::session
