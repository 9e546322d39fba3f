#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace wharf::io {

/// A socket address of any family.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] std::uint16_t port() const;
  void set_port(std::uint16_t port);
  /// 127.0.0.1:7681 or [::1]:7681; empty for other families.
  [[nodiscard]] std::string text() const;
};

/// The address to listen on for what a person writes: an IPv4 or IPv6 address, the name of a network interface, or a host name.
/// The error is one line.
base::Result<Address, std::string> resolve_interface(const std::string& name, std::uint16_t port);

}  // namespace wharf::io
