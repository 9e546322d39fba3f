#include "server/life/passed_sockets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <system_error>

#include "base/ascii.h"
#include "base/log.h"

namespace wharf::server {
namespace {

constexpr std::array<std::string_view, 3> kinds = {"own", "lent", "ready"};
constexpr std::string_view digits = "0123456789ABCDEF";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._:/@[]").find(c) != std::string_view::npos;
}

std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain(c)) out += c;
    else ((out += '%') += digits[byte >> 4U]) += digits[byte & 15U];
  }
  return out;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_plain(text[i])) {
      out += text[i];
      continue;
    }
    if (text[i] != '%' || text.size() - i < 3) return std::nullopt;
    const std::size_t high = digits.find(text[i + 1]);
    const std::size_t low = digits.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// What is before the separator, which is removed with it; all if there is none.
std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return value;
}

std::optional<PassedDescriptor> read_item(std::string_view item) {
  static constexpr std::ptrdiff_t separators = 4;
  if (std::count(item.begin(), item.end(), ';') != separators) return std::nullopt;
  const auto number = number_of<int>(cut(item, ';'));
  const auto inode = number_of<std::uint64_t>(cut(item, ';'));
  const std::string_view kind = cut(item, ';');
  const auto address = decoded(cut(item, ';'));
  const auto name = decoded(item);
  if (!number || !inode || !address || !name) return std::nullopt;
  for (std::size_t i = 0; i < kinds.size(); ++i)
    if (kinds.at(i) == kind) return PassedDescriptor{*number, *inode, static_cast<PassedDescriptor::Kind>(i), *address, *name};
  return std::nullopt;
}

}  // namespace

std::string write_passed(const std::vector<PassedDescriptor>& all) {
  std::string text;
  for (const PassedDescriptor& each : all)
    text += base::concat(text.empty() ? "" : ",", each.number, ";", each.inode, ";", kinds.at(static_cast<std::size_t>(each.kind)),
                         ";", encoded(each.address), ";", encoded(each.name));
  return text;
}

std::optional<std::vector<PassedDescriptor>> read_passed(std::string_view text) {
  std::vector<PassedDescriptor> all;
  if (text.ends_with(',')) return std::nullopt;
  while (!text.empty()) {
    auto item = read_item(cut(text, ','));
    if (!item || all.size() == most_passed) return std::nullopt;
    const auto is_same = [&item](const PassedDescriptor& other) { return other.number == item->number; };
    if (std::any_of(all.begin(), all.end(), is_same)) return std::nullopt;  // each has one owner, who closes it
    all.push_back(std::move(*item));
  }
  return all;
}

}  // namespace wharf::server
