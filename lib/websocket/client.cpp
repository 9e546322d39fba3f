#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "codec/http/head_writer.h"
#include "codec/http/response_head.h"
#include "codec/http/target.h"
#include "websocket/parts.h"
#include "wharf/websocket.hpp"

namespace wharf::websocket {
namespace {

constexpr std::size_t nonce_size = 16;  // RFC 6455 section 4.1, item 7
constexpr std::size_t key_size = 24;

std::string join(const auto& items) {
  std::string text;
  for (const auto& item : items) (text += text.empty() ? "" : ", ") += item;
  return text;
}

// False if the random source failed.
bool make_key(const Random& random, std::string& key) {
  std::array<unsigned char, nonce_size> nonce{};
  const bool is_random = random ? random(nonce) : RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) == 1;
  std::array<unsigned char, key_size + 1> text;  // EVP_EncodeBlock ends with NUL
  EVP_EncodeBlock(text.data(), nonce.data(), static_cast<int>(nonce.size()));
  key.assign(text.begin(), text.begin() + key_size);
  return is_random;
}

bool is_target(std::string_view target) {
  const auto is_visible = [](char c) { return c > 0x20 && c < 0x7F; };
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), is_visible) && codec::split_target(target);
}

Error check_options(const ClientOptions& options) {
  if (!codec::split_authority(options.host)) return Error::bad_host;
  if (!is_target(options.target)) return Error::bad_target;
  if (!parts::are_protocols(options.protocols)) return Error::bad_protocol;
  const Error error = parts::check_fields(options.fields);
  return error != Error::none ? error : parts::check_numbers(options.compression);
}

std::string write_request(const ClientOptions& options, std::string_view key) {
  codec::RequestText text("GET", options.target);
  text.field("Host", options.host);
  text.field("Upgrade", "websocket");
  text.field("Connection", "Upgrade");
  text.field("Sec-WebSocket-Key", key);
  text.field("Sec-WebSocket-Version", "13");
  if (!options.protocols.empty()) text.field("Sec-WebSocket-Protocol", join(options.protocols));
  if (const std::string offer = offer_compression(options.compression, options.memory_limit); !offer.empty())
    text.field("Sec-WebSocket-Extensions", offer);
  for (const auto& [name, value] : options.fields) text.field(name, value);
  return std::move(text).finish();
}

// Every check of RFC 6455 section 4.1 on a response, except its subprotocol and extensions.
Error check_head(const codec::AnswerHead& head, const ClientRequest& request) {
  if (head.status != 101) return Error::status_not_101;
  if (head.version != codec::HttpVersion::http11) return Error::http_version;
  const auto upgrade = head.values("Upgrade");
  if (upgrade.size() != 1 || !base::equal_ignoring_case(upgrade[0], "websocket")) return Error::upgrade_missing;
  if (const Error error = check_connection(join(head.values("Connection"))); error != Error::none) return error;
  const auto accept = head.values("Sec-WebSocket-Accept");
  return accept.size() == 1 ? check_accept(accept[0], request.key) : Error::accept_wrong;
}

Error choose(const codec::AnswerHead& head, const ClientRequest& request, ClientHandshake& handshake) {
  const auto chosen = head.values("Sec-WebSocket-Protocol");
  if (chosen.empty()) return Error::none;
  const auto& offered = request.protocols;
  if (chosen.size() > 1 || std::find(offered.begin(), offered.end(), chosen[0]) == offered.end())
    return Error::protocol_not_offered;
  handshake.protocol = chosen[0];
  return Error::none;
}

Error agree(const codec::AnswerHead& head, const ClientRequest& request, ClientHandshake& handshake) {
  const auto values = head.values("Sec-WebSocket-Extensions");
  if (values.empty()) return Error::none;
  const std::string answer = join(values);
  if (answer.empty()) return Error::extension_not_offered;
  const Negotiation result = check_compression(answer, request.compression, request.memory_limit);
  handshake.agreement = result.agreement;
  return result.error;
}

void refuse(ClientHandshake& handshake, Error error, std::string_view reason) {
  handshake.outcome = Outcome::refused;
  handshake.error = error;
  handshake.reason = reason;
  handshake.protocol.clear();
  handshake.agreement = {};
}

// The first head that does not announce another.
codec::AnswerRead read_final_head(std::string_view bytes, std::size_t limit, codec::AnswerHead& head, std::size_t& used) {
  for (;;) {
    codec::AnswerLimits limits;
    limits.head = limit - used;
    const codec::AnswerRead read = codec::read_answer_head(bytes.substr(used), limits, head);
    if (read.state != codec::AnswerState::done) return read;
    used += head.size;
    if (head.status >= 200 || head.status == 101) return read;
  }
}

}  // namespace

Error check_accept(std::string_view value, std::string_view key) {
  return value == accept_value(key) ? Error::none : Error::accept_wrong;
}

std::string offer_compression(const Compression& wish, std::uint64_t memory_limit) {
  const auto deflate = parts::deflate_wish(wish, memory_limit);
  return deflate && parts::check_numbers(wish) == Error::none ? codec::deflate_offer(*deflate) : std::string();
}

Negotiation check_compression(std::string_view answer, const Compression& wish, std::uint64_t memory_limit) {
  Negotiation result;
  result.error = parts::check_numbers(wish);
  if (result.error != Error::none || answer.empty()) return result;
  const auto deflate = parts::deflate_wish(wish, memory_limit);
  const auto agreed = deflate ? codec::read_deflate_answer({answer}, *deflate) : std::nullopt;
  if (agreed) result.agreement = parts::agreement_of(*agreed, wish);
  else result.error = Error::extension_not_offered;
  return result;
}

ClientRequest make_request(const ClientOptions& options) {
  ClientRequest request;
  request.error = check_options(options);
  if (request.error != Error::none) return request;
  if (!make_key(options.random, request.key)) {
    request.error = Error::no_random;
    return request;
  }
  request.bytes = write_request(options, request.key);
  request.protocols = options.protocols;
  request.compression = options.compression;
  request.head_limit = options.head_limit;
  request.memory_limit = options.memory_limit;
  return request;
}

ClientHandshake check_answer(std::string_view bytes, const ClientRequest& request) {
  ClientHandshake handshake;
  if (request.error != Error::none) {
    refuse(handshake, request.error, message(request.error));
    return handshake;
  }
  codec::AnswerHead head;
  const codec::AnswerRead read = read_final_head(bytes, request.head_limit, head, handshake.used);
  if (read.state == codec::AnswerState::more) return handshake;
  if (read.state != codec::AnswerState::done) {
    refuse(handshake, read.state == codec::AnswerState::too_large ? Error::head_too_large : Error::head_malformed, read.reason);
    return handshake;
  }
  handshake.status = head.status;
  handshake.fields = parts::copy_fields(head.fields);
  Error error = check_head(head, request);
  if (error == Error::none) error = choose(head, request, handshake);
  if (error == Error::none) error = agree(head, request, handshake);
  if (error == Error::none) handshake.outcome = Outcome::accepted;
  else refuse(handshake, error, message(error));
  return handshake;
}

}  // namespace wharf::websocket
