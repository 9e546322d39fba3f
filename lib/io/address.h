#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/peer_address.h"
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
  /// Of a unix socket with a place in the file system; empty for all others.
  [[nodiscard]] std::string path() const;
  /// 127.0.0.1:7681 or [::1]:7681; unix:/path, or unix: for a socket without a path; empty for other families.
  [[nodiscard]] std::string text() const;
};

/// Without a unix socket's name, for which it has no room.
base::PeerAddress peer_address(const Address& address);

/// Copies an IPv4 or IPv6 address; false for anything else.
bool copy_address(Address& to, const sockaddr* from);

/// The address of a unix socket: a path, or '@' and a name of Linux's abstract kind. The error is a few words.
base::Result<Address, std::string> unix_address(const std::string& path);

/// The addresses to listen on, from what a person writes: an IPv4 or IPv6 address, with or without brackets; the name of a network
/// interface or of a host, for all that it has, IPv4 first; or `*` for all of the machine, now and later. Of several, those that this
/// machine does not have are left out. There is at least one; the error is one line.
base::Result<std::vector<Address>, std::string> listening_addresses(const std::string& name, std::uint16_t port);

/// The first of these.
base::Result<Address, std::string> resolve_interface(const std::string& name, std::uint16_t port);

}  // namespace wharf::io
