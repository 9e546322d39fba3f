#include "codec/host_pattern.h"

#include <algorithm>

#include "base/log.h"

namespace wharf::codec {
namespace {

bool is_name_char(char c) { return (base::lower(c) >= 'a' && base::lower(c) <= 'z') || base::is_digit(c) || c == '-' || c == '_'; }

/// An empty text, or what is wrong with a name.
std::string fault_of_name(std::string_view name) {
  if (name.size() > HostPattern::longest_name) return base::concat("is longer than ", HostPattern::longest_name, " characters");
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view label = name.substr(begin, end - begin);
    if (label.empty()) return "has an empty label";
    if (label.size() > HostPattern::longest_label)
      return base::concat("has a label of more than ", HostPattern::longest_label, " characters");
    if (label.find('*') != std::string_view::npos) return "has a '*' that is not the whole first label, as in '*.example.com'";
    for (const char c : label) {
      if (static_cast<unsigned char>(c) >= 0x80) return "is not ASCII; write it as its DNS entry is written, with xn--";
      if (!is_name_char(c))
        return base::concat("has the character '", std::string_view(&c, 1), "'; a host has no port, scheme or path");
    }
    begin = end + 1;
  }
  return {};
}

bool is_bracketed_address(std::string_view text) {
  constexpr std::string_view usual = "0123456789abcdefABCDEF:.";
  if (text.size() < 4 || !text.starts_with('[') || !text.ends_with(']')) return false;
  const std::string_view inner = text.substr(1, text.size() - 2);
  return inner.find(':') != std::string_view::npos && inner.find_first_not_of(usual) == std::string_view::npos;
}

}  // namespace

bool CaselessOrder::operator()(std::string_view a, std::string_view b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char left, char right) {
    return static_cast<unsigned char>(base::lower(left)) < static_cast<unsigned char>(base::lower(right));
  });
}

base::Result<HostPattern, std::string> HostPattern::parse(std::string_view text) {
  const std::string_view name = without_root(text);
  const bool wildcard = name.starts_with("*.");
  if (wildcard || !is_bracketed_address(name)) {
    if (text.empty()) return base::Failure{std::string("a host needs a name")};
    if (std::string fault = fault_of_name(wildcard ? name.substr(2) : name); !fault.empty())
      return base::Failure{base::concat("the host '", base::printable(text), "' ", fault)};
  }
  std::string lowered(name);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), base::lower);
  return HostPattern(std::move(lowered));
}

bool HostPattern::matches(std::string_view host) const {
  host = without_root(host);
  if (!is_wildcard()) return base::equal_ignoring_case(host, text_);
  return base::equal_ignoring_case(behind_first_label(host), std::string_view(text_).substr(2));
}

}  // namespace wharf::codec
