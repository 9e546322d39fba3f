#include "base/peer_address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "base/ascii.h"
#include "base/log.h"

namespace wharf::base {
namespace {

constexpr std::array<std::uint8_t, 12> ipv4_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
/// Where a translator has IPv4 addresses of clients in IPv6: with the well-known prefix (RFC 6052 section 2.1), or with others, whose
/// length only it knows (RFC 8215).
constexpr PeerAddress::Bytes translated{0, 0x64, 0xFF, 0x9B};
constexpr unsigned translated_bits = 96;
constexpr PeerAddress::Bytes translated_here{0, 0x64, 0xFF, 0x9B, 0, 1};
constexpr unsigned translated_here_bits = 48;
/// Of all machines on a link (RFC 4291 section 2.5.6).
constexpr PeerAddress::Bytes link_local{0xFE, 0x80};
constexpr unsigned link_local_bits = 10;
constexpr std::string_view unix_text = "unix:";

/// Digits and nothing else.
template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || !is_digit(text.front()) || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// For functions that need a zero behind a text. False if the text is too long for any address, or has a zero within.
bool as_c_text(std::string_view text, std::array<char, INET6_ADDRSTRLEN>& room) {
  if (text.size() >= room.size() || text.find('\0') != std::string_view::npos) return false;
  std::copy(text.begin(), text.end(), room.begin());
  room[text.size()] = '\0';
  return true;
}

std::optional<PeerAddress> parse_ipv4(std::string_view text, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> room;
  std::array<std::uint8_t, 4> bytes;
  if (!as_c_text(text, room) || inet_pton(AF_INET, room.data(), bytes.data()) != 1) return std::nullopt;
  return PeerAddress::ipv4(bytes, port);
}

/// From the name of a network interface of this machine, or its number.
std::uint32_t scope_of(std::string_view zone) {
  if (const auto index = number<std::uint32_t>(zone)) return *index;
  std::array<char, INET6_ADDRSTRLEN> room;
  return as_c_text(zone, room) ? if_nametoindex(room.data()) : 0;
}

std::string zone_of(std::uint32_t scope) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(scope, name.data()) != nullptr ? std::string(name.data()) : concat(scope);
}

std::optional<PeerAddress> parse_ipv6(std::string_view text, std::uint16_t port) {
  const std::size_t percent = text.find('%');
  std::uint32_t scope = 0;
  if (percent != std::string_view::npos && (scope = scope_of(text.substr(percent + 1))) == 0) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> room;
  PeerAddress::Bytes bytes;
  if (!as_c_text(text.substr(0, percent), room) || inet_pton(AF_INET6, room.data(), bytes.data()) != 1) return std::nullopt;
  return PeerAddress::ipv6(bytes, port, scope);
}

bool begin_alike(const PeerAddress::Bytes& one, const PeerAddress::Bytes& other, unsigned bits) {
  const unsigned whole = bits / 8;
  if (std::memcmp(one.data(), other.data(), whole) != 0) return false;
  return bits % 8 == 0 || ((one[whole] ^ other[whole]) >> (8 - bits % 8)) == 0;
}

/// The first `bits`; those behind them are 0.
PeerAddress::Bytes beginning(PeerAddress::Bytes bytes, unsigned bits) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const unsigned kept = bits > i * 8 ? std::min(8U, bits - static_cast<unsigned>(i) * 8) : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xFF00U >> kept));
  }
  return bytes;
}

PeerAddress first_of(const PeerAddress& address, unsigned bits) {
  const PeerAddress::Bytes bytes = beginning(address.bytes(), bits);
  if (address.family() == PeerAddress::Family::ipv4) return PeerAddress::ipv4({bytes[0], bytes[1], bytes[2], bytes[3]});
  return PeerAddress::ipv6(bytes, 0, address.scope());
}

}  // namespace

PeerAddress PeerAddress::ipv4(const std::array<std::uint8_t, 4>& bytes, std::uint16_t port) {
  PeerAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  address.port_ = port;
  address.family_ = Family::ipv4;
  return address;
}

PeerAddress PeerAddress::ipv6(const Bytes& bytes, std::uint16_t port, std::uint32_t scope) {
  if (std::equal(ipv4_mapped.begin(), ipv4_mapped.end(), bytes.begin()))
    return ipv4({bytes[12], bytes[13], bytes[14], bytes[15]}, port);
  PeerAddress address;
  address.bytes_ = bytes;
  address.scope_ = scope;
  address.port_ = port;
  address.family_ = Family::ipv6;
  return address;
}

