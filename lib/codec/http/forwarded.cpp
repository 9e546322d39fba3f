#include "codec/http/forwarded.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/http/target.h"

namespace wharf::codec {
namespace {

using base::PeerAddress;

bool is_alphanumeric(char c) { return base::is_digit(c) || (base::lower(c) >= 'a' && base::lower(c) <= 'z'); }

/// All characters other than letters and digits become the same one.
char as_gateways_read(char c) { return is_alphanumeric(c) ? base::lower(c) : '-'; }

bool begins_alike(std::string_view name, std::string_view other) {
  return name.size() >= other.size() && reads_alike(name.substr(0, other.size()), other);
}

/// Goes through the items of a list field, all its lines, from the last to the first.
class ItemsFromTheRight {
 public:
  ItemsFromTheRight(const std::vector<Field>& fields, std::string_view name) : fields_(fields), name_(name), left_(fields.size()) {}

  /// nullopt behind the first. Empty items do not count (RFC 9110 section 5.6.1).
  std::optional<std::string_view> next() {
    for (;;) {
      while (!in_line_) {
        if (left_ == 0) return std::nullopt;
        const Field& field = fields_[--left_];
        in_line_ = base::equal_ignoring_case(field.name, name_);
        line_ = field.value;
      }
      const std::size_t comma = line_.rfind(',');
      const std::string_view item = base::trim(comma == std::string_view::npos ? line_ : line_.substr(comma + 1));
      in_line_ = comma != std::string_view::npos;
      if (in_line_) line_ = line_.substr(0, comma);
      if (!item.empty()) return item;
    }
  }

