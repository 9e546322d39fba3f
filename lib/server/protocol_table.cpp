#include "server/protocol_table.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/ascii.h"
#include "session/services.h"

namespace wharf::server {
namespace {

/// A row as this version knows it: fields that an older header did not have are zero.
wharf_row complete(const wharf_row& row) {
  wharf_row whole{};
  std::memcpy(&whole, &row, std::min(row.size, sizeof whole));
  whole.size = sizeof whole;
  return whole;
}

}  // namespace

const wharf_row* RowList::find(std::string_view name) const {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [name](const wharf_row& row) { return name == row.name; });
  return found != rows_.end() ? &*found : nullptr;
}

Error RowList::check(const wharf_row& row) const {
  constexpr std::size_t least = offsetof(wharf_row, destroy) + sizeof row.destroy;  // the row of ABI 1.0
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
  rows_.push_back(complete(row));
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
  std::unique_ptr<ProtocolTable> table(new ProtocolTable);
  for (const wharf_row& row : rows.rows()) {
    const bool listed =
        host.protocols.empty() || std::find(host.protocols.begin(), host.protocols.end(), row.name) != host.protocols.end();
    if (!listed && host.default_protocol != row.name) continue;
    if (Error error = table->start_row(row, host, limits, home)) return base::Failure{std::move(error)};
    if (listed && *row.name != '\0') table->selectable_.push_back(table->protocols_.back().get());
  }
  table->default_ = table->find(host.default_protocol);
  return table;
}

Error ProtocolTable::start_row(const wharf_row& row, const VirtualHost& host, const session::WsLimits& limits,
                               session::Home& home) {
  auto protocol = std::make_unique<session::Protocol>(session::service_table(), home);
  protocol->row = row;
  protocol->limits = limits;
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