PeerAddress PeerAddress::unix_socket() {
  PeerAddress address;
  address.family_ = Family::unix_socket;
  return address;
}

std::optional<PeerAddress> PeerAddress::parse(std::string_view text) {
  if (text == unix_text) return unix_socket();
  const bool is_bare_ipv6 = !text.starts_with('[') && text.find(':') != text.rfind(':');
  if (is_bare_ipv6) return parse_ipv6(text, 0);
  const auto parts = split_host_and_port(text);
  const auto port = parts && parts->port ? number<std::uint16_t>(*parts->port) : std::optional<std::uint16_t>(0);
  if (!parts || !port) return std::nullopt;
  return text.starts_with('[') ? parse_ipv6(parts->bare_host(), *port) : parse_ipv4(parts->host, *port);
}

std::string PeerAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> room{};
  switch (family_) {
    case Family::ipv4: return inet_ntop(AF_INET, bytes_.data(), room.data(), room.size());
    case Family::ipv6: {
      const std::string address = inet_ntop(AF_INET6, bytes_.data(), room.data(), room.size());
      return scope_ != 0 ? concat(address, "%", zone_of(scope_)) : address;
    }
    case Family::unix_socket: return std::string(unix_text);
    case Family::unknown: break;
  }
  return {};
}

std::string PeerAddress::text() const {
  if (port_ == 0) return host();
  return family_ == Family::ipv6 ? concat("[", host(), "]:", port_) : concat(host(), ":", port_);
}

PeerAddress PeerAddress::without_port() const {
  PeerAddress address = *this;
  address.port_ = 0;
  return address;
}

PeerAddress PeerAddress::client_network() const {
  if (family_ != Family::ipv6) return without_port();
  if (begin_alike(bytes_, translated, translated_bits)) return ipv4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]});
  const bool is_alone =
      begin_alike(bytes_, link_local, link_local_bits) || begin_alike(bytes_, translated_here, translated_here_bits);
  return is_alone ? without_port() : first_of(*this, 64);
}

Result<PeerNetwork, std::string> PeerNetwork::parse(std::string_view text) {
  const auto fault = [text](std::string_view reason) {
    return Failure{concat("network '", printable(text), "' is not taken: ", reason)};
  };
  if (text == "unix" || text == unix_text) return PeerNetwork(PeerAddress::unix_socket(), 0);
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const bool is_ipv6 = host.find(':') != std::string_view::npos;
  const auto address = is_ipv6 ? parse_ipv6(host, 0) : parse_ipv4(host, 0);
  if (!address)
    return fault(
        "it is an IPv4 or IPv6 address, maybe with '/' and how many bits of it count, as in 192.0.2.0/24 or 2001:db8::/32; or "
        "unix");
  const unsigned longest = is_ipv6 ? 128 : 32;
  unsigned prefix = longest;
  if (slash != std::string_view::npos) {
    const auto given = number<unsigned>(text.substr(slash + 1));
    if (!given || *given > longest) return fault(concat("behind the '/' is how many bits count, 0 to ", longest));
    prefix = *given;
  }
  if (is_ipv6 && address->family() == PeerAddress::Family::ipv4) {
    if (prefix < 96) return fault("it is part of IPv6 and part of IPv4; write two networks");
    prefix -= 96;
  }
  if (const PeerAddress first = first_of(*address, prefix); first != *address)
    return fault(concat("it has bits beyond those that count; write ", first.host(), "/", prefix, " or ", address->host()));
  return PeerNetwork(*address, prefix);
}

bool PeerNetwork::contains(const PeerAddress& address) const {
  return address.family() == first_.family() && begin_alike(address.bytes(), first_.bytes(), prefix_) &&
         (first_.scope() == 0 || first_.scope() == address.scope());
}

std::string_view HostAndPort::bare_host() const { return host.starts_with('[') ? host.substr(1, host.size() - 2) : host; }

std::optional<HostAndPort> split_host_and_port(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(0, bracketed ? end + 1 : end);
  const std::string_view behind = text.substr(host.size());
  if (behind.empty()) return HostAndPort{host, std::nullopt};
  return behind.front() == ':' ? std::optional(HostAndPort{host, behind.substr(1)}) : std::nullopt;
}

std::string_view fault_of_socket_path(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return "not a path";
  if (path.size() >= sizeof sockaddr_un::sun_path) return "the path of a unix socket is too long: it has at most 107 bytes";
  return {};
}

}  // namespace wharf::base
