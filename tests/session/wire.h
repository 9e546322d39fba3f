#pragma once
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "io/address.h"
#include "link/memory_link.h"
#include "session/frames.h"
#include "tls/engine.h"

namespace wharf::test {

/// A client's end of a connection to a site. Throws std::runtime_error if expected bytes do not come.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void send(std::string_view bytes) = 0;
  /// Sends no more.
  virtual void finish() = 0;
  /// The bytes that have come and were not read yet, at least one; waits for it. Empty: the other end has finished.
  virtual std::string read_some() = 0;

  /// Everything up to `end` and with it; the bytes behind it are left for later.
  std::string read_until(std::string_view end);
  /// That many bytes.
  std::string read(std::size_t size);
  /// Everything until the other end has finished.
  std::string read_all();
  /// What read_until() left, or else read_some().
  std::string take_some() { return rest_.empty() ? read_some() : std::exchange(rest_, {}); }

 private:
  bool more();

  std::string rest_;
};

class MemoryWire final : public Wire {
 public:
  explicit MemoryWire(std::unique_ptr<session::MemoryLink> link) : link_(std::move(link)) {}
  ~MemoryWire() override;
  MemoryWire(const MemoryWire&) = delete;
  MemoryWire& operator=(const MemoryWire&) = delete;
  void send(std::string_view bytes) override { link_->receive(bytes); }
  void finish() override { link_->receive_end(); }
  std::string read_some() override;
  [[nodiscard]] session::MemoryLink& link() { return *link_; }

 private:
  std::unique_ptr<session::MemoryLink> link_;
};

class SocketWire final : public Wire {
 public:
  explicit SocketWire(const io::Address& address) : SocketWire(address, 0) {}
  /// With a receive buffer of that many bytes, as far as the system allows; 0: as usual.
  SocketWire(const io::Address& address, int receive_buffer);
  ~SocketWire() override { close(); }
  SocketWire(const SocketWire&) = delete;
  SocketWire& operator=(const SocketWire&) = delete;

  void send(std::string_view bytes) override;
  void finish() override;
  std::string read_some() override;

  /// Sends until the system has taken nothing for `patience` milliseconds; returns how much it took.
  std::size_t send_what_fits(std::string_view bytes, int patience);
  /// Closes so that the other end gets a reset.
  void reset();
  void close();
  [[nodiscard]] bool was_reset() const { return was_reset_; }

 private:
  int socket_ = -1;
  bool was_reset_ = false;
};

/// A client's TLS over another wire.
class TlsWire final : public Wire {
 public:
  /// Shakes hands, and asks for the name. The context outlives this; nullptr: one that trusts everybody.
  explicit TlsWire(std::unique_ptr<Wire> below, const std::string& name = "localhost", const tls::Context* context = nullptr);
  void send(std::string_view bytes) override;
  void finish() override;
  std::string read_some() override;
  /// Whether the other end has said that it sends no more (RFC 8446 section 6.1).
  [[nodiscard]] bool ended_well() const { return engine_.state() == tls::Engine::State::peer_ended; }

 private:
  void send_sealed();

  std::unique_ptr<Wire> below_;
  base::ChunkPool pool_;
  base::OutQueue sealed_{pool_};
  tls::Engine engine_;
};

/// A WebSocket conversation on a wire.
class WsTalk {
 public:
  /// Asks for the protocol and reads the response, which must be 101. `early` is sent together with the request.
  WsTalk(Wire& wire, std::string_view protocol, std::string_view early = {});
  void send(std::string_view bytes) { wire_.send(bytes); }
  /// The next frame in the words of Received; "end" when the connection has ended.
  std::string next();
  /// The whole payload of what next() returned last.
  [[nodiscard]] const std::string& payload() const { return last_.payload; }

 private:
  Wire& wire_;
  FrameReader reader_;
  std::deque<Received> waiting_;
  Received last_;
};

std::string upgrade_request(std::string_view protocol);

}  // namespace wharf::test
