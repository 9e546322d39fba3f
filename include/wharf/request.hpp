#pragma once
/// What all handlers of Wharf share: kinds, flow, levels, the scope that a row serves in, and the request that begins everything.
/// protocol.hpp and http.hpp include it.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "wharf/abi.h"
#include "wharf/hidden.hpp"

namespace WHARF_HIDDEN wharf {

/// What a message is (RFC 6455 section 5.6).
enum class Kind { text = WHARF_TEXT, binary = WHARF_BINARY };

/// The place of a piece in its message.
enum class Part { next = WHARF_NEXT, first = WHARF_FIRST, last = WHARF_LAST, whole = WHARF_WHOLE };
constexpr bool is_first(Part part) { return (static_cast<int>(part) & WHARF_FIRST) != 0; }
constexpr bool is_last(Part part) { return (static_cast<int>(part) & WHARF_LAST) != 0; }

/// The outcome of a call that sends: go on; more is queued than the high-water mark (accepted all the same; `drained` follows); or
/// the conversation is over and nothing was accepted.
enum class Flow { go = WHARF_GO, hold = WHARF_HOLD, closed = WHARF_CLOSED };

enum class Level { error = WHARF_ERROR, warn = WHARF_WARN, info = WHARF_INFO, debug = WHARF_DEBUG };

/// What became of TLS with clients on all loops, since the start.
struct TlsStatistics {
  std::uint64_t handshakes;   ///< finished
  std::uint64_t version_1_2;  ///< of these: TLS 1.2
  std::uint64_t resumed;      ///< of these: with a session of before
  std::uint64_t failed;       ///< handshakes that were not finished: refused, broken off or too late
  std::uint64_t cut;          ///< connections cut after the handshake, because what came was no TLS, or a flood
};

/// What was refused on all loops, since the start.
struct RefusalStatistics {
  std::uint64_t connections;    ///< by a limit of their address
  std::uint64_t proxy_headers;  ///< connections, by reason of a PROXY header
  std::uint64_t openings;       ///< connections that showed no protocol in time
  std::uint64_t requests;       ///< with 429 or 503, by a limit of requests or of their virtual host
};

/// What the server is doing on all its loops, for pages that show it. The loops go on counting meanwhile.
struct ServerStatistics {
  std::uint64_t connections;  ///< open now, of whatever kind
  std::uint64_t accepted;     ///< connections since the start
  std::uint64_t exchanges;    ///< requests handled since the start
  std::chrono::milliseconds uptime;
  std::size_t rows;  ///< of the protocol table
  TlsStatistics tls;
  RefusalStatistics refused;
};

/// What one row is doing, on all virtual hosts and loops.
struct RowStatistics {
  std::string_view name;    ///< valid as long as the server
  std::uint64_t open;       ///< conversations, now
  std::uint64_t opened;     ///< conversations since the start
  std::uint64_t exchanges;  ///< requests handled since the start
};

/// Where a protocol serves: one row on one virtual host and one loop. A small value, valid as long as the shared state or a peer
/// lives.
class Scope {
 public:
  explicit Scope(wharf_scope* scope) : scope_(scope) {}

  /// The value that the virtual host gives to an option of this protocol.
  [[nodiscard]] std::optional<std::string_view> option(const char* name) const {
    const char* value = scope_->services->option(scope_, name);
    return value != nullptr ? std::optional<std::string_view>(value) : std::nullopt;
  }
  /// The name of the virtual host, as it was given; empty: the one for all other names.
  [[nodiscard]] std::string_view host() const {
    const wharf_text name = scope_->services->virtual_host(scope_);
    return {name.data, name.size};
  }
  /// One line in the server's log.
  void log(Level level, std::string_view text) const {
    scope_->services->log(scope_, static_cast<wharf_level>(level), text.data(), text.size());
  }
  /// The loop's monotonic clock, which tests drive.
  [[nodiscard]] std::chrono::milliseconds now() const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(scope_->services->now(scope_)));
  }

  [[nodiscard]] ServerStatistics server_statistics() const {
    wharf_server_statistics counts{};
    counts.size = sizeof counts;
    scope_->services->http->server_statistics(scope_, &counts);
    return {counts.connections,
            counts.accepted,
            counts.exchanges,
            std::chrono::milliseconds(static_cast<std::int64_t>(counts.uptime)),
            static_cast<std::size_t>(counts.rows),
            {counts.tls_handshakes, counts.tls_1_2, counts.tls_resumed, counts.tls_failed, counts.tls_cut},
            {counts.connections_refused, counts.proxy_refused, counts.openings_refused, counts.requests_refused}};
  }
  /// Row number `index` of the protocol table, from 0; nothing behind the last.
  [[nodiscard]] std::optional<RowStatistics> row_statistics(std::size_t index) const {
    wharf_row_statistics counts{};
    counts.size = sizeof counts;
    if (scope_->services->http->row_statistics(scope_, index, &counts) != 0) return std::nullopt;
    return RowStatistics{{counts.name.data, counts.name.size}, counts.open, counts.opened, counts.exchanges};
  }

 private:
  wharf_scope* scope_;
};

/// A field of a request. The name is in the sender's case.
struct Field {
  std::string_view name;
  std::string_view value;
};

enum class AddressFamily : std::uint8_t { unknown, ipv4, ipv6, unix_socket };

