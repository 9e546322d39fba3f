#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/ws/extension.h"
#include "wharf/websocket.hpp"

// What the two sides of the public handshake have in common.
namespace wharf::websocket::parts {

/// Whether all are tokens, and distinct.
bool are_protocols(std::vector<std::string_view> names);
bool are_protocols(const std::vector<std::string>& names);
/// The elements of a comma-separated list.
std::vector<std::string_view> split_list(std::string_view value);
bool has_item(std::string_view list, std::string_view item);

/// bad_field or reserved_field.
Error check_fields(const Fields& fields);
/// bad_compression.
Error check_numbers(const Compression& wish);

/// Bytes that a stream needs to inflate with such a window, besides the message.
std::uint64_t inflating_memory(int window_bits);
/// nullopt if it is off, or a client's memory is not enough for the smallest window; 0: no limit.
std::optional<codec::DeflateWish> deflate_wish(const Compression& wish, std::uint64_t memory_limit = 0);
Agreement agreement_of(const codec::DeflateAgreement& agreed, const Compression& wish);

template <class ParsedFields>
Fields copy_fields(const ParsedFields& parsed) {
  Fields fields;
  fields.reserve(parsed.size());
  for (const auto& field : parsed) fields.emplace_back(field.name, field.value);
  return fields;
}

}  // namespace wharf::websocket::parts