 private:
  const std::vector<Field>& fields_;
  std::string_view name_;
  std::size_t left_;  // fields that are still to be read
  std::string_view line_;
  bool in_line_ = false;
};

/// The item of the server that many steps away, from 1, if there is one for each server. Many write one item for all: then the
/// farthest.
std::string_view item_at(const std::vector<Field>& fields, std::string_view name, std::size_t steps) {
  ItemsFromTheRight items(fields, name);
  std::string_view found;
  for (std::size_t step = 0; step < steps; ++step) {
    const auto item = items.next();
    if (!item) break;
    found = *item;
  }
  return found;
}

/// Some servers write ws and wss for WebSockets.
std::string_view known_scheme(std::string_view text) {
  if (base::equal_ignoring_case(text, "https") || base::equal_ignoring_case(text, "wss")) return "https";
  if (base::equal_ignoring_case(text, "http") || base::equal_ignoring_case(text, "ws")) return "http";
  return {};
}

/// Empty if it could add a field or a log line.
std::string_view valid_host(std::string_view text) { return split_authority(text) ? text : std::string_view(); }

/// 0 if it is none.
std::uint16_t port_of(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

/// The usual ports are left out: servers behind a front that ends TLS are known to confuse them.
std::string with_port(std::string_view host, std::uint16_t port) {
  const auto parts = split_authority(host);
  if (port == 0 || port == 80 || port == 443 || !parts || !parts->port.empty()) return std::string(host);
  return base::concat(parts->host, ":", port);
}

/// Walks from `peer` over what each server says of the one before it; `next_node()` is nullopt behind the last. Returns the
/// number of servers up to the one that named `client`.
template <class Next>
std::size_t walk(PeerAddress& client, const TrustedFronts& fronts, Next&& next_node) {
  std::size_t steps = 0;
  while (steps < most_trusted_hops) {
    const std::optional<std::string_view> node = next_node();
    if (!node) return std::max<std::size_t>(steps, 1);
    ++steps;
    const PeerAddress address = forwarded_node(*node);
    if (!address.known()) return steps;
    client = address;
    if (!fronts.contain(address)) return steps;
  }
  return steps;
}

Forwarding read_x_forwarded(const RequestHead& head, const PeerAddress& peer, const TrustedFronts& fronts) {
  Forwarding found;
  found.client = peer;
  ItemsFromTheRight chain(head.fields, "X-Forwarded-For");
  const std::size_t steps = walk(found.client, fronts, [&chain] { return chain.next(); });
  found.scheme = known_scheme(item_at(head.fields, "X-Forwarded-Proto", steps));
  const std::string_view host = valid_host(item_at(head.fields, "X-Forwarded-Host", steps));
  found.port = port_of(item_at(head.fields, "X-Forwarded-Port", steps));
  if (!host.empty() || found.port != 0) found.host = with_port(host.empty() ? head.host : host, found.port);
  return found;
}

Forwarding read_forwarded(const RequestHead& head, const PeerAddress& peer, const TrustedFronts& fronts) {
  Forwarding found;
  found.client = peer;
  found.kind = ForwardingFields::forwarded;
  const std::vector<ForwardedElement> elements = parse_forwarded(head.fields);
  std::size_t next = elements.size();
  const std::size_t steps = walk(found.client, fronts, [&]() -> std::optional<std::string_view> {
    return next > 0 ? std::optional<std::string_view>(elements[--next].node) : std::nullopt;
  });
  // The server that named the client knows best which scheme and host it asked for; if it does not say, the next one counts.
  for (std::size_t i = elements.size() - std::min(steps, elements.size()); i < elements.size(); ++i) {
    if (found.scheme.empty()) found.scheme = known_scheme(elements[i].proto);
    if (found.host.empty()) found.host = valid_host(elements[i].host);
  }
  return found;
}

/// Keeps only the last of many elements.
void keep_last(std::vector<ForwardedElement>& elements) {
  if (elements.size() <= most_trusted_hops) return;
  elements.erase(elements.begin(), elements.end() - static_cast<std::ptrdiff_t>(most_trusted_hops));
}

/// The value of one Forwarded field (RFC 7239 section 4).
class ForwardedParser {
 public:
  explicit ForwardedParser(std::string_view text) : rest_(text) {}

  /// False if the text is malformed.
  bool parse(std::vector<ForwardedElement>& elements) {
    for (;;) {
      ForwardedElement element;
      bool has_pair = false;
      if (!take_element(element, has_pair)) return false;
      if (has_pair) {
        if (elements.size() == 2 * most_trusted_hops) keep_last(elements);
        elements.push_back(std::move(element));
      }
      if (rest_.empty()) return true;
      rest_.remove_prefix(1);  // the comma
    }
  }

 private:
  void skip_space() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }

  /// Up to a comma or the end.
  bool take_element(ForwardedElement& element, bool& has_pair) {
    for (;;) {
      skip_space();
      if (rest_.empty() || rest_.front() == ',') return true;
      if (rest_.front() == ';') {
        rest_.remove_prefix(1);
        continue;
      }
      if (!take_pair(element)) return false;
      has_pair = true;
      skip_space();
      if (!rest_.empty() && rest_.front() != ',' && rest_.front() != ';') return false;
    }
  }

  static std::string& member(ForwardedElement& element, std::string_view name, std::string& other) {
    if (base::equal_ignoring_case(name, "for")) return element.node;
    if (base::equal_ignoring_case(name, "proto")) return element.proto;
    return base::equal_ignoring_case(name, "host") ? element.host : other;
  }

  /// An element has each parameter at most once.
  bool take_pair(ForwardedElement& element) {
    std::size_t size = 0;
    while (size < rest_.size() && base::is_token_char(rest_[size])) ++size;
    const std::string_view name = rest_.substr(0, size);
    rest_.remove_prefix(size);
    skip_space();
    if (name.empty() || rest_.empty() || rest_.front() != '=') return false;
    rest_.remove_prefix(1);
    skip_space();
    std::string other;
    std::string& value = member(element, name, other);
    return value.empty() && take_value(value);
  }

  bool take_value(std::string& value) {
    if (!rest_.empty() && rest_.front() == '"') return take_quoted(value);
    const std::size_t end = std::min(rest_.find_first_of(",; \t\""), rest_.size());
    value = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return !value.empty();
  }

  /// RFC 9110 section 5.6.4.
  bool take_quoted(std::string& value) {
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      if (rest_.empty()) return false;
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

bool TrustedFronts::contain(const PeerAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&address](const base::PeerNetwork& network) { return network.contains(address); });
}

Forwarding read_forwarding(const RequestHead& head, const PeerAddress& peer, const TrustedFronts& fronts) {
  const auto has = [&head](std::string_view name) { return head.count(name) != 0; };
  const bool has_x = has("X-Forwarded-For") || has("X-Forwarded-Proto") || has("X-Forwarded-Host") || has("X-Forwarded-Port");
  const bool reads_forwarded =
      fronts.fields() == ForwardingFields::forwarded || (fronts.fields() == ForwardingFields::either && !has_x && has("Forwarded"));
  return reads_forwarded ? read_forwarded(head, peer, fronts) : read_x_forwarded(head, peer, fronts);
}

std::vector<ForwardedElement> parse_forwarded(const std::vector<Field>& fields) {
  std::vector<ForwardedElement> elements;
  for (const Field& field : fields)
    if (base::equal_ignoring_case(field.name, "Forwarded") && !ForwardedParser(field.value).parse(elements)) return {};
  keep_last(elements);
  return elements;
}

PeerAddress forwarded_node(std::string_view text) {
  // An obfuscated port (RFC 7239 section 6.3) says nothing.
  if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos && text.substr(colon + 1).starts_with('_'))
    text = text.substr(0, colon);
  if (text.find('%') != std::string_view::npos) return {};  // an interface of another machine
  const PeerAddress address = PeerAddress::parse(text).value_or(PeerAddress());
  return address.family() == PeerAddress::Family::unix_socket ? PeerAddress() : address;
}

bool reads_alike(std::string_view name, std::string_view other) {
  return std::equal(name.begin(), name.end(), other.begin(), other.end(),
                    [](char a, char b) { return as_gateways_read(a) == as_gateways_read(b); });
}

bool is_oddly_spelt(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) { return !is_alphanumeric(c) && c != '-'; });
}

bool is_forwarding_field(std::string_view name) {
  return reads_alike(name, "Forwarded") || begins_alike(name, "X-Forwarded-") || reads_alike(name, "X-Real-IP");
}

}  // namespace wharf::codec
