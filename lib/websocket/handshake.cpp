#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "codec/http/head_writer.h"
#include "codec/http/request_head.h"
#include "codec/ws/handshake.h"
#include "websocket/parts.h"
#include "wharf/websocket.hpp"

namespace wharf::websocket {
namespace {

// The first protocol of `offered` that is spoken here.
ProtocolChoice choose(const std::vector<std::string_view>& offered, const std::vector<std::string>& spoken) {
  if (offered.empty() || spoken.empty()) return {};
  for (const std::string_view name : offered)
    if (std::find(spoken.begin(), spoken.end(), name) != spoken.end()) return {Error::none, name};
  return {Error::protocol_unknown, {}};
}

Error check_options(const ServerOptions& options) {
  if (!parts::are_protocols(options.protocols)) return Error::bad_protocol;
  const Error error = parts::check_fields(options.fields);
  return error != Error::none ? error : parts::check_numbers(options.compression);
}

// The faults for which check_handshake() refuses, each by its name, except those of subprotocols.
Error check_request(const codec::RequestHead& head) {
  if (!codec::wants_websocket(head)) return Error::upgrade_missing;
  if (head.method != "GET") return Error::method_not_get;
  if (head.version != codec::HttpVersion::http11) return Error::http_version;
  if (!head.has_token("Connection", "upgrade")) return Error::connection_missing;
  if (head.body == codec::BodyFraming::chunked || head.content_length != 0) return Error::body_unexpected;
  if (head.count("Sec-WebSocket-Version") != 1) return Error::version_unsupported;
  if (const Error error = check_version(head.field("Sec-WebSocket-Version")); error != Error::none) return error;
  if (head.count("Sec-WebSocket-Key") != 1) return Error::key_missing;
  return check_key(head.field("Sec-WebSocket-Key"));
}

std::string joined(const codec::RequestHead& head, std::string_view name) {
  std::string value;
  for (const codec::Field& field : head.fields)
    if (base::equal_ignoring_case(field.name, name)) (value += value.empty() ? "" : ", ") += field.value;
  return value;
}

std::string write_refusal(int status, std::string_view text, std::string_view method) {
  codec::ResponseHead head(status);
  const bool wants_upgrade = status == 426;
  head.field("Connection", wants_upgrade ? "Upgrade, close" : "close");
  if (wants_upgrade) {
    head.field("Upgrade", "websocket");
    head.field("Sec-WebSocket-Version", "13");
  }
  head.field("Content-Type", "text/plain; charset=utf-8");
  head.content_length(text.size() + 1);
  std::string answer = std::move(head).finish();
  if (method != "HEAD") (answer += text) += '\n';
  return answer;
}

void refuse(ServerHandshake& handshake, Error error, int status, std::string_view reason) {
  handshake.outcome = Outcome::refused;
  handshake.error = error;
  handshake.reason = reason;
  handshake.answer = write_refusal(status, reason, handshake.method);
}

void refuse(ServerHandshake& handshake, Error error) {
  const bool wants_upgrade = error == Error::version_unsupported || error == Error::upgrade_missing;
  refuse(handshake, error, wants_upgrade ? 426 : 400, message(error));
}

void refuse_head(ServerHandshake& handshake, const codec::HeadError& found) {
  const bool is_large = found.status == 414 || found.status == 431;
  const Error error = is_large ? Error::head_too_large : found.status == 505 ? Error::http_version : Error::head_malformed;
  refuse(handshake, error, found.status, found.reason);
}

void accept(ServerHandshake& handshake, const codec::WsOffer& offer, const Negotiation& negotiated, const Fields& more) {
  codec::ResponseHead head(101);
  head.field("Upgrade", "websocket");
  head.field("Connection", "Upgrade");
  head.field("Sec-WebSocket-Accept", codec::WsAccept(offer.key).text());
  if (!handshake.protocol.empty()) head.field("Sec-WebSocket-Protocol", handshake.protocol);
  if (!negotiated.field.empty()) head.field("Sec-WebSocket-Extensions", negotiated.field);
  for (const auto& [name, value] : more) head.field(name, value);
  handshake.outcome = Outcome::accepted;
  handshake.answer = std::move(head).finish();
  handshake.agreement = negotiated.agreement;
}

}  // namespace

// ---- Step by step ----

// A higher minor version is read as 1.1 (RFC 9110 section 2.5).
Error check_http_version(std::string_view version) {
  constexpr std::string_view known = "HTTP/1.";
  const bool is_fine = version.size() == known.size() + 1 && version.starts_with(known) && base::is_digit(version.back());
  return is_fine && version.back() != '0' ? Error::none : Error::http_version;
}

Error check_upgrade(std::string_view value) { return parts::has_item(value, "websocket") ? Error::none : Error::upgrade_missing; }

Error check_connection(std::string_view value) {
  return parts::has_item(value, "upgrade") ? Error::none : Error::connection_missing;
}

Error check_version(std::string_view value) { return value == "13" ? Error::none : Error::version_unsupported; }

Error check_key(std::string_view value) { return codec::is_handshake_key(value) ? Error::none : Error::key_malformed; }

std::string accept_value(std::string_view key) { return std::string(codec::WsAccept(key).text()); }

ProtocolChoice choose_protocol(std::string_view offered, const std::vector<std::string>& spoken) {
  const std::vector<std::string_view> names = parts::split_list(offered);
  return parts::are_protocols(names) ? choose(names, spoken) : ProtocolChoice{Error::protocols_malformed, {}};
}

Negotiation negotiate_compression(std::string_view offers, const Compression& wish) {
  Negotiation result;
  result.error = parts::check_numbers(wish);
  const auto deflate = parts::deflate_wish(wish);
  if (result.error != Error::none || !deflate) return result;
  if (const auto agreed = codec::accept_deflate({offers}, *deflate)) {
    result.agreement = parts::agreement_of(*agreed, wish);
    result.field = codec::deflate_answer(*agreed);
  }
  return result;
}

std::optional<std::string_view> find_field(const Fields& fields, std::string_view name) {
  for (const auto& [each, value] : fields)
    if (base::equal_ignoring_case(each, name)) return value;
  return std::nullopt;
}

// ---- In one call ----

std::string refusal(int status, std::string_view text) {
  return write_refusal(status >= 400 && status <= 599 ? status : 500, text, "GET");
}

ServerHandshake answer_request(std::string_view bytes, const ServerOptions& options) {
  ServerHandshake handshake;
  if (const Error error = check_options(options); error != Error::none) {
    refuse(handshake, error, 500, message(error));
    return handshake;
  }
  codec::HeadLimits limits;
  limits.head = options.head_limit;
  codec::RequestParser parser(limits);
  const auto state = parser.parse(bytes);
  if (state == codec::RequestParser::State::more) return handshake;
  if (state == codec::RequestParser::State::failed) {
    refuse_head(handshake, parser.error());
    return handshake;
  }
  const codec::RequestHead& head = parser.head();
  handshake.used = parser.size();
  handshake.method = head.method;
  handshake.target = head.target;
  handshake.fields = parts::copy_fields(head.fields);

  Error error = check_request(head);
  const auto offer = codec::check_handshake(head);
  if (error == Error::none && !offer) error = Error::protocols_malformed;
  if (error != Error::none) {
    refuse(handshake, error);
    return handshake;
  }
  const ProtocolChoice choice = choose(offer->protocols, options.protocols);
  const bool needs_one = options.protocol_required && !options.protocols.empty() && offer->protocols.empty();
  if (choice.error != Error::none || needs_one) {
    refuse(handshake, Error::protocol_unknown);
    return handshake;
  }
  handshake.protocol = choice.protocol;
  accept(handshake, *offer, negotiate_compression(joined(head, "Sec-WebSocket-Extensions"), options.compression), options.fields);
  return handshake;
}

}  // namespace wharf::websocket
