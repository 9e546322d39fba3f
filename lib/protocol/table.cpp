#include "protocol/table.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/ascii.h"
#include "base/log.h"
#include "protocol/services.h"
#include "wharf/options.hpp"

namespace wharf::server {
namespace {

/// A row of this version: fields that an older header did not have are zero.
wharf_row complete(const wharf_row& row) {
  wharf_row whole{};
  std::memcpy(&whole, &row, std::min(row.size, sizeof whole));
  whole.size = sizeof whole;
  return whole;
}

/// Zero, which means the default, or within the range.
Error check_value(std::string_view whose, std::string_view field, std::int64_t value, const options::Range& range) {
  if (range.has(value)) return {};
  return {base::concat(whose, ": ", field, " is ", value, "; it is ", range.least, " to ", range.most, ", or 0 for the default")};
}

constexpr const options::Range& range_of(std::string_view name) { return options::find(options::of_compression, name)->range; }

Error check_http(const wharf_row& row) {
  if (row.http == nullptr) return {};
  constexpr std::size_t least = offsetof(wharf_http_row, destroy) + sizeof row.http->destroy;
  const std::string whose = base::concat("protocol '", row.name, "'");
  if (row.http->size < least) return {whose + ": its http row has a size that no version of wharf knows"};
  if (row.http->request == nullptr) return {whose + " has an http row without a request callback"};
  return {};
}

Error check_raw(const wharf_row& row) {
  constexpr std::size_t least = offsetof(wharf_raw, destroy) + sizeof row.raw->destroy;
  if (row.raw == nullptr || row.raw->size >= least) return {};
  return {base::concat("protocol '", row.name, "': its raw row has a size that no version of wharf knows")};
}

Error check_values(const wharf_row& row) {
  const std::string whose = base::concat("protocol '", row.name, "'");
  if (row.message != nullptr && row.fragment != nullptr)
    return {whose + " has both message and fragment; a row takes whole messages or pieces"};
  if (Error error = check_value(whose, "compression", row.compression, range_of("context"))) return error;
  if (Error error = check_value(whose, "compression_window_bits", row.compression_window_bits, range_of("window_bits")))
    return error;
  if (Error error = check_value(whose, "compression_memory_level", row.compression_memory_level, range_of("memory_level")))
    return error;
  if (Error error = check_value(whose, "compression_level", row.compression_level, range_of("level"))) return error;
  if (Error error = check_value(whose, "compress_messages", row.compress_messages, range_of("messages"))) return error;
  if (Error error = check_raw(row)) return error;
  return check_http(row);
}

/// Whether a WebSocket client can choose it.
bool converses(const wharf_row& row) {
  const bool other = row.http != nullptr || row.raw != nullptr;
  return !other || row.message != nullptr || row.fragment != nullptr || row.open != nullptr;
}

bool is_mounted(const VirtualHost& host, std::string_view name) {
  return std::any_of(host.mounts.begin(), host.mounts.end(), [name](const Mount& mount) {
    const auto* requests = std::get_if<Requests>(&mount.serves);
    return requests != nullptr && requests->protocol == name;
  });
}

constexpr int or_default(std::uint32_t value, int fallback) { return value != 0 ? static_cast<int>(value) : fallback; }

/// What the row says about compression, or the server, if the row says nothing.
void choose_compression(session::Protocol& protocol, const Compression& server) {
  const wharf_row& row = protocol.row;
  auto context = static_cast<Compression::Context>(row.compression);
  if (context == Compression::Context::standard) context = server.context;
  if (context == Compression::Context::off) return;
  codec::DeflateWish wish;
  using Wanted = codec::DeflateWish::Context;
  wish.context = context == Compression::Context::dedicated ? Wanted::dedicated : Wanted::shared;
  wish.window_bits = or_default(row.compression_window_bits, or_default(server.window_bits, wish.window_bits));
  protocol.deflate_wish = wish;
  codec::DeflateSettings& settings = protocol.deflate_settings;
  settings.pool = &protocol.home.deflate;
  settings.tuning.level = or_default(row.compression_level, or_default(server.level, settings.tuning.level));
  settings.tuning.memory_level =
      or_default(row.compression_memory_level, or_default(server.memory_level, settings.tuning.memory_level));
  settings.from = wish.context == Wanted::dedicated ? StandardCompression{}.from_dedicated : StandardCompression{}.from_shared;
  if (server.compress_from != 0) settings.from = server.compress_from;
  if (row.compress_from != 0) settings.from = row.compress_from;
  auto messages = static_cast<Compression::Messages>(row.compress_messages);
  if (messages == Compression::Messages::standard) messages = server.messages;
  if (messages == Compression::Messages::all) settings.choice = codec::DeflateChoice::all;
}

}  // namespace

Error check_compression(const Compression& server) {
  for (const auto& option : options::of_compression)
    if (!options::is_in_range(option, server))
      return check_value("ServerOptions::compression", option.name, *options::number_of(option, server), option.range);
  return {};
}

const wharf_row* RowList::find(std::string_view name) const {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [name](const wharf_row& row) { return name == row.name; });
  return found != rows_.end() ? &*found : nullptr;
}

