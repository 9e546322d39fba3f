#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wharf/limits.hpp"

namespace wharf::codec {

/// The parameters of permessage-deflate that two ends agreed on (RFC 7692 section 7.1).
struct DeflateAgreement {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  int server_max_window_bits = 15;         ///< 8 to 15
  int client_max_window_bits = 15;         ///< 8 to 15
  bool server_window_offered = false;      ///< then the response has to name the server's window, even one of 15 (section 7.1.2.1)
  bool client_window_offered = false;      ///< only then may the response limit the client's window (section 7.1.2.2)
  bool server_no_context_offered = false;  ///< then the response has to say so, too (section 7.1.1.1)
  bool reads_compressed_only = false;      ///< the offer is that of clients that fail at an uncompressed message

  friend bool operator==(const DeflateAgreement&, const DeflateAgreement&) = default;
};

/// What an end wants of permessage-deflate; the other end may narrow it further.
struct DeflateWish {
  enum class Context : std::uint8_t { shared, dedicated };  ///< shared: no message builds on an earlier one, in either direction

  Context context = Context::shared;
  /// 8 to 15, for both directions, as far as the other end can be limited; a client's is never made 8.
  int window_bits{StandardCompression{}.window_bits};

  /// A client's: the largest window of the server's that it can inflate, 8 to 15. The offer asks for at most `window_bits`, but a
  /// server that ignores this is accepted.
  int largest_window_bits = 15;
};

/// One extension of a Sec-WebSocket-Extensions field (RFC 6455 section 9.1). Names are compared exactly, those of parameters too:
/// the RFCs say "ASCII case-insensitive" where they mean it (Upgrade, Connection), and do not say it here.
struct Extension {
  struct Parameter {
    std::string_view name;
    std::optional<std::string> value;  ///< without quotes and backslashes
  };
  std::string_view name;
  std::vector<Parameter> parameters;
};

/// The elements of a Sec-WebSocket-Extensions field, in order.
struct ExtensionList {
  std::vector<Extension> extensions;  ///< those that are well-formed; views are into the field's value
  bool well_formed = true;            ///< whether all elements are; true for a field without any
};

/// Parses a field's value. An element that breaks the grammar is left out, up to the next comma outside quotes; unclosed quotes
/// drop the rest of the field.
ExtensionList parse_extensions(std::string_view field_value);

/// The server's choice: the first offer of permessage-deflate that it can accept, narrowed to its wish; nullopt if there is none.
/// An offer with a duplicate, unknown or ill-formed parameter is skipped (RFC 7692 section 7.1), and so is an element that breaks
/// the grammar: it declines only itself, not its neighbours or the connection. (RFC 6455 section 9.1 has the connection fail for
/// that; parse_extensions() shows the fault to callers who want that.) `field_values` are those of all Sec-WebSocket-Extensions
/// fields, in order. Two offers are known to come from faulty clients, and get special treatment: see docs/compression.md.
std::optional<DeflateAgreement> accept_deflate(const std::vector<std::string_view>& field_values, const DeflateWish& wish);

/// The extension in the server's response, such as "permessage-deflate; client_no_context_takeover". It says what was offered and
/// what the client has to do. It does not say what the server does without being asked, which is to use a smaller window and to
/// keep no context: the client need not know, and some fail if the response says it (sections 7.1.1.1 and 7.1.2.1 allow both).
std::string deflate_answer(const DeflateAgreement& agreement);

/// A client's offer: what it would like, and then, if any window is small enough, plain permessage-deflate.
std::string deflate_offer(const DeflateWish& wish);

/// Reads the server's response to deflate_offer(wish), from all Sec-WebSocket-Extensions fields. It accepts less than the client
/// would like: a server that keeps its context, or whose window is larger, but not too large. nullopt means that the handshake has
/// to fail: the response breaks the grammar, has a duplicate, unknown or ill-formed parameter, names another extension or more than
/// one, or a window beyond the largest (RFC 6455 section 4.1, RFC 7692 section 7.1). Do not call it for a response without the
/// field, which agrees on nothing.
std::optional<DeflateAgreement> read_deflate_answer(const std::vector<std::string_view>& field_values, const DeflateWish& wish);

}  // namespace wharf::codec
