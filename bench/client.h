// The engine of the load client: many connections, each with a number of messages outstanding, one read and one write for each
// event.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "handshake.h"
#include "load_options.h"
#include "ring.h"

namespace bench {

class Client {
 public:
  // Takes over the upgraded connections and closes them at the end.
  Client(const LoadOptions& options, std::vector<Opened>&& opened);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends until the bound is reached, then waits for the echoes that are still to come. Returns the number of echoes.
  std::uint64_t run(Bound bound);
  // Holds the connections until stdin closes or SIGTERM or SIGINT arrives.
  void hold();
  std::uint64_t errors() const { return errors_; }

 private:
  struct Connection {
    int fd = -1;
    Tls tls;
    std::size_t position = 0;  // in the ring, of the next byte to send
    std::size_t unsent = 0;
    std::size_t answer = 0;    // in the ring, the message whose echo is next
    std::size_t received = 0;  // bytes of that echo
    std::size_t outstanding = 0;
    std::uint64_t checked = 0;
    bool blocked = false;
  };

  void post(Connection& connection, std::uint64_t messages);
  void flush(Connection& connection);
  void turn(int timeout);
  void read_from(Connection& connection);
  bool read_once(Connection& connection);
  bool consume(Connection& connection, std::span<const std::uint8_t> bytes);
  bool right(const Connection& connection, std::span<const std::uint8_t> bytes);
  void watch(int operation, Connection& connection, std::uint32_t events) const;
  void complain(const Connection& connection, const char* what);
  void fail(Connection& connection, const char* what);

  const LoadOptions& options_;
  Ring ring_;
  std::vector<Connection> connections_;
  std::vector<std::uint8_t> buffer_;
  int epoll_;
  std::uint64_t may_send_ = 0;
  std::uint64_t outstanding_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t errors_ = 0;
};

}  // namespace bench
