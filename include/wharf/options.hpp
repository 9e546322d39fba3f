#pragma once
/// The options of Limits, FileLimits, Files, Proxy and Compression: the name of each, its member, its unit, its range, and what it
/// is in words. For programs that take options by name, from a command line or a file, and for the pages that list them. There are
/// no defaults here: a default is the value in a new object.
///
///     wharf::ServerOptions given;
///     if (const auto* option = wharf::options::find(wharf::options::of_limits, "body_idle"))
///       if (!wharf::options::take(*option, given.limits, "5000")) return wrong_usage();

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "wharf/config.hpp"

namespace wharf::options {

enum class Unit : std::uint8_t {
  count,
  bytes,
  bytes_a_second,
  milliseconds,
  number,  ///< that counts nothing, such as a port's
  word,
  text,
  flag
};

/// How a member is read and set that holds one of several named values.
template <class Owner>
struct Choice {
  std::size_t (*get)(const Owner& owner);         ///< the number of its word
  void (*set)(Owner& owner, std::size_t number);  ///< of a word
};

namespace detail {

template <class Pointer>
struct Pointed;
template <class Of, class Type>
struct Pointed<Type Of::*> {
  using Owner = Of;
  using Value = Type;
};

}  // namespace detail

/// The Choice of an enumeration's member, whose words begin with that of the value `first`.
template <auto field, std::size_t first = 0>
constexpr auto choice() {
  using Owner = typename detail::Pointed<decltype(field)>::Owner;
  using Value = typename detail::Pointed<decltype(field)>::Value;
  return Choice<Owner>{[](const Owner& owner) { return static_cast<std::size_t>(owner.*field) - first; },
                       [](Owner& owner, std::size_t number) { owner.*field = static_cast<Value>(number + first); }};
}

/// The member of an option; none for one that makes the program do something at once, such as --help.
template <class Owner>
using Place = std::variant<std::monostate, bool Owner::*, std::uint16_t Owner::*, int Owner::*, unsigned Owner::*,
                           unsigned long Owner::*, unsigned long long Owner::*, std::chrono::milliseconds Owner::*,
                           std::string Owner::*, std::vector<std::string> Owner::*, Choice<Owner>,
                           std::optional<std::uint64_t> Owner::*, std::optional<std::chrono::milliseconds> Owner::*>;

/// Whether 0 is a number like others, or stands for a default and is always right.
enum class Zero : std::uint8_t { counts, standard };

/// What a number may be, both ends included.
struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = ~std::uint64_t{0};
  Zero zero = Zero::counts;

  [[nodiscard]] constexpr bool has(std::int64_t number) const {
    if (number == 0 && zero == Zero::standard) return true;
    return number >= 0 && static_cast<std::uint64_t>(number) >= least && static_cast<std::uint64_t>(number) <= most;
  }
  friend constexpr bool operator==(const Range&, const Range&) = default;
};

template <class Owner>
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which a row is read
struct Option {
  std::string_view name;
  Place<Owner> place = {};
  Unit unit = Unit::text;
  std::string_view about;                        ///< what it is: a phrase in lower case, `code` in back quotes
  std::span<const std::string_view> words = {};  ///< of Unit::word, in the order of the values
  Range range = {};
  std::string_view otherwise = {};  ///< what holds if nobody sets it, if the member's own default does not show it
  std::string_view page = {};       ///< of docs/ that says more, such as "http.md#files"
  char letter = '\0';               ///< on a command line
};

/// The option of that name; nullptr: there is none.
template <class Owner, std::size_t size>
constexpr const Option<Owner>* find(const Option<Owner> (&table)[size], std::string_view name) {
  for (const Option<Owner>& each : table)
    if (each.name == name) return &each;
  return nullptr;
}

/// All names, separated by ", ", with `before` before each.
template <class Owner, std::size_t size>
std::string names(const Option<Owner> (&table)[size], std::string_view before = {}) {
  std::string all;
  for (const Option<Owner>& each : table) ((all += all.empty() ? "" : ", ") += before) += each.name;
  return all;
}

namespace detail {

template <class Number>
bool read(std::string_view text, Number& number) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::in_range<Number>(value)) return false;
  number = static_cast<Number>(value);
  return true;
}

