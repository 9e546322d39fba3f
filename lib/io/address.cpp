#include "io/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/log.h"

namespace wharf::io {
namespace {

constexpr socklen_t unix_path_offset = offsetof(sockaddr_un, sun_path);

/// A path, with or without a zero behind it, or a zero and an abstract name, or nothing.
std::string_view unix_name(const Address& address) {
  const char* name = reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
  return address.size > unix_path_offset ? std::string_view(name, address.size - unix_path_offset) : std::string_view();
}

/// IPv4 before IPv6, like the other defaults.
bool find_network_interface(const std::string& name, Address& address) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return false;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  for (const int family : {AF_INET, AF_INET6})
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next)
      if (name == entry->ifa_name && entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == family)
        return copy_address(address, entry->ifa_addr);
  return false;
}

}  // namespace

std::uint16_t Address::port() const {
  if (storage.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return 0;
}

void Address::set_port(std::uint16_t port) {
  if (storage.ss_family == AF_INET) reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  if (storage.ss_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
}

std::string Address::text() const {
  if (storage.ss_family != AF_UNIX) {
    const base::PeerAddress address = peer_address(*this);
    if (!address.known() || address.port() != 0) return address.text();
    return address.family() == base::PeerAddress::Family::ipv6 ? base::concat("[", address.host(), "]:0")
                                                               : base::concat(address.host(), ":0");
  }
  const std::string_view name = unix_name(*this);
  if (name.starts_with('\0')) return base::concat("unix:@", name.substr(1));
  return base::concat("unix:", path());
}

std::string Address::path() const {
  const std::string_view name = storage.ss_family == AF_UNIX ? unix_name(*this) : std::string_view();
  return std::string(name.substr(0, name.find('\0')));
}

base::PeerAddress peer_address(const Address& address) {
  if (address.storage.ss_family == AF_INET) {
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, bytes.size());
    return base::PeerAddress::ipv4(bytes, address.port());
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto* const socket = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    base::PeerAddress::Bytes bytes;
    std::memcpy(bytes.data(), &socket->sin6_addr, bytes.size());
    return base::PeerAddress::ipv6(bytes, address.port(), socket->sin6_scope_id);
  }
  return address.storage.ss_family == AF_UNIX ? base::PeerAddress::unix_socket() : base::PeerAddress();
}

bool copy_address(Address& to, const sockaddr* from) {
  if (from == nullptr || (from->sa_family != AF_INET && from->sa_family != AF_INET6)) return false;
  to.size = from->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(&to.storage, from, to.size);
  return true;
}

base::Result<Address, std::string> unix_address(const std::string& path) {
  Address address;
  auto* socket = reinterpret_cast<sockaddr_un*>(&address.storage);
  const bool abstract = path.starts_with('@');
  if (const std::string_view fault = base::fault_of_socket_path(path); !fault.empty()) return base::Failure{std::string(fault)};
  socket->sun_family = AF_UNIX;
  std::memcpy(socket->sun_path, path.data(), path.size());
  if (abstract) socket->sun_path[0] = '\0';
  address.size = unix_path_offset + static_cast<socklen_t>(path.size()) + (abstract ? 0 : 1);
  return address;
}

base::Result<Address, std::string> resolve_interface(const std::string& name, std::uint16_t port) {
  Address address;
  if (!find_network_interface(name, address)) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(name.c_str(), nullptr, &hints, &found);
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
    if (status != 0 || found == nullptr || !copy_address(address, found->ai_addr))
      return base::Failure{"cannot listen on '" + name +
                           "': no network interface, address or host of that name; try 127.0.0.1, ::1 or lo"};
  }
  address.set_port(port);
  return address;
}

}  // namespace wharf::io
