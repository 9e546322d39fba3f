#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "protocol/protocol.h"
#include "wharf/abi.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// An error if a server cannot compress like that.
Error check_compression(const Compression& server);

/// All rows of a server, in the order in which they were added.
class RowList {
 public:
  Error add(const wharf_row& row);
  /// All or none.
  Error add(std::span<const wharf_row* const> rows);
  [[nodiscard]] const std::vector<wharf_row>& rows() const { return rows_; }
  [[nodiscard]] const wharf_row* find(std::string_view name) const;

 private:
  [[nodiscard]] Error check(const wharf_row& row) const;

  std::vector<wharf_row> rows_;
};

/// The protocol table of one virtual host on one loop: its rows with their shared state there.
class ProtocolTable {
 public:
  /// Starts each row. On failure, the rows that were started are stopped again, and the error names the row.
  static base::Result<std::unique_ptr<ProtocolTable>, Error> start(const RowList& rows, const VirtualHost& host,
                                                                   const session::WsLimits& limits, session::Home& home);
  ~ProtocolTable();
  ProtocolTable(const ProtocolTable&) = delete;
  ProtocolTable& operator=(const ProtocolTable&) = delete;

  /// RFC 6455 section 4.2.2: the first name that the client offers and the table has; if it offers none, the default row, or else
  /// the row with the empty name. nullptr: refuse.
  [[nodiscard]] session::Protocol* select(std::span<const std::string_view> offered) const;
  /// The row of that name, even if clients cannot select it.
  [[nodiscard]] session::Protocol* find(std::string_view name) const;
  /// All who use the table or anything else of its host. The table lives until there are none.
  [[nodiscard]] session::Guests& guests() { return guests_; }
  /// The names that can be selected, with commas.
  [[nodiscard]] std::string names() const;

 private:
  explicit ProtocolTable(std::string host) : host_(std::move(host)) {}
  Error start_row(const wharf_row& row, const VirtualHost& host, const session::WsLimits& limits, session::Home& home);

  const std::string host_;
  session::Guests guests_;
  std::vector<std::unique_ptr<session::Protocol>> protocols_;
  std::vector<session::Protocol*> selectable_;
  std::vector<std::unique_ptr<char[]>> shared_states_;
  session::Protocol* default_ = nullptr;
};

}  // namespace wharf::server