inline bool read(std::string_view text, std::chrono::milliseconds& time) {
  std::uint32_t number = 0;
  if (!read(text, number)) return false;
  time = std::chrono::milliseconds(number);
  return true;
}

template <class Owner>
struct Taker {
  const Option<Owner>& option;
  Owner& owner;
  std::string_view text;

  bool operator()(std::monostate /*nowhere*/) const { return false; }
  bool operator()(bool Owner::*field) const {
    if (text != "on" && text != "off") return false;
    owner.*field = text == "on";
    return true;
  }
  template <class Number>
  bool operator()(Number Owner::*field) const {
    return read(text, owner.*field);
  }
  template <class Value>
  bool operator()(std::optional<Value> Owner::*field) const {
    Value value{};
    if (!read(text, value)) return false;
    owner.*field = value;
    return true;
  }
  bool operator()(std::string Owner::*field) const {
    owner.*field = text;
    return true;
  }
  bool operator()(std::vector<std::string> Owner::*field) const {
    (owner.*field).emplace_back(text);
    return true;
  }
  bool operator()(const Choice<Owner>& chosen) const {
    for (std::size_t number = 0; number < option.words.size(); ++number)
      if (option.words[number] == text) return chosen.set(owner, number), true;
    return false;
  }
};

template <class Owner>
struct Reader {
  const Owner& owner;

  template <class Number>
  static std::int64_t number(Number number) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    return number > 0 && static_cast<std::uint64_t>(number) > std::uint64_t{most} ? most : static_cast<std::int64_t>(number);
  }

  template <class Other>
  std::optional<std::int64_t> operator()(const Other& /*no number*/) const {
    return std::nullopt;
  }
  template <class Number>
  requires std::is_integral_v<Number> std::optional<std::int64_t>
  operator()(Number Owner::*field) const { return number(owner.*field); }
  std::optional<std::int64_t> operator()(std::chrono::milliseconds Owner::*field) const { return (owner.*field).count(); }
  std::optional<std::int64_t> operator()(std::optional<std::uint64_t> Owner::*field) const {
    return owner.*field ? std::optional(number(*(owner.*field))) : std::nullopt;
  }
  std::optional<std::int64_t> operator()(std::optional<std::chrono::milliseconds> Owner::*field) const {
    return owner.*field ? std::optional<std::int64_t>((owner.*field)->count()) : std::nullopt;
  }
  std::optional<std::int64_t> operator()(const Choice<Owner>& chosen) const { return static_cast<std::int64_t>(chosen.get(owner)); }
};

}  // namespace detail

/// Sets the member to what a text says: a number in decimal, milliseconds as such a number, a word, or any text, which is added if
/// there may be several. False, and nothing is set, if the member cannot be that. Ranges are not checked.
template <class Owner>
bool take(const Option<Owner>& option, Owner& owner, std::string_view text) {
  return std::visit(detail::Taker<Owner>{option, owner, text}, option.place);
}

/// A number, milliseconds, or the number of a word; nothing for a text. A number above 2^63 - 1 counts as that.
template <class Owner>
std::optional<std::int64_t> number_of(const Option<Owner>& option, const Owner& owner) {
  return std::visit(detail::Reader<Owner>{owner}, option.place);
}

/// Whether its number, if it is one, is within its range.
template <class Owner>
bool is_in_range(const Option<Owner>& option, const Owner& owner) {
  const std::optional<std::int64_t> number = number_of(option, owner);
  return !number || option.range == Range{} || option.range.has(*number);
}

inline constexpr std::string_view off_on[] = {"off", "on"};
inline constexpr std::string_view entity_tags[] = {"by_inode", "by_time_and_size"};
inline constexpr std::string_view contexts[] = {"standard", "off", "shared", "dedicated"};
inline constexpr std::string_view messages[] = {"standard", "worthwhile", "all"};

