#include "websocket/parts.h"

#include <algorithm>
#include <iterator>

#include "base/ascii.h"
#include "codec/deflate_pool.h"
#include "wharf/limits.hpp"

namespace wharf::websocket::parts {
namespace {

constexpr int least_window_bits = 8;
constexpr int most_window_bits = 15;
constexpr StandardCompression standard;

unsigned number_or(unsigned number, unsigned otherwise) { return number != 0 ? number : otherwise; }

bool is_reserved(std::string_view name) {
  constexpr std::string_view prefix = "Sec-WebSocket-";
  constexpr std::string_view reserved[] = {"Host", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding"};
  return base::equal_ignoring_case(name.substr(0, prefix.size()), prefix) ||
         std::any_of(std::begin(reserved), std::end(reserved), [name](auto each) { return base::equal_ignoring_case(name, each); });
}

}  // namespace

bool are_protocols(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  return std::all_of(names.begin(), names.end(), base::is_token) && std::adjacent_find(names.begin(), names.end()) == names.end();
}

bool are_protocols(const std::vector<std::string>& names) {
  return are_protocols(std::vector<std::string_view>(names.begin(), names.end()));
}

std::vector<std::string_view> split_list(std::string_view value) {
  std::vector<std::string_view> items;
  base::for_each_list_item(value, [&items](std::string_view item) { items.push_back(item); });
  return items;
}

bool has_item(std::string_view list, std::string_view item) {
  const auto items = split_list(list);
  return std::any_of(items.begin(), items.end(), [item](auto each) { return base::equal_ignoring_case(each, item); });
}

Error check_fields(const Fields& fields) {
  for (const auto& [name, value] : fields) {
    if (!base::is_token(name) || !base::is_field_value(value)) return Error::bad_field;
    if (is_reserved(name)) return Error::reserved_field;
  }
  return Error::none;
}

Error check_numbers(const Compression& wish) {
  const unsigned bits = number_or(wish.window_bits, standard.window_bits);
  return bits >= least_window_bits && bits <= most_window_bits && wish.memory_level <= 9 && wish.level <= 9
             ? Error::none
             : Error::bad_compression;
}

std::uint64_t inflating_memory(int window_bits) { return codec::DeflatePool::room_size + codec::Inflater::memory(window_bits); }

std::optional<codec::DeflateWish> deflate_wish(const Compression& wish, std::uint64_t memory_limit) {
  using Context = codec::DeflateWish::Context;
  int largest = most_window_bits;
  while (memory_limit != 0 && largest >= least_window_bits && inflating_memory(largest) >= memory_limit) --largest;
  if (wish.context == Compression::Context::off || largest < least_window_bits) return std::nullopt;
  const bool is_dedicated = wish.context == Compression::Context::dedicated;
  return codec::DeflateWish{is_dedicated ? Context::dedicated : Context::shared,
                            static_cast<int>(number_or(wish.window_bits, standard.window_bits)), largest};
}

Agreement agreement_of(const codec::DeflateAgreement& agreed, const Compression& wish) {
  Agreement agreement;
  agreement.compressed = true;
  agreement.server_keeps_context = !agreed.server_no_context_takeover;
  agreement.client_keeps_context = !agreed.client_no_context_takeover;
  agreement.server_window_bits = static_cast<unsigned>(agreed.server_max_window_bits);
  agreement.client_window_bits = static_cast<unsigned>(agreed.client_max_window_bits);
  agreement.memory_level = number_or(wish.memory_level, standard.memory_level);
  agreement.level = number_or(wish.level, standard.level);
  const bool is_dedicated = wish.context == Compression::Context::dedicated;
  const std::uint64_t standard_from = is_dedicated ? standard.from_dedicated : standard.from_shared;
  agreement.compress_from = wish.compress_from != 0 ? wish.compress_from : standard_from;
  agreement.compress_all = agreed.reads_compressed_only || wish.messages == Compression::Messages::all;
  return agreement;
}

}  // namespace wharf::websocket::parts
