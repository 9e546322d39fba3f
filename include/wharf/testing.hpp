#pragma once
/// Test a protocol without sockets and without sleeping: the real handshake, codec and session on a pipe in memory, with a clock
/// that the test drives.
///
///     wharf::testing::Harness harness(wharf::protocol<ReverseEcho>("reverse-echo"));
///     wharf::testing::Client client = harness.connect();
///     client.send_text("abc");
///     CHECK(client.receive()->data == "cba");
///
/// All on one thread. Whatever a client or the clock does, the server's side has reacted to when the call returns.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/config.hpp"
#include "wharf/hidden.hpp"

namespace wharf::testing {

namespace detail {
struct ClientState;
struct HarnessState;
struct RawClientState;
}  // namespace detail

/// A whole message that a client received.
struct WHARF_HIDDEN Message {
  Kind kind;
  std::string data;
  friend bool operator==(const Message&, const Message&) = default;
};

/// How a conversation ended, as the client saw it.
struct WHARF_HIDDEN Close {
  std::uint16_t code;  ///< 1005: a close frame without a code; 1006: no close frame at all
  std::string reason;
  friend bool operator==(const Close&, const Close&) = default;
};

struct WHARF_HIDDEN ConnectOptions {
  std::string target = "/";                                 ///< path and query
  std::vector<std::pair<std::string, std::string>> fields;  ///< sent with the request
};

/// The other end of one conversation. Copies are the same client. It may outlive the harness: then it is closed with 1006.
class WHARF_VISIBLE Client {
 public:
  /// The status of the response to the handshake: 101 if the conversation opened.
  [[nodiscard]] int status() const;
  /// The body of the response if it was not 101.
  [[nodiscard]] std::string refusal() const;

  void send_text(std::string_view text);
  void send_binary(std::string_view bytes);
  void ping(std::string_view data = {});
  /// Sends a close frame; code 1005 sends one without a code.
  void close(std::uint16_t code = 1000, std::string_view reason = {});
  /// Sends these bytes as they are, to do what no client should do.
  void send_raw(std::string_view bytes);
  /// The connection breaks, without a close frame.
  void drop();

  /// The next whole message, or nothing if none has come.
  std::optional<Message> receive();
  /// The next pong's payload.
  std::optional<std::string> receive_pong();
  /// How it ended, or nothing while it is open. A close frame of the server is answered at once, unless the client stopped reading.
  [[nodiscard]] std::optional<Close> closed() const;

  /// From now on takes at most `bytes` more of what the server sends; 0 is a client that does not read.
  void read_at_most(std::size_t bytes);
  void read_everything();
  /// Bytes that the server has queued for this client.
  [[nodiscard]] std::size_t queued() const;
  /// Whether the server takes this client's messages, or holds them back until the client reads.
  [[nodiscard]] bool held() const;

 private:
  friend class Harness;
  explicit Client(std::shared_ptr<detail::ClientState> state);
  std::shared_ptr<detail::ClientState> state_;
};

/// The other end of a connection on which a raw row speaks. Copies are the same client. It may outlive the harness.
class WHARF_VISIBLE RawClient {
 public:
  void send(std::string_view bytes);
  /// No more comes from this side.
  void end();
  /// The connection breaks.
  void drop();

  /// All that has come and was not received yet.
  std::string receive();
  /// Whether the server has ended its output.
  [[nodiscard]] bool ended() const;
  /// Whether the connection is over.
  [[nodiscard]] bool closed() const;

  /// From now on takes at most `bytes` more of what the server sends.
  void read_at_most(std::size_t bytes);
  void read_everything();
  /// Whether the server holds this client back until it reads.
  [[nodiscard]] bool held() const;

 private:
  friend class Harness;
  explicit RawClient(std::shared_ptr<detail::RawClientState> state);
  std::shared_ptr<detail::RawClientState> state_;
};

/// A server with one protocol, without sockets.
class WHARF_VISIBLE Harness {
 public:
  /// Throws std::runtime_error if the row cannot be added or started.
  explicit Harness(const wharf_row& row, Options options = {}, Limits limits = {});
  ~Harness();  // NOLINT(bugprone-exception-escape)
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;

  Client connect(const ConnectOptions& options = {});
  /// To a raw row. Its Pipe::forward() reaches nobody.
  RawClient connect_raw();

  /// Moves the clock, millisecond by millisecond, so that every tick on the way happens at its time.
  void advance(std::chrono::milliseconds time);

  /// Runs what other threads have posted.
  void run();

  /// What was logged so far, "level: text".
  [[nodiscard]] const std::vector<std::string>& log() const;

 private:
  std::unique_ptr<detail::HarnessState> state_;
};

}  // namespace wharf::testing
