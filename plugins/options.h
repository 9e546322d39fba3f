#pragma once
#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "wharf/protocol.hpp"

namespace plugins {

template <class Number = unsigned>
struct Range {
  Number least;
  Number most;
};

/// The value of an option that takes a number. With one that is no number, or out of range, the server does not start, and the log
/// says why.
template <class Number = unsigned>
Number number_option(const wharf::Scope& scope, const char* name, std::type_identity_t<Number> otherwise,
                     std::type_identity_t<Range<Number>> range) {
  const auto text = scope.option(name);
  if (!text) return otherwise;
  Number number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size() && number >= range.least && number <= range.most) return number;
  throw std::invalid_argument("option " + std::string(name) + " is '" + std::string(*text) + "'; it takes a number, " +
                              std::to_string(range.least) + " to " + std::to_string(range.most));
}

}  // namespace plugins
