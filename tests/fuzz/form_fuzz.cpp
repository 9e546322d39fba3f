#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/promise.h"
#include "wharf/form.hpp"

// Input: a byte for the limit, then a query or the body of a form. What was read can be written and read again; every text can
// be encoded and decoded; and text that is escaped for HTML has no markup in it.

namespace {

using namespace wharf;

bool same(const Parameters& a, const Parameters& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Parameter& x, const Parameter& y) { return x.name == y.name && x.value == y.value; });
}

void check_parameters(std::string_view text, std::size_t limit) {
  const Parameters parameters = parse_parameters(text, {.count = limit});
  require(parameters.size() <= limit, "parameters are counted");
  std::string written;
  std::size_t bytes = 0;
  for (const auto& [name, value] : parameters) {
    bytes += name.size() + value.size();
    require(parameters.find(name).has_value(), "a parameter is found by its name");
    const auto all = parameters.all(name);
    require(all.front() == *parameters.find(name) && std::find(all.begin(), all.end(), value) != all.end(), "and among all");
    written += "&&" + percent_encode(name) + "=" + percent_encode(value);
  }
  require(bytes <= text.size(), "decoding does not lengthen");
  require(same(parse_parameters(written), parameters), "what was read can be written and read again");

  const Parameters whole = parse_parameters(text, {.count = text.size()});
  require(whole.complete() && parameters.complete() == (whole.size() <= limit), "what is missing is said");
  const std::string longer = std::string(text) + "&a=b";
  const Parameters more = parse_parameters(longer, {.count = longer.size()});
  require(more.size() == whole.size() + 1 && !more.all("a").empty() && more.all("a").back() == "b", "neighbours stay");
}

void check_percent(std::string_view text) {
  const std::string encoded = percent_encode(text);
  require(percent_decode(encoded) == text, "every text can be encoded and decoded");
  require(encoded.find_first_of("&=+;/?#\"<> \r\n") == std::string::npos, "nothing reserved is left");
  require(encoded.find('\0') == std::string::npos, "no NUL is left");
  require(percent_decode(text).size() <= text.size(), "decoding does not lengthen");
  if (text.find('%') == std::string_view::npos) require(percent_decode(text) == text, "decoding changes nothing else");
}

void check_html(std::string_view text) {
  const std::string escaped = html_escape(text);
  require(escaped.find_first_of("<>\"'") == std::string::npos, "nothing is left that HTML reads");
  std::string back;
  std::string_view rest = escaped;
  while (!rest.empty()) {
    constexpr std::pair<std::string_view, char> references[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};
    const auto* const found = std::find_if(std::begin(references), std::end(references),
                                           [&](const auto& reference) { return rest.starts_with(reference.first); });
    const bool is_reference = found != std::end(references);
    require(is_reference || rest.front() != '&', "every '&' begins a reference");
    back += is_reference ? found->second : rest.front();
    rest.remove_prefix(is_reference ? found->first.size() : 1);
  }
  require(back == text, "what is escaped reads as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_parameters(text, data[0]);
  check_percent(text);
  check_html(text);
  return 0;
}