inline constexpr Option<Limits> of_limits[] = {
    {"request_line", &Limits::request_line, Unit::bytes, "of a request line, without CRLF"},
    {"request_head", &Limits::request_head, Unit::bytes, "of a request's head, request line and all CRLFs included"},
    {"request_fields", &Limits::request_fields, Unit::count, "fields of a request's head"},
    {"proxy_header", &Limits::proxy_header, Unit::bytes, "of a header of the PROXY protocol", {}, {.least = 16}},
    {"proxy_header_time", &Limits::proxy_header_time, Unit::milliseconds, "from a connection to the end of its PROXY header"},
    {"tls_handshake_time", &Limits::tls_handshake_time, Unit::milliseconds, "for a TLS handshake"},
    {"request_head_time", &Limits::request_head_time, Unit::milliseconds, "for a head"},
    {"keep_alive_idle", &Limits::keep_alive_idle, Unit::milliseconds, "from a response to the next request"},
    {"chunk_extension", &Limits::chunk_extension, Unit::bytes, "behind the size in the line of one chunk"},
    {"chunk_extensions", &Limits::chunk_extensions, Unit::bytes, "in all chunks of a body"},
    {"trailer", &Limits::trailer, Unit::bytes, "of the trailer section"},
    {"trailer_fields", &Limits::trailer_fields, Unit::count, "fields of the trailer section"},
    {"body", &Limits::body, Unit::bytes, "of a request's body, whatever it is for; 0: no limit"},
    {"body_idle", &Limits::body_idle, Unit::milliseconds, "without a byte of a body that is read or dropped"},
    {"body_grace", &Limits::body_grace, Unit::milliseconds, "until `body_rate` applies to a body"},
    {"body_rate", &Limits::body_rate, Unit::bytes_a_second, "that a body must reach on average"},
    {"dropped_body", &Limits::dropped_body, Unit::bytes, "of a body that nobody wants, so that the connection can go on"},
    {"answer_time", &Limits::answer_time, Unit::milliseconds, "from a request to its response; a proxy has its own"},
    {"pipe_idle", &Limits::pipe_idle, Unit::milliseconds, "without a byte in either direction; 0: no limit"},
    {"message", &Limits::message, Unit::bytes, "of a message, all fragments together"},
    {"close_handshake", &Limits::close_handshake, Unit::milliseconds, "from the server's close frame to the peer's"},
    {"ping_after", &Limits::ping_after, Unit::milliseconds, "without a byte; 0: no pings"},
    {"pong_timeout", &Limits::pong_timeout, Unit::milliseconds, "more without a byte; 0: no limit"},
    {"output_low_water", &Limits::output_low_water, Unit::bytes, "queued for a peer"},
    {"output_high_water", &Limits::output_high_water, Unit::bytes, "queued for a peer"},
    {"output_hard_cap", &Limits::output_hard_cap, Unit::bytes, "queued for a peer when there is more to send"},
    {"write_stall", &Limits::write_stall, Unit::milliseconds,
     "with output waiting, of which the peer takes less than `write_progress`"},
    {"write_progress", &Limits::write_progress, Unit::bytes, "that a peer must take within `write_stall`"},
    {"stop_grace", &Limits::stop_grace, Unit::milliseconds, "from `Server::stop()`"},
    {"drain_time", &Limits::drain_time, Unit::milliseconds, "from `Server::drain()`"},
    {"takeover_time", &Limits::takeover_time, Unit::milliseconds, "for a new process to serve, from `Server::hand_over()`"},
    {"connections", &Limits::connections, Unit::count, "connections at once", {}, {}, "what the descriptors allow"},
    {"backlog", &Limits::backlog, Unit::count, "waiting for `accept`; the kernel's `net.core.somaxconn` may lower it"},
    {"address_connections", &Limits::address_connections, Unit::count, "connections of one client's address at once; 0: no limit"},
    {"address_connection_rate", &Limits::address_connection_rate, Unit::count,
     "new connections of one address a second; 0: no limit"},
    {"address_connection_burst",
     &Limits::address_connection_burst,
     Unit::count,
     "of these at once, before that rate applies",
     {},
     {},
     "the rate"},
    {"address_request_rate", &Limits::address_request_rate, Unit::count, "requests of one address a second; 0: no limit"},
    {"address_request_burst",
     &Limits::address_request_burst,
     Unit::count,
     "of these at once, before that rate applies",
     {},
     {},
     "the rate"},
    {"address_records", &Limits::address_records, Unit::count, "addresses that are remembered for each rate", {}, {.least = 1024}},
    {"tcp_keep_alive_idle", &Limits::tcp_keep_alive_idle, Unit::milliseconds, "without a byte on a TCP connection; 0: never"},
    {"tcp_keep_alive_interval", &Limits::tcp_keep_alive_interval, Unit::milliseconds, "between probes"},
    {"tcp_keep_alive_count", &Limits::tcp_keep_alive_count, Unit::count, "probes"},
    {"password_threads", &Limits::password_threads, Unit::count, "hashes of passwords at once, of all loops"},
    {"file_threads", &Limits::file_threads, Unit::count, "files being compressed and folders being listed at once"},
    {"lookup_threads", &Limits::lookup_threads, Unit::count, "names being looked up at once, each once for each loop"},
    {"signing_threads", &Limits::signing_threads, Unit::count, "TLS handshakes with large keys at once, of all loops"},
};

