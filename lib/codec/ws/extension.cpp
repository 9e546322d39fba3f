#include "codec/ws/extension.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

constexpr std::string_view deflate_name = "permessage-deflate";
constexpr std::string_view predecessor_name = "deflate-frame";
constexpr std::string_view server_forgets = "; server_no_context_takeover";
constexpr std::string_view client_forgets = "; client_no_context_takeover";
constexpr int least_window_bits = 8;
constexpr int least_window_bits_of_zlib = 9;  // most clients compress with it, and fail if they are told to use less
constexpr int most_window_bits = 15;

/// Reads the elements of a Sec-WebSocket-Extensions value from its front. White space may stand between any two of its parts.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) { skip_space(); }

  [[nodiscard]] bool at_end() const { return text_.empty(); }

  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    skip_space();
    return true;
  }

  /// Empty if there is none.
  std::string_view token() {
    const auto end = std::find_if_not(text_.begin(), text_.end(), base::is_token_char);
    const std::string_view found = text_.substr(0, static_cast<std::size_t>(end - text_.begin()));
    text_.remove_prefix(found.size());
    skip_space();
    return found;
  }

  /// A token, or a quoted string that is one after unquoting (RFC 6455 section 9.1). Empty if there is none.
  std::string value() {
    if (!text_.starts_with('"')) return std::string(token());
    std::string unquoted;
    return take_quoted(unquoted) && base::is_token(unquoted) ? unquoted : std::string();
  }

  /// Goes on to the next comma that is not in quotes.
  void skip_element() {
    std::string ignored;
    while (!at_end() && text_.front() != ',') {
      if (text_.front() == '"') take_quoted(ignored);
      else text_.remove_prefix(1);
    }
  }

 private:
  void skip_space() { text_ = text_.substr(std::min(text_.find_first_not_of(" \t"), text_.size())); }

  /// False if it is not closed; then nothing is left.
  bool take_quoted(std::string& unquoted) {
    text_.remove_prefix(1);
    while (!text_.empty()) {
      const char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"') {
        skip_space();
        return true;
      }
      if (c != '\\') {
        unquoted += c;
      } else if (!text_.empty()) {
        unquoted += text_.front();
        text_.remove_prefix(1);
      }
    }
    return false;
  }

  std::string_view text_;
};

/// False if the grammar is broken.
bool read_parameter(Reader& reader, Extension& extension) {
  Extension::Parameter parameter{reader.token(), std::nullopt};
  if (parameter.name.empty()) return false;
  if (reader.take('=')) {
    parameter.value = reader.value();
    if (parameter.value->empty()) return false;
  }
  extension.parameters.push_back(std::move(parameter));
  return true;
}

/// False if the grammar is broken, or if something other than a comma follows.
bool read_extension(Reader& reader, Extension& extension) {
  extension.name = reader.token();
  if (extension.name.empty()) return false;
  while (reader.take(';'))
    if (!read_parameter(reader, extension)) return false;
  return reader.at_end() || reader.take(',');
}

/// 8 to 15 without leading zeros (RFC 7692 section 7.1.2).
std::optional<int> window_bits_of(const Extension::Parameter& parameter) {
  if (!parameter.value || parameter.value->size() > 2) return std::nullopt;
  int bits = 0;
  for (const char c : *parameter.value) {
    if (!base::is_digit(c)) return std::nullopt;
    bits = bits * 10 + (c - '0');
  }
  const bool well_formed = parameter.value->front() != '0' && bits >= least_window_bits && bits <= most_window_bits;
  return well_formed ? std::optional<int>(bits) : std::nullopt;
}

/// The parameters of an offer or a response, each at most once.
struct Terms {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<int> server_max_window_bits;
  std::optional<int> client_max_window_bits;
  bool client_window_without_value = false;
};

bool set_once(bool& term, const Extension::Parameter& parameter) { return !parameter.value && !std::exchange(term, true); }

bool set_once(std::optional<int>& term, const Extension::Parameter& parameter) {
  if (term) return false;
  term = window_bits_of(parameter);
  return term.has_value();
}

bool set_client_window(Terms& terms, const Extension::Parameter& parameter) {
  if (terms.client_window_without_value || terms.client_max_window_bits) return false;
  return parameter.value ? set_once(terms.client_max_window_bits, parameter)
                         : set_once(terms.client_window_without_value, parameter);
}

bool read_term(Terms& terms, const Extension::Parameter& parameter) {
  if (parameter.name == "server_no_context_takeover") return set_once(terms.server_no_context_takeover, parameter);
  if (parameter.name == "client_no_context_takeover") return set_once(terms.client_no_context_takeover, parameter);
  if (parameter.name == "server_max_window_bits") return set_once(terms.server_max_window_bits, parameter);
  return parameter.name == "client_max_window_bits" && set_client_window(terms, parameter);
}

/// nullopt for another extension, and for a duplicate, unknown or ill-formed parameter.
std::optional<Terms> read_terms(const Extension& extension) {
  if (extension.name != deflate_name) return std::nullopt;
  Terms terms;
  for (const Extension::Parameter& parameter : extension.parameters)
    if (!read_term(terms, parameter)) return std::nullopt;
  return terms;
}