/// The other end of a connection. An IPv4 client of an IPv6 socket is IPv4.
struct PeerAddress {
  AddressFamily family = AddressFamily::unknown;
  std::string_view host;                 ///< 203.0.113.7, 2001:db8::1, fe80::1%eth0, unix:; empty if nothing is known
  std::uint16_t port = 0;                ///< 0: not known
  std::uint32_t scope = 0;               ///< the index of a network interface, if an IPv6 address is valid only there
  std::array<std::uint8_t, 16> bytes{};  ///< in network byte order; IPv4 uses the first four
};

/// A request that asks for a conversation, or for a response. Valid, with every view taken from it, during the call that it is
/// handed to.
class Request {
 public:
  explicit Request(const wharf_request* request) : request_(request) {}

  /// Not percent-decoded.
  [[nodiscard]] std::string_view path() const { return view(request_->services->path(request_)); }
  /// Without '?', not percent-decoded.
  [[nodiscard]] std::string_view query() const { return view(request_->services->query(request_)); }
  /// The first field of that name, ignoring case.
  [[nodiscard]] std::optional<std::string_view> field(const char* name) const {
    return known(request_->services->field(request_, name));
  }
  /// The client, like 127.0.0.1:4711 or [::1]:4711: the other end of the connection, or, if that is a trusted front
  /// (ServerOptions::fronts), the client that it names. Without a port if that is not known.
  [[nodiscard]] std::string_view address() const { return view(request_->services->address(request_)); }
  /// The same in parts.
  [[nodiscard]] PeerAddress peer() const {
    wharf_address found{};
    found.size = sizeof found;
    if (request_->services->peer_address(request_, &found) != 0) return {};
    PeerAddress peer{
        static_cast<AddressFamily>(found.family), view(found.host), static_cast<std::uint16_t>(found.port), found.scope, {}};
    std::copy(std::begin(found.bytes), std::end(found.bytes), peer.bytes.begin());
    return peer;
  }
  /// "https" if the request came by TLS, or if a trusted front or its PROXY header says that it came so to that one; else "http".
  [[nodiscard]] std::string_view scheme() const { return view(request_->services->scheme(request_)); }
  [[nodiscard]] bool is_secure() const { return scheme() == "https"; }
  /// The host that is asked for, with its port if that is not the usual one: from a trusted front, else from Host.
  [[nodiscard]] std::string_view host() const { return view(request_->services->host(request_)); }

  [[nodiscard]] std::string_view method() const { return view(request_->services->http->method(request_)); }
  /// As sent: path and query, or an absolute URL.
  [[nodiscard]] std::string_view target() const { return view(request_->services->http->target(request_)); }
  /// HTTP/1.0 or HTTP/1.1.
  [[nodiscard]] std::string_view version() const { return view(request_->services->http->version(request_)); }
  /// Of its body, in bytes, 0 if there is none; nothing if that is not known before the body has come.
  [[nodiscard]] std::optional<std::uint64_t> body_length() const {
    const std::uint64_t length = request_->services->http->body_length(request_);
    return length != WHARF_UNKNOWN_LENGTH ? std::optional<std::uint64_t>(length) : std::nullopt;
  }
  /// The path, percent-decoded once; nothing if an escape is broken. Its bytes are the client's: check them before you use them as
  /// a file name.
  [[nodiscard]] std::optional<std::string_view> decoded_path() const {
    return known(request_->services->http->decoded_path(request_));
  }
  /// The part of the decoded path behind the mount's prefix, with a '/' before it.
  [[nodiscard]] std::string_view path_below_mount() const { return view(request_->services->http->path_below_mount(request_)); }
  /// Field number `index`, from 0, in the order sent; nothing behind the last.
  [[nodiscard]] std::optional<Field> field_at(std::size_t index) const {
    const wharf_field field = request_->services->http->field_at(request_, index);
    return field.name.data != nullptr ? std::optional<Field>({view(field.name), view(field.value)}) : std::nullopt;
  }
  /// A fact of the TLS connection: "version", "cipher", "server_name", "alpn", "resumed" (yes or no), and of a client's certificate
  /// that was checked "client_subject" and "client_fingerprint" (SHA-256 in hexadecimal digits). Nothing without TLS.
  [[nodiscard]] std::optional<std::string_view> tls(const char* fact) const {
    return known(request_->services->http->tls(request_, fact));
  }
  /// What a balancer says in its header of the PROXY protocol (Door::proxy_header_from): "version" of the header, "destination" (the
  /// address that the client connected to), "authority" (the host that it asked for by TLS), "alpn", "unique_id", "netns",
  /// "ssl_version", "ssl_cipher", "ssl_cn" (of the client's certificate), or a type like "0xea" for any other value. The bytes may be
  /// any. Nothing if it does not say that, or there was no header.
  [[nodiscard]] std::optional<std::string_view> proxy(const char* fact) const {
    return known(request_->services->http->proxy(request_, fact));
  }
  /// The user that the mount's access control has let in.
  [[nodiscard]] std::optional<std::string_view> user() const { return known(request_->services->http->user(request_)); }

 private:
  static std::string_view view(wharf_text text) { return {text.data, text.size}; }
  static std::optional<std::string_view> known(wharf_text text) {
    return text.data != nullptr ? std::optional<std::string_view>(view(text)) : std::nullopt;
  }

  const wharf_request* request_;
};

namespace detail {
/// One line at error level about the exception that is being handled.
inline void log_exception(wharf_scope* scope, const char* where) noexcept {
  try {
    std::string text = std::string("an exception left ") + where;
    try {
      throw;
    } catch (const std::exception& error) {
      text += std::string(": ") + error.what();
    } catch (...) {
    }
    Scope(scope).log(Level::error, text);
  } catch (...) {
  }
}
}  // namespace detail

}  // namespace wharf
