#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::codec {

/// The parameters of permessage-deflate that two ends agreed on (RFC 7692 section 7.1).
struct DeflateAgreement {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  int server_max_window_bits = 15;         ///< 8 to 15
  int client_max_window_bits = 15;         ///< 8 to 15
  bool server_window_offered = false;      ///< then the answer has to name the server's window, even one of 15 (section 7.1.2.1)
  bool client_window_offered = false;      ///< only then may the answer limit the client's window (section 7.1.2.2)
  bool server_no_context_offered = false;  ///< then the answer has to say so, too (section 7.1.1.1)
  bool reads_compressed_only = false;      ///< the client's offer is that of one that fails at a message that is not compressed

  friend bool operator==(const DeflateAgreement&, const DeflateAgreement&) = default;
};

/// What an end wants of permessage-deflate; the other end may narrow it further.
struct DeflateWish {
  enum class Context : std::uint8_t { shared, dedicated };  ///< shared: no message builds on an earlier one, in either direction

  Context context = Context::shared;
  int window_bits =
      12;  ///< 8 to 15, for both directions, as far as the other end lets itself be limited; a client's is never made 8

  /// A client's: the largest window of the server's that it can inflate, 8 to 15. It is offered no more than `window_bits`, and lives
  /// with a server that has not heard of that.
  int largest_window_bits = 15;
};

/// One extension of a Sec-WebSocket-Extensions field (RFC 6455 section 9.1). Names are compared exactly, those of parameters too: the
/// RFCs say "ASCII case-insensitive" where they mean it (Upgrade, Connection), and do not say it here.
struct Extension {
  struct Parameter {
    std::string_view name;
    std::optional<std::string> value;  ///< without quotes and backslashes
  };
  std::string_view name;
  std::vector<Parameter> parameters;
};

/// What stands in a Sec-WebSocket-Extensions field, in order.
struct ExtensionList {
  std::vector<Extension> extensions;  ///< those that are well-formed; views are into the field's value
  bool well_formed = true;            ///< whether all are. A field without any is.
};

/// Takes a field's value apart. An element that breaks the grammar is left out, up to the next comma outside of quotes; quotes that are
/// not closed take the rest of the field with them.
ExtensionList parse_extensions(std::string_view field_value);

/// The server's choice: the first offer of permessage-deflate that it can accept, narrowed to its wish; nullopt where there is none. An
/// offer with a duplicate, unknown or ill-formed parameter is passed over (RFC 7692 section 7.1), and so is an element that breaks the
/// grammar: it declines itself, not its neighbours, and never the connection. (RFC 6455 section 9.1 has the connection fail for that;
/// parse_extensions() tells who wants it so.) `field_values` are those of all Sec-WebSocket-Extensions fields, in order. Two offers are
/// known to be those of clients with a fault, and are met accordingly: see docs/compression.md.
std::optional<DeflateAgreement> accept_deflate(const std::vector<std::string_view>& field_values, const DeflateWish& wish);

/// The extension as the server's answer has it, such as "permessage-deflate; client_no_context_takeover". It says what was offered and
/// what the client has to do. What the server does without being asked, which is to use a smaller window and to keep no context, it does
/// without a word: the client need not know, and some fail at the answer if they are told (section 7.1.1.1 and 7.1.2.1 allow both).
std::string deflate_answer(const DeflateAgreement& agreement);

/// A client's offer: what it would like, and then, where any window is small enough, permessage-deflate as the server likes it.
std::string deflate_offer(const DeflateWish& wish);

/// The client's reading of the server's answer to deflate_offer(wish), of all Sec-WebSocket-Extensions fields. It takes less than it would
/// like: a server that keeps its context, or whose window is larger, but not too large. nullopt means that the handshake has to be failed:
/// the answer breaks the grammar, has a duplicate, unknown or ill-formed parameter, names another extension or more than one, or a window
/// beyond the largest (RFC 6455 section 4.1, RFC 7692 section 7.1). A response without the field is no answer and agrees on nothing: do not
/// ask then.
std::optional<DeflateAgreement> read_deflate_answer(const std::vector<std::string_view>& field_values, const DeflateWish& wish);

}  // namespace wharf::codec