Error RowList::check(const wharf_row& row) const {
  constexpr std::size_t least = offsetof(wharf_row, destroy) + sizeof row.destroy;  // all members behind it may be missing
  if (row.size < least) return {"a protocol row says it has " + std::to_string(row.size) + " bytes; set size to sizeof(wharf_row)"};
  if (row.name == nullptr) return {"a protocol row has no name"};
  const std::string_view name = row.name;
  if (!name.empty() && !base::is_token(name))
    return {"protocol name '" + std::string(name) + "' is not a token: use letters, digits and -._"};
  if (base::equal_ignoring_case(name, "http")) return {"protocol name 'http' is reserved: HTTP is protocol zero"};
  if (find(name) != nullptr) return {"protocol '" + std::string(name) + "' is already in the table"};
  return {};
}

Error RowList::add(const wharf_row& row) {
  if (Error error = check(row)) return error;
  const wharf_row whole = complete(row);
  if (Error error = check_values(whole)) return error;
  rows_.push_back(whole);
  return {};
}

Error RowList::add(std::span<const wharf_row* const> rows) {
  const std::size_t before = rows_.size();
  for (const wharf_row* row : rows) {
    if (Error error = row != nullptr ? add(*row) : Error{"a protocol row is missing"}) {
      rows_.resize(before);
      return error;
    }
  }
  return {};
}

base::Result<std::unique_ptr<ProtocolTable>, Error> ProtocolTable::start(const RowList& rows, const VirtualHost& host,
                                                                         const session::WsLimits& limits, session::Home& home) {
  std::unique_ptr<ProtocolTable> table(new ProtocolTable(host.name));
  for (const wharf_row& row : rows.rows()) {
    const bool listed =
        host.protocols.empty() || std::find(host.protocols.begin(), host.protocols.end(), row.name) != host.protocols.end();
    if (!listed && host.default_protocol != row.name && !is_mounted(host, row.name)) continue;
    if (Error error = table->start_row(row, host, limits, home)) return base::Failure{std::move(error)};
    session::Protocol& started = *table->protocols_.back();
    if (home.counts != nullptr) started.counts = &home.counts->rows[static_cast<std::size_t>(&row - rows.rows().data())];
    if (listed && *row.name != '\0' && converses(row)) table->selectable_.push_back(&started);
  }
  table->default_ = table->find(host.default_protocol);
  if (table->default_ != nullptr && !converses(table->default_->row)) table->default_ = nullptr;
  return table;
}

Error ProtocolTable::start_row(const wharf_row& row, const VirtualHost& host, const session::WsLimits& limits,
                               session::Home& home) {
  auto protocol = std::make_unique<session::Protocol>(session::service_table(), home);
  protocol->row = row;
  if (row.http != nullptr) std::memcpy(&protocol->http, row.http, std::min(row.http->size, sizeof protocol->http));
  if (row.raw != nullptr) std::memcpy(&protocol->raw, row.raw, std::min(row.raw->size, sizeof protocol->raw));
  protocol->limits = limits;
  protocol->guests = &guests_;
  protocol->host = host_;
  choose_compression(*protocol, limits.compression);
  if (const auto found = host.options.find(row.name); found != host.options.end()) protocol->options = found->second;
  auto shared = std::make_unique<char[]>(std::max<std::size_t>(row.shared_state_size, 1));
  if (row.start != nullptr && row.start(shared.get(), protocol.get()) != 0)
    return {"protocol '" + std::string(row.name) + "' could not start; the log says why"};
  protocol->shared = shared.get();
  shared_states_.push_back(std::move(shared));
  protocols_.push_back(std::move(protocol));
  return {};
}

ProtocolTable::~ProtocolTable() {
  for (auto protocol = protocols_.rbegin(); protocol != protocols_.rend(); ++protocol)
    if ((*protocol)->row.stop != nullptr) (*protocol)->row.stop((*protocol)->shared);
}

session::Protocol* ProtocolTable::find(std::string_view name) const {
  for (const auto& protocol : protocols_)
    if (name == protocol->row.name) return protocol.get();
  return nullptr;
}

session::Protocol* ProtocolTable::select(std::span<const std::string_view> offered) const {
  if (offered.empty()) return default_;
  for (const std::string_view name : offered)
    for (session::Protocol* protocol : selectable_)
      if (name == protocol->row.name) return protocol;
  return nullptr;
}

std::string ProtocolTable::names() const {
  std::string names;
  for (const session::Protocol* protocol : selectable_) names += (names.empty() ? "" : ", ") + std::string(protocol->row.name);
  return names.empty() ? "none" : names;
}

}  // namespace wharf::server