namespace detail {

constexpr std::string_view about_limit(std::string_view name) { return find(of_limits, name)->about; }

}  // namespace detail

/// Those of Limits that a virtual host may have otherwise.
inline constexpr Option<HostLimits> of_host_limits[] = {
    {"body", &HostLimits::body, Unit::bytes, detail::about_limit("body")},
    {"body_idle", &HostLimits::body_idle, Unit::milliseconds, detail::about_limit("body_idle")},
    {"body_grace", &HostLimits::body_grace, Unit::milliseconds, detail::about_limit("body_grace")},
    {"body_rate", &HostLimits::body_rate, Unit::bytes_a_second, detail::about_limit("body_rate")},
    {"answer_time", &HostLimits::answer_time, Unit::milliseconds, detail::about_limit("answer_time")},
    {"keep_alive_idle", &HostLimits::keep_alive_idle, Unit::milliseconds, detail::about_limit("keep_alive_idle")},
    {"message", &HostLimits::message, Unit::bytes, detail::about_limit("message")},
    {"close_handshake", &HostLimits::close_handshake, Unit::milliseconds, detail::about_limit("close_handshake")},
    {"ping_after", &HostLimits::ping_after, Unit::milliseconds, detail::about_limit("ping_after")},
    {"pong_timeout", &HostLimits::pong_timeout, Unit::milliseconds, detail::about_limit("pong_timeout")},
    {"pipe_idle", &HostLimits::pipe_idle, Unit::milliseconds, detail::about_limit("pipe_idle")},
};

inline constexpr Option<FileLimits> of_file_limits[] = {
    {"cached_bytes", &FileLimits::cached_bytes, Unit::bytes, "of memory of each loop, for all its file mounts"},
    {"cached_files", &FileLimits::cached_files, Unit::count, "paths"},
    {"short_file", &FileLimits::short_file, Unit::bytes, "of a file that is kept in memory"},
    {"open_files", &FileLimits::open_files, Unit::count, "descriptors kept open while no response needs them"},
    {"jobs", &FileLimits::jobs, Unit::count, "files and folders at once, for each loop"},
    {"jobs_of_mount", &FileLimits::jobs_of_mount, Unit::count,
     "of these for one mount, so that a hanging disk leaves threads to others"},
    {"waiting_listings", &FileLimits::waiting_listings, Unit::count, "folders whose listings wait, for each loop"},
    {"kept_listings", &FileLimits::kept_listings, Unit::count, "pages that list folders, for each loop"},
    {"kept_listing_bytes", &FileLimits::kept_listing_bytes, Unit::bytes, "of such pages"},
    {"unused", &FileLimits::unused, Unit::milliseconds, "without a request for a file"},
    {"settling", &FileLimits::settling, Unit::milliseconds, "since a file was changed"},
};

/// Except the folder, index files and media types.
inline constexpr Option<Files> of_files[] = {
    {"cache_control", &Files::cache_control, Unit::text, "the value of Cache-Control"},
    {"listing", choice<&Files::listing>(), Unit::word, "whether a folder without an index gets a page that lists it", off_on},
    {"ready_made", choice<&Files::ready_made>(), Unit::word, "whether `name.br`, `name.zst` and `name.gz` are sent for `name`",
     off_on},
    {"compression", choice<&Files::compression>(), Unit::word, "whether files are compressed with gzip", off_on},
    {"compress_from", &Files::compress_from, Unit::bytes, "of a file that is worth compressing"},
    {"compress_to", &Files::compress_to, Unit::bytes, "of a file that is not too long to compress"},
    {"etag", choice<&Files::etag>(), Unit::word, "what entity tags are made of; `by_time_and_size` if several machines have copies",
     entity_tags},
    {"listed", &Files::listed, Unit::count, "names of a folder that a listing looks at"},
};

