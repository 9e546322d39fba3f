#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "base/result.h"

namespace wharf::codec {

/// Orders names; the case of ASCII letters does not matter.
struct CaselessOrder {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): the name that std::map looks for
  bool operator()(std::string_view a, std::string_view b) const;
};

/// Which hosts are meant: those of one name, or, as in `*.example.com`, all that have exactly one label more in front. Case does not
/// matter, nor does a dot at the end, which names of the DNS may have. It is for Host (RFC 9110 section 7.2) and for the name in a
/// TLS handshake (RFC 6066 section 3) alike.
class HostPattern {
 public:
  static constexpr std::size_t longest_name = 253;  ///< RFC 1035 section 2.3.4, without the root
  static constexpr std::size_t longest_label = 63;

  /// A name of letters, digits, '-' and '_' with dots between its labels, an IPv4 address, an IPv6 address in brackets, or `*.` and
  /// such a name. The error is one line.
  static base::Result<HostPattern, std::string> parse(std::string_view text);

  [[nodiscard]] bool matches(std::string_view host) const;
  [[nodiscard]] bool is_wildcard() const { return text_.starts_with("*."); }
  /// In lower case, and without a dot at the end.
  [[nodiscard]] const std::string& text() const { return text_; }

  friend bool operator==(const HostPattern& a, const HostPattern& b) { return a.text_ == b.text_; }

 private:
  explicit HostPattern(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

/// A name without the dot that stands for the root of the DNS.
constexpr std::string_view without_root(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

/// What is behind the first label and its dot; null data if there is no label, or nothing behind it.
constexpr std::string_view behind_first_label(std::string_view host) {
  const std::size_t dot = host.find('.');
  return dot == std::string_view::npos || dot == 0 || dot + 1 == host.size() ? std::string_view() : host.substr(dot + 1);
}

/// Values by pattern. An exact name goes before a wildcard.
template <class Value>
class HostTable {
 public:
  /// False, and nothing is added, if the pattern is there already.
  bool add(const HostPattern& pattern, Value value) {
    const std::string_view text = pattern.text();
    return pattern.is_wildcard() ? wildcards_.emplace(text.substr(2), std::move(value)).second
                                 : exact_.emplace(text, std::move(value)).second;
  }

  /// The value for a host, which comes from a peer and may be any text; nullptr: no pattern matches.
  [[nodiscard]] const Value* find(std::string_view host) const {
    host = without_root(host);
    if (const auto found = exact_.find(host); found != exact_.end()) return &found->second;
    if (wildcards_.empty()) return nullptr;
    const auto found = wildcards_.find(behind_first_label(host));
    return found != wildcards_.end() ? &found->second : nullptr;
  }

  [[nodiscard]] bool empty() const { return exact_.empty() && wildcards_.empty(); }
  [[nodiscard]] std::size_t size() const { return exact_.size() + wildcards_.size(); }

 private:
  std::map<std::string, Value, CaselessOrder> exact_;
  std::map<std::string, Value, CaselessOrder> wildcards_;  // by what is behind the `*.`
};

}  // namespace wharf::codec
