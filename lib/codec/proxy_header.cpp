#include "codec/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <system_error>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

using State = ProxyHeaderResult::State;
using base::PeerAddress;

constexpr std::string_view line_begin = "PROXY ";
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t longest_unique_id = 128;

/// Types of values (section 2.2).
enum Type : unsigned {
  alpn = 0x01,
  authority = 0x02,
  crc32c = 0x03,
  unique_id = 0x05,
  ssl = 0x20,
  ssl_version = 0x21,
  ssl_cn = 0x22,
  ssl_cipher = 0x23,
  ssl_sig_alg = 0x24,
  ssl_key_alg = 0x25,
  netns = 0x30
};
/// What comes before the values within that of `ssl`: flags of the client, and four bytes of how its certificate was verified.
constexpr std::size_t ssl_front = 5;
constexpr unsigned client_ssl = 0x01;

ProxyHeaderResult failed(std::string_view reason) { return {State::failed, 0, reason, {}}; }
constexpr ProxyHeaderResult more() { return {}; }

unsigned byte_at(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }
std::size_t number_at(std::string_view bytes, std::size_t at) { return byte_at(bytes, at) << 8U | byte_at(bytes, at + 1); }

// ---- Version 1 ----

/// Cuts off what is before the next space, and the space.
std::string_view next_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

/// Decimal without zeros in front (section 2.1).
std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_number = !text.empty() && base::is_digit(text.front()) && error == std::errc() && end == text.data() + text.size();
  if (!is_number || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return port;
}

std::optional<PeerAddress> address_of(std::string_view text, std::string_view port_text, PeerAddress::Family family) {
  const auto port = port_of(port_text);
  const bool is_ipv6 = family == PeerAddress::Family::ipv6;
  const std::string_view letters = is_ipv6 ? "0123456789abcdefABCDEF:." : "0123456789.";
  if (!port || text.find_first_not_of(letters) != std::string_view::npos) return std::nullopt;
  if (is_ipv6 != (text.find(':') != std::string_view::npos)) return std::nullopt;
  const auto found = PeerAddress::parse(text);
  if (!found) return std::nullopt;
  const PeerAddress::Bytes& bytes = found->bytes();
  if (found->family() == PeerAddress::Family::ipv4) return PeerAddress::ipv4({bytes[0], bytes[1], bytes[2], bytes[3]}, *port);
  return PeerAddress::ipv6(bytes, *port);
}

/// `line` is what follows "PROXY ", without CRLF.
ProxyHeaderResult read_line(std::string_view line, std::size_t size) {
  ProxyHeaderResult result{State::done, size, {}, {}};
  result.header.version = 1;
  const std::string_view family = next_word(line);
  if (family == "UNKNOWN") return result;  // the rest is ignored
  if (family != "TCP4" && family != "TCP6") return failed("it names a family that there is not");
  const PeerAddress::Family kind = family == "TCP4" ? PeerAddress::Family::ipv4 : PeerAddress::Family::ipv6;
  if (std::ranges::count(line, ' ') != 3) return failed("its line does not have two addresses and two ports");
  const std::string_view source = next_word(line);
  const std::string_view destination = next_word(line);
  const std::string_view source_port = next_word(line);
  const auto from = address_of(source, source_port, kind);
  const auto to = address_of(destination, line, kind);
  if (!from || !to) return failed("its line has a malformed address or port");
  result.header.source = *from;
  result.header.destination = *to;
  return result;
}

ProxyHeaderResult read_version_1(std::string_view bytes, std::size_t most) {
  const std::size_t longest = std::min(longest_proxy_line, most);
  const std::string_view line = bytes.substr(0, longest);
  const std::size_t end = line.find_first_of("\r\n");
  const bool is_cut = end == std::string_view::npos || (line[end] == '\r' && end + 1 == line.size());
  if (is_cut) return line.size() < longest ? more() : failed("its line is too long");
  if (line[end] != '\r' || line[end + 1] != '\n') return failed("its line does not end with CRLF");
  return read_line(line.substr(line_begin.size(), end - line_begin.size()), end + 2);
}

// ---- Version 2 ----

constexpr std::array<std::uint32_t, 256> crc32c_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1U ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}();