/// Except `to`.
inline constexpr Option<Proxy> of_proxy[] = {
    {"add_slash", choice<&Proxy::add_slash>(), Unit::word, "the prefix without its last slash is redirected to the prefix", off_on},
    {"map_places", choice<&Proxy::map_places>(), Unit::word, "places that responses name are mapped back", off_on},
    {"map_cookies", choice<&Proxy::map_cookies>(), Unit::word, "paths of cookies are mapped back", off_on},
    {"send_host", choice<&Proxy::send_host>(), Unit::word, "Host is the client's, not that of the target", off_on},
    {"send_prefix", choice<&Proxy::send_prefix>(), Unit::word, "X-Forwarded-Prefix has the prefix", off_on},
    {"send_via", choice<&Proxy::send_via>(), Unit::word, "Via, in both directions", off_on},
    {"send_interim", choice<&Proxy::send_interim>(), Unit::word, "interim responses (1xx) are passed on", off_on},
    {"tls_verify", choice<&Proxy::tls_verify>(), Unit::word, "whether the certificate of an https server is verified", off_on},
    {"tls_authorities", &Proxy::tls_authorities, Unit::text, "PEM: who may have signed it", {}, {}, "those of the system"},
    {"tls_server_name", &Proxy::tls_server_name, Unit::text, "the name that is asked for and verified", {}, {}, "the host of `to`"},
    {"tls_certificate", &Proxy::tls_certificate, Unit::text, "PEM: our own certificate, for servers that ask for one"},
    {"tls_key", &Proxy::tls_key, Unit::text, "PEM: its key", {}, {}, "in the file of the certificate"},
    {"tls_passphrase", &Proxy::tls_passphrase, Unit::text, "a file whose first line opens an encrypted key"},
    {"idle_connections", &Proxy::idle_connections, Unit::count, "connections kept for later requests, by each loop"},
    {"most_connections",
     &Proxy::most_connections,
     Unit::count,
     "connections by each loop",
     {},
     {},
     "one for each client that needs one"},
    {"most_waiting", &Proxy::most_waiting, Unit::count, "requests that wait for one of those, by each loop"},
    {"connect_time", &Proxy::connect_time, Unit::milliseconds, "to reach the server, a TLS handshake included", {}, {.least = 1}},
    {"answer_time",
     &Proxy::answer_time,
     Unit::milliseconds,
     "from the end of a request to the end of the response's head",
     {},
     {.least = 1}},
    {"waiting_time", &Proxy::waiting_time, Unit::milliseconds, "for one of those", {}, {.least = 1}},
};

/// Zero is the server's choice, and then StandardCompression.
inline constexpr Option<Compression> of_compression[] = {
    {"context",
     choice<&Compression::context>(),
     Unit::word,
     "whether each peer keeps what it saw",
     contexts,
     {WHARF_COMPRESSION_OFF, WHARF_COMPRESSION_DEDICATED, Zero::standard}},
    {"window_bits",
     &Compression::window_bits,
     Unit::count,
     "how far back repetitions are found (2^N bytes), in both directions",
     {},
     {8, 15, Zero::standard}},
    {"memory_level", &Compression::memory_level, Unit::count, "zlib's: how much memory finds it again", {}, {1, 9, Zero::standard}},
    {"level", &Compression::level, Unit::count, "zlib's: how long it looks", {}, {1, 9, Zero::standard}},
    {"compress_from", &Compression::compress_from, Unit::bytes, "shorter messages are sent as they are"},
    {"messages",
     choice<&Compression::messages>(),
     Unit::word,
     "whether all are compressed",
     messages,
     {WHARF_COMPRESS_WORTHWHILE, WHARF_COMPRESS_ALL, Zero::standard}},
};

}  // namespace wharf::options
