#include "protocol/row_exchange.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/ascii.h"
#include "codec/http/head_writer.h"
#include "codec/http/media_type.h"
#include "protocol/raw.h"
#include "protocol/services.h"

namespace wharf::session {
namespace {

constexpr std::uint64_t whole_body_limit = 1024 * 1024;

wharf_flow flow_of(Flow flow) { return static_cast<wharf_flow>(flow); }

}  // namespace

// ---- Life ----

void RowExchange::serve(Exchange& exchange, Protocol& protocol, const RequestPlace& place) {
  std::unique_ptr<RowExchange> row_exchange(new (StateSize{protocol.http.state_size}) RowExchange(exchange, protocol, place));
  RowExchange& started = *row_exchange;
  exchange.set_responder(std::move(row_exchange));
  started.start();
}

RowExchange::RowExchange(Exchange& exchange, Protocol& protocol, const RequestPlace& place)
    : wharf_exchange{&service_table()},
      exchange_(&exchange),
      protocol_(protocol),
      row_(protocol.http),
      mount_prefix_(place.mount_prefix) {
  if (place.user.data() != nullptr) user_ = place.user;
}

RowExchange::~RowExchange() { destroy_state(false); }

void RowExchange::start() {
  add(protocol_.counts->exchanges);
  const codec::RequestHead& head = exchange_->request();
  if (head.body == codec::BodyFraming::length && head.content_length > body_limit()) return refuse_body();
  if (row_.body != nullptr || exchange_->body_complete()) begin_request();
  exchange_->read_body();  // even beside a response in pieces that has begun
}

/// The row sees the request.
void RowExchange::begin_request() {
  const auto request = [this](void* state) { return row_.request(state, protocol_.shared, this) == 0; };
  if (!make_state(protocol_.home.handles, request)) fail();
}

std::uint64_t RowExchange::body_limit() const {
  if (protocol_.row.body_limit != 0) return protocol_.row.body_limit;
  return row_.body != nullptr ? std::numeric_limits<std::uint64_t>::max() : whole_body_limit;
}

void RowExchange::refuse_body() {
  if (exchange_->answered()) return exchange_->abort();
  exchange_->respond(text_response(413, body_too_large));
}

void RowExchange::body(std::string_view piece) {
  if (exchange_->answered() && !has_state()) return;
  body_size_ += piece.size();
  if (body_size_ > body_limit()) return refuse_body();
  if (row_.body == nullptr) body_.append(piece);
  else if (has_state()) row_.body(state(), piece.data(), piece.size());
}

void RowExchange::body_end() {
  if (row_.body == nullptr) {
    if (!has_state() && !exchange_->answered()) begin_request();
  } else if (has_state() && row_.body_end != nullptr) {
    row_.body_end(state());
  }
}

void RowExchange::drained() {
  if (has_state() && row_.drained != nullptr) row_.drained(state());
}

void RowExchange::tick() {
  if (has_state() && row_.tick != nullptr) row_.tick(state());
}

void RowExchange::ended(const ExchangeEnd& end) {
  over_ = true;
  destroy_state(end.complete);  // closing() may still look at the request
  exchange_ = nullptr;
}

void RowExchange::destroy_state(bool complete) {
  end_state(protocol_.home.handles, [this, complete](void* state) {
    if (row_.closing != nullptr) row_.closing(state, complete ? 1 : 0);
    if (row_.destroy != nullptr) row_.destroy(state);
  });
}

// ---- The request ----

const RequestView& RowExchange::request() const {
  if (!request_) {
    const std::string_view user = user_ ? std::string_view(*user_) : std::string_view();
    request_.emplace(exchange_->request(), exchange_->peer(), RequestPlace{mount_prefix_, user, exchange_->forwarding()});
  } else {
    request_->rebase(exchange_->request());
  }
  return *request_;
}

// ---- Responses ----

/// Logs a second response.
bool RowExchange::may_answer() {
  if (over_) return false;
  if (!exchange_->answered()) return true;
  protocol_.home.log.error(base::LogKind("second responses"), protocol_.row.name,
                           ": an exchange got two responses; the second is dropped");
  return false;
}

bool RowExchange::add_field(std::string_view name, std::string_view value) {
  const bool fits = base::is_token(name) && base::is_field_value(value);
  if (over_ || exchange_->answered() || !fits || codec::is_server_field(name)) return false;
  fields_.emplace_back(name, value);
  return true;
}

wharf_flow RowExchange::respond(int status, std::string_view data) {
  if (!may_answer()) return WHARF_CLOSED;
  Response response;
  response.status = status >= 200 && status <= 599 ? status : 500;
  response.fields = std::move(fields_);
  response.content = data.data() != nullptr ? data : std::string_view("");
  exchange_->respond(std::move(response));
  return WHARF_GO;
}

bool RowExchange::respond_file(int status, const char* path) {
  if (!may_answer()) return false;
  const auto open_file = protocol_.home.open_file;
  std::unique_ptr<BodySource> source = open_file != nullptr ? open_file(path) : nullptr;
  if (!source) return false;
  Response response;
  response.status = status >= 200 && status <= 599 ? status : 500;
  response.fields = std::move(fields_);
  const bool described = std::any_of(response.fields.begin(), response.fields.end(), [](const auto& field) {
    return base::equal_ignoring_case(field.first, "Content-Type") || base::equal_ignoring_case(field.first, "Content-Encoding");
  });
  const bool typed = std::any_of(response.fields.begin(), response.fields.end(),
                                 [](const auto& field) { return base::equal_ignoring_case(field.first, "Content-Type"); });
  if (!typed) response.fields.emplace_back("Content-Type", codec::media_type(path));
  if (const std::string_view coding = codec::content_coding(path); !described && !coding.empty())
    response.fields.emplace_back("Content-Encoding", coding);
  response.source = std::move(source);
  exchange_->respond(std::move(response));
  return true;
}

wharf_flow RowExchange::begin(int status, std::optional<std::uint64_t> length) {
  if (!may_answer()) return WHARF_CLOSED;
  if (row_.body != nullptr) exchange_->read_body();  // while a client that waits for it can still be told to go on
  Response response;
  response.status = status >= 200 && status <= 599 ? status : 500;
  response.fields = std::move(fields_);
  return flow_of(exchange_->begin(std::move(response), length));
}

wharf_flow RowExchange::write(std::string_view piece) { return over_ ? WHARF_CLOSED : flow_of(exchange_->write(piece)); }

void RowExchange::end() {
  if (!over_) exchange_->end();
}

void RowExchange::abort() {
  if (!over_) exchange_->abort();
}

void RowExchange::fail() {
  if (over_) return;
  if (exchange_->answered()) exchange_->abort();
  else exchange_->respond(text_response(500, "The server met a fault of its own."));
}

void RowExchange::pause_body() {
  if (!over_) exchange_->pause_body();
}

void RowExchange::resume_body() {
  if (!over_) exchange_->resume_body();
}

void RowExchange::answer_within(base::Time time) {
  if (!over_) exchange_->answer_within(time);
}

void RowExchange::tick_every(base::Time period) {
  if (!over_) exchange_->tick_every(period);
}

std::size_t RowExchange::buffered() const { return over_ ? 0 : exchange_->buffered(); }

wharf_handle RowExchange::handle() { return take_handle(protocol_.home.handles, static_cast<wharf_exchange*>(this)); }

/// RFC 9110 section 7.8.
bool RowExchange::upgrade(std::string_view token, const wharf_raw* raw, void* argument) {
  if (!may_answer()) return false;
  constexpr std::size_t least = offsetof(wharf_raw, destroy) + sizeof raw->destroy;
  if (raw == nullptr || raw->size < least) {
    protocol_.home.log.error(base::LogKind("structs of a wrong size"), protocol_.row.name, ": upgrade: a wharf_raw of ",
                             raw != nullptr ? raw->size : 0, " bytes; set its size to sizeof(wharf_raw)");
    return false;
  }
  const codec::RequestHead& head = exchange_->request();
  const bool asked = head.has_token("Upgrade", token) && head.has_token("Connection", "upgrade");
  if (!asked || !base::is_token(token.substr(0, token.find('/'))) || !head.may_upgrade() || !exchange_->body_complete())
    return false;
  exchange_->switch_to(token, fields_, [&](Link& link) { return Raw::open(link, protocol_, *raw, argument); });
  return true;
}

}  // namespace wharf::session