std::uint32_t add_to_crc32c(std::uint32_t sum, std::string_view bytes) {
  for (const char each : bytes) sum = sum >> 8U ^ crc32c_table[(sum ^ static_cast<unsigned char>(each)) & 0xFFU];
  return sum;
}

/// Of the header with zeros in place of the sum that it has (section 2.2.3), which is a part of it.
std::uint32_t crc32c_of(std::string_view header, std::string_view sum) {
  constexpr std::string_view zeros{"\0\0\0\0", 4};
  const auto at = static_cast<std::size_t>(sum.data() - header.data());
  std::uint32_t result = add_to_crc32c(0xFFFFFFFFU, header.substr(0, at));
  result = add_to_crc32c(result, zeros);
  return ~add_to_crc32c(result, header.substr(at + sum.size()));
}

struct Value {
  unsigned type = 0;
  std::string_view bytes;
};

/// Cuts one off; nullopt if it is longer than what is left.
std::optional<Value> next_value(std::string_view& values) {
  if (values.size() < 3) return std::nullopt;
  const std::size_t size = number_at(values, 1);
  if (values.size() - 3 < size) return std::nullopt;
  const Value value{byte_at(values, 0), values.substr(3, size)};
  values.remove_prefix(3 + size);
  return value;
}

std::optional<std::string_view> first_of_type(std::string_view values, unsigned type) {
  while (const auto value = next_value(values))
    if (value->type == type) return value->bytes;
  return std::nullopt;
}

bool are_whole(std::string_view values) {
  while (!values.empty())
    if (!next_value(values)) return false;
  return true;
}

/// Checks the values, and heeds those that say something about the connection. Returns why the header fails.
std::string_view take_values(std::string_view whole, ProxyHeader& header) {
  bool has_sum = false;
  for (std::string_view rest = header.values; !rest.empty();) {
    const auto value = next_value(rest);
    if (!value) return "a value is longer than the header";
    const std::string_view bytes = value->bytes;
    if (value->type == Type::unique_id && bytes.size() > longest_unique_id) return "its unique ID is too long";
    if (value->type == Type::crc32c) {
      if (bytes.size() != 4 || has_sum) return "its checksum is malformed";
      has_sum = true;
      const std::uint32_t sum =
          static_cast<std::uint32_t>(number_at(bytes, 0)) << 16U | static_cast<std::uint32_t>(number_at(bytes, 2));
      if (crc32c_of(whole, bytes) != sum) return "its checksum is wrong";
    }
    if (value->type == Type::ssl) {
      if (bytes.size() < ssl_front || !are_whole(bytes.substr(ssl_front))) return "what it says about TLS is malformed";
      if (header.client == ProxyHeader::Client::unsaid)
        header.client = (byte_at(bytes, 0) & client_ssl) != 0 ? ProxyHeader::Client::by_tls : ProxyHeader::Client::in_the_clear;
    }
  }
  return {};
}

constexpr std::size_t ipv4_block = 12;
constexpr std::size_t ipv6_block = 36;
constexpr std::size_t unix_block = 216;

PeerAddress ipv4_at(std::string_view block, std::size_t at, std::size_t port_at) {
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), block.data() + at, bytes.size());
  return PeerAddress::ipv4(bytes, static_cast<std::uint16_t>(number_at(block, port_at)));
}

PeerAddress ipv6_at(std::string_view block, std::size_t at, std::size_t port_at) {
  PeerAddress::Bytes bytes{};
  std::memcpy(bytes.data(), block.data() + at, bytes.size());
  return PeerAddress::ipv6(bytes, static_cast<std::uint16_t>(number_at(block, port_at)));
}

