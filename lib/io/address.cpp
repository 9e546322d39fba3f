#include "io/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/descriptor.h"
#include "base/log.h"

namespace wharf::io {
namespace {

constexpr socklen_t unix_path_offset = offsetof(sockaddr_un, sun_path);

/// A path, with or without a zero behind it, or a zero and an abstract name, or nothing.
std::string_view unix_name(const Address& address) {
  const char* name = reinterpret_cast<const sockaddr_un*>(&address.storage)->sun_path;
  return address.size > unix_path_offset ? std::string_view(name, address.size - unix_path_offset) : std::string_view();
}

/// Once each.
void add_address(std::vector<Address>& addresses, const sockaddr* found) {
  Address address;
  if (!copy_address(address, found)) return;
  const auto is_it = [&address](const Address& other) {
    return other.size == address.size && std::memcmp(&other.storage, &address.storage, address.size) == 0;
  };
  if (std::none_of(addresses.begin(), addresses.end(), is_it)) addresses.push_back(address);
}

std::vector<Address> addresses_of_interface(const std::string& name) {
  std::vector<Address> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next)
    if (name == entry->ifa_name) add_address(addresses, entry->ifa_addr);
  return addresses;
}

std::vector<Address> addresses_of_host(const std::string& name) {
  std::vector<Address> addresses;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return addresses;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) add_address(addresses, entry->ai_addr);
  return addresses;
}

std::vector<Address> addresses_of(const std::string& name) {
  if (name.empty()) return {};
  if (name == "*") {
    std::vector<Address> all = addresses_of_host("0.0.0.0");
    add_address(all, addresses_of_host("::").front().get());
    return all;
  }
  if (name.front() == '[' && name.back() == ']') return addresses_of_host(name.substr(1, name.size() - 2));
  std::vector<Address> addresses = addresses_of_interface(name);
  return addresses.empty() ? addresses_of_host(name) : addresses;
}

/// Such as one of IPv6 where that is switched off, or one that another machine has.
bool is_missing(const Address& address) {
  const base::Descriptor probe(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (probe && bind(probe.get(), address.get(), address.size) == 0) return false;
  return errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
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

base::Result<std::vector<Address>, std::string> listening_addresses(const std::string& name, std::uint16_t port) {
  std::vector<Address> addresses = addresses_of(name);
  if (addresses.empty())
    return base::Failure{"cannot listen on '" + name +
                         "': no network interface, address or host of that name; try 127.0.0.1, ::1 or lo"};
  std::stable_partition(addresses.begin(), addresses.end(), [](const Address& each) { return each.storage.ss_family == AF_INET; });
  if (addresses.size() > 1) {
    const Address first = addresses.front();
    addresses.erase(std::remove_if(addresses.begin(), addresses.end(), is_missing), addresses.end());
    if (addresses.empty()) addresses.push_back(first);
  }
  for (Address& address : addresses) address.set_port(port);
  return addresses;
}

base::Result<Address, std::string> resolve_interface(const std::string& name, std::uint16_t port) {
  const auto addresses = listening_addresses(name, port);
  if (!addresses) return base::Failure{addresses.error()};
  return addresses->front();
}

}  // namespace wharf::io
