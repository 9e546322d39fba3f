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
  int server_max_window_bits = 15;     ///< 8 to 15
  int client_max_window_bits = 15;     ///< 8 to 15
  bool server_window_offered = false;  ///< then the answer has to name the server's window, even one of 15 (section 7.1.2.1)
  bool client_window_offered = false;  ///< only then may the answer limit the client's window (section 7.1.2.2)

  friend bool operator==(const DeflateAgreement&, const DeflateAgreement&) = default;
};

/// What an end wants of permessage-deflate; the other end may narrow it further.
struct DeflateWish {
  enum class Context : std::uint8_t { shared, dedicated };  ///< shared: no message builds on an earlier one, in either direction

  Context context = Context::shared;
  int window_bits = 12;  ///< 8 to 15, for both directions, as far as the other end lets itself be limited
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
/// parse_extensions() tells who wants it so.) `field_values` are those of all Sec-WebSocket-Extensions fields, in order.
std::optional<DeflateAgreement> accept_deflate(const std::vector<std::string_view>& field_values, const DeflateWish& wish);

/// The extension as the server's answer has it, such as "permessage-deflate; server_no_context_takeover".
std::string deflate_answer(const DeflateAgreement& agreement);

/// A client's offer.
std::string deflate_offer(const DeflateWish& wish);

/// The client's reading of the server's answer to deflate_offer(wish), of all Sec-WebSocket-Extensions fields. nullopt means that the
/// handshake has to be failed: the answer breaks the grammar, has a duplicate, unknown or ill-formed parameter, names another extension
/// or more than one, or does not fit the offer (RFC 6455 section 4.1, RFC 7692 section 7.1). A response without the field is no answer
/// and agrees on nothing: do not ask then.
std::optional<DeflateAgreement> read_deflate_answer(const std::vector<std::string_view>& field_values, const DeflateWish& wish);

}  // namespace wharf::codec