/// What clients with libwebsockets offer, with client_max_window_bits or without. Before version 4.4 they spin at an uncompressed
/// message.
bool reads_compressed_only(const Terms& offer) {
  return offer.client_no_context_takeover && !offer.client_max_window_bits && !offer.server_no_context_takeover &&
         !offer.server_max_window_bits;
}

/// Netty's client names the predecessors of permessage-deflate as well, and fails the handshake if the response tells it to keep no
/// context, unless its options say otherwise.
bool insists_on_context(const Terms& offer, bool names_predecessor) {
  return names_predecessor && !offer.client_no_context_takeover;
}

DeflateAgreement agree(const Terms& offer, const DeflateWish& wish) {
  DeflateAgreement agreement;
  const bool shared = wish.context == DeflateWish::Context::shared;
  agreement.server_no_context_takeover = offer.server_no_context_takeover || shared;
  agreement.client_no_context_takeover = offer.client_no_context_takeover || shared;
  agreement.server_no_context_offered = offer.server_no_context_takeover;
  agreement.server_window_offered = offer.server_max_window_bits.has_value();
  agreement.server_max_window_bits = std::min(wish.window_bits, offer.server_max_window_bits.value_or(most_window_bits));
  agreement.client_window_offered = offer.client_max_window_bits || offer.client_window_without_value;
  if (agreement.client_window_offered)
    agreement.client_max_window_bits =
        std::min(std::max(wish.window_bits, least_window_bits_of_zlib), offer.client_max_window_bits.value_or(most_window_bits));
  agreement.reads_compressed_only = reads_compressed_only(offer);
  return agreement;
}

std::string window(std::string_view name, int bits) { return "; " + std::string(name) + "=" + std::to_string(bits); }

}  // namespace

ExtensionList parse_extensions(std::string_view field_value) {
  ExtensionList list;
  Reader reader(field_value);
  while (!reader.at_end()) {
    if (reader.take(',')) continue;  // a list may have elements without anything (RFC 9110 section 5.6.1.2)
    Extension extension;
    if (read_extension(reader, extension)) {
      list.extensions.push_back(std::move(extension));
    } else {
      list.well_formed = false;
      reader.skip_element();
    }
  }
  return list;
}

std::optional<DeflateAgreement> accept_deflate(const std::vector<std::string_view>& field_values, const DeflateWish& wish) {
  std::optional<Terms> accepted;
  bool names_predecessor = false;
  for (const std::string_view value : field_values) {
    for (const Extension& extension : parse_extensions(value).extensions) {
      if (!accepted) accepted = read_terms(extension);
      if (extension.name == predecessor_name) names_predecessor = true;
    }
  }
  if (!accepted) return std::nullopt;
  if (wish.context == DeflateWish::Context::shared && insists_on_context(*accepted, names_predecessor)) return std::nullopt;
  return agree(*accepted, wish);
}

std::string deflate_answer(const DeflateAgreement& agreement) {
  std::string text(deflate_name);
  if (agreement.server_no_context_offered) text += server_forgets;
  if (agreement.client_no_context_takeover) text += client_forgets;
  if (agreement.server_window_offered) text += window("server_max_window_bits", agreement.server_max_window_bits);
  if (agreement.client_window_offered && agreement.client_max_window_bits < most_window_bits)
    text += window("client_max_window_bits", agreement.client_max_window_bits);
  return text;
}

std::string deflate_offer(const DeflateWish& wish) {
  std::string text(deflate_name);
  if (wish.context == DeflateWish::Context::shared) (text += server_forgets) += client_forgets;
  const int bits = std::min(wish.window_bits, wish.largest_window_bits);
  if (bits < most_window_bits) text += window("server_max_window_bits", bits);
  // Without a value, so that a response with any value fits: the client uses the smaller of that and its own wish.
  text += "; client_max_window_bits";
  if (wish.largest_window_bits == most_window_bits) (text += ", ") += deflate_name;
  return text;
}

std::optional<DeflateAgreement> read_deflate_answer(const std::vector<std::string_view>& field_values, const DeflateWish& wish) {
  std::optional<Terms> answer;
  for (const std::string_view value : field_values) {
    const ExtensionList list = parse_extensions(value);
    if (!list.well_formed) return std::nullopt;
    for (const Extension& extension : list.extensions) {
      if (answer || !(answer = read_terms(extension))) return std::nullopt;
    }
  }
  if (!answer || answer->client_window_without_value) return std::nullopt;
  const int server_bits = answer->server_max_window_bits.value_or(most_window_bits);
  if (server_bits > wish.largest_window_bits) return std::nullopt;
  DeflateAgreement agreement;
  const bool shared = wish.context == DeflateWish::Context::shared;
  agreement.server_no_context_takeover = answer->server_no_context_takeover;
  agreement.client_no_context_takeover = answer->client_no_context_takeover || shared;
  agreement.server_max_window_bits = server_bits;
  agreement.client_max_window_bits = std::min(wish.window_bits, answer->client_max_window_bits.value_or(most_window_bits));
  agreement.server_no_context_offered = shared;
  agreement.server_window_offered = wish.window_bits < most_window_bits;
  agreement.client_window_offered = true;
  return agreement;
}

}  // namespace wharf::codec