/// What is behind the front of a header; `family` is its byte of family and transport. Returns why the header fails.
std::string_view take_block(std::string_view whole, unsigned family, ProxyHeader& header) {
  const std::string_view block = whole.substr(proxy_header_front);
  constexpr std::string_view too_short = "it is too short for its addresses";
  switch (family) {
    case 0x00:  // unspecified: there are no addresses
      header.values = block;
      break;
    case 0x11:
    case 0x12:
      if (block.size() < ipv4_block) return too_short;
      header.source = ipv4_at(block, 0, 8);
      header.destination = ipv4_at(block, 4, 10);
      header.values = block.substr(ipv4_block);
      break;
    case 0x21:
    case 0x22:
      if (block.size() < ipv6_block) return too_short;
      header.source = ipv6_at(block, 0, 32);
      header.destination = ipv6_at(block, 16, 34);
      header.values = block.substr(ipv6_block);
      break;
    case 0x31:
    case 0x32:
      if (block.size() < unix_block) return too_short;
      header.source = header.destination = PeerAddress::unix_socket();
      header.values = block.substr(unix_block);
      break;
    default: return "it names a family that there is not";
  }
  return take_values(whole, header);
}

ProxyHeaderResult read_version_2(std::string_view bytes, std::size_t most) {
  if (bytes.size() > signature.size()) {
    const unsigned command = byte_at(bytes, signature.size());
    if (command >> 4U != 2) return failed("it has a version that there is not");
    if ((command & 0x0FU) > 1) return failed("it has a command that there is not");
  }
  if (bytes.size() < proxy_header_front) return more();
  const std::size_t size = proxy_header_front + number_at(bytes, 14);
  if (size > most) return failed("it is too long");
  if (bytes.size() < size) return more();
  ProxyHeaderResult result{State::done, size, {}, {}};
  result.header.version = 2;
  if ((byte_at(bytes, signature.size()) & 0x0FU) == 0) {
    result.header.command = ProxyHeader::Command::local;  // the rest is skipped, whatever it is (section 2.2)
    return result;
  }
  const std::string_view fault = take_block(bytes.substr(0, size), byte_at(bytes, 13), result.header);
  return fault.empty() ? result : failed(fault);
}

std::optional<unsigned> type_named(std::string_view name) {
  struct Named {
    std::string_view name;
    Type type;
  };
  static constexpr std::array<Named, 9> names{{{"authority", Type::authority},
                                               {"alpn", Type::alpn},
                                               {"unique_id", Type::unique_id},
                                               {"netns", Type::netns},
                                               {"ssl_version", Type::ssl_version},
                                               {"ssl_cipher", Type::ssl_cipher},
                                               {"ssl_cn", Type::ssl_cn},
                                               {"ssl_sig_alg", Type::ssl_sig_alg},
                                               {"ssl_key_alg", Type::ssl_key_alg}}};
  for (const Named& each : names)
    if (each.name == name) return each.type;
  if (!name.starts_with("0x")) return std::nullopt;
  unsigned type = 0;
  const auto [end, error] = std::from_chars(name.data() + 2, name.data() + name.size(), type, 16);
  if (error != std::errc() || end != name.data() + name.size() || type > 0xFF) return std::nullopt;
  return type;
}

}  // namespace

LooksLikeProxyHeader looks_like_proxy_header(std::string_view bytes) {
  for (const std::string_view begin : {line_begin, signature}) {
    if (bytes.starts_with(begin)) return LooksLikeProxyHeader::yes;
    if (begin.starts_with(bytes)) return LooksLikeProxyHeader::maybe;
  }
  return LooksLikeProxyHeader::no;
}

ProxyHeaderResult read_proxy_header(std::string_view bytes, std::size_t most) {
  switch (looks_like_proxy_header(bytes)) {
    case LooksLikeProxyHeader::no: return failed("there is none");
    case LooksLikeProxyHeader::maybe: return bytes.size() < most ? more() : failed("it is too long");
    case LooksLikeProxyHeader::yes: break;
  }
  return bytes.front() == line_begin.front() ? read_version_1(bytes, most) : read_version_2(bytes, most);
}

std::optional<std::string_view> proxy_value(std::string_view values, std::string_view name) {
  const std::optional<unsigned> type = type_named(name);
  if (!type) return std::nullopt;
  const bool is_part_of_ssl = *type > Type::ssl && *type < Type::netns;
  if (!is_part_of_ssl) return first_of_type(values, *type);
  const auto ssl = first_of_type(values, Type::ssl);
  if (!ssl || ssl->size() < ssl_front) return std::nullopt;
  return first_of_type(ssl->substr(ssl_front), *type);
}

}  // namespace wharf::codec
