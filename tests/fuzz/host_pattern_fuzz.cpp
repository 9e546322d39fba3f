#include "codec/host_pattern.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/promise.h"

// Input: a pattern, a line feed, and a host as a peer may write it.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf::codec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  const std::string_view host = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  const auto pattern = HostPattern::parse(text.substr(0, end));
  if (!pattern) {
    require(!pattern.error().empty() && pattern.error().find('\n') == std::string::npos, "an error is one line");
    return 0;
  }
  const auto again = HostPattern::parse(pattern->text());
  require(again && *again == *pattern, "the text of a pattern is the pattern");
  HostTable<int> table;
  require(table.add(*pattern, 1) && !table.add(*again, 2), "a pattern is taken once");
  const bool matched = pattern->matches(host);
  require((table.find(host) != nullptr) == matched, "a table finds what matches");
  if (!pattern->is_wildcard()) require(pattern->matches(pattern->text() + "."), "a name matches itself");
  if (matched) require(!without_root(host).empty() && host.size() <= text.size(), "nothing matches an empty host");
  if (matched && pattern->is_wildcard()) {
    require(behind_first_label(without_root(host)).size() + 2 == pattern->text().size(), "one label is in front");
    require(!pattern->matches("x." + std::string(host)), "and not two");
  }
  return 0;
}
