#include "wharf/testing.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <stdexcept>
#include <utility>

#include "base/mailbox.h"
#include "codec/ws/decoder.h"
#include "http/h1.h"
#include "link/memory_link.h"
#include "server/router.h"
#include "server/worker.h"

namespace wharf::testing {

using session::MemoryLink;

namespace detail {

/// One end of a link in memory; the other is a session of the server.
struct ClientEnd {
  explicit ClientEnd(HarnessState& of);
  ClientEnd(const ClientEnd&) = delete;
  ClientEnd& operator=(const ClientEnd&) = delete;
  virtual ~ClientEnd() = default;

  /// Takes what the server has sent, and reacts.
  virtual void run() = 0;
  void settle() const;
  void drop();
  void end();

  HarnessState* harness;  // these two are nullptr after the end
  std::unique_ptr<MemoryLink> link;
  bool dropped = false;
  bool over = false;
};

struct HarnessState {
  explicit HarnessState(const Limits& given) : limits(given, 0) {
    mailbox.open([] {});
  }

  void run();

  server::RoomLimits limits;
  std::vector<std::string> log_lines;
  base::Log log{
      base::LogLevel::debug,
      [this](base::LogLevel level, std::string_view text) { log_lines.push_back(base::concat(base::name_of(level), ": ", text)); },
      {.peers = 0, .program = 0, .now = {}}};
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  base::Time now{0};
  session::Home home{log, handles, [this] { return now; }};
  base::ChunkPool pool;
  server::RowList rows;
  std::vector<VirtualHost> hosts{1};
  std::unique_ptr<server::Router> router;
  std::unique_ptr<session::HttpContext> http;
  std::vector<std::shared_ptr<ClientEnd>> clients;  // last, so that they are destroyed first
};

ClientEnd::ClientEnd(HarnessState& of) : harness(&of), link(std::make_unique<MemoryLink>(of.pool, of.limits.loop.output, of.now)) {}

void ClientEnd::settle() const {
  if (harness != nullptr) harness->run();
}

void ClientEnd::drop() {
  if (!link) return;
  dropped = true;
  link->abort();
  settle();
}

void ClientEnd::end() {
  over = true;
  link.reset();
  harness = nullptr;
}

/// Bytes as they are.
struct RawClientState final : ClientEnd {
  explicit RawClientState(HarnessState& of) : ClientEnd(of) { link->open(of.router->open_raw(*link, of.rows.rows().front().name)); }

  void run() override {
    if (over) return;
    link->run();
    received += link->take();
    if (link->closed() || dropped) end();
  }

  std::string received;
};

/// Parses the response to the handshake, then decodes frames.
struct ClientState final : ClientEnd {
  ClientState(HarnessState& of, const ConnectOptions& options);

  void run() override;
  void take_answer();
  void take_frames();
  void on_event(const codec::WsEvent& event);
  void send_frame(codec::Opcode opcode, std::string_view payload);
  void finish();

  std::string answer;
  codec::WsDecoder decoder{codec::Role::client, std::uint64_t{1} << 32};
  int status = 0;
  bool close_sent = false;
  std::deque<Message> messages;
  std::deque<std::string> pongs;
  std::optional<Close> closed;
};

ClientState::ClientState(HarnessState& of, const ConnectOptions& options) : ClientEnd(of) {
  link->open(std::make_unique<session::H1>(*link, *of.http));
  std::string request = "GET " + options.target +
                        " HTTP/1.1\r\nHost: harness\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  if (const std::string_view name = of.rows.rows().front().name; !name.empty())
    request += base::concat("Sec-WebSocket-Protocol: ", name, "\r\n");
  for (const auto& [name, value] : options.fields) request += base::concat(name, ": ", value, "\r\n");
  link->receive(request + "\r\n");
}

void ClientState::run() {
  if (over) return;
  for (bool again = true; again && !over;) {
    const std::size_t before = messages.size() + pongs.size();
    link->run();
    if (status == 0) take_answer();
    if (status == 101) take_frames();
    again = messages.size() + pongs.size() != before;
    if (link->closed() || dropped) finish();
  }
}

void ClientState::take_answer() {
  answer += link->take();
  const std::size_t head_end = answer.find("\r\n\r\n");
  if (head_end == std::string::npos) return;
  const std::string_view digits = std::string_view(answer).substr(9, 3);
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  answer.erase(0, head_end + 4);
}

void ClientState::take_frames() {
  std::string bytes = std::exchange(answer, {}) + link->take();
  std::span<char> rest(bytes);
  for (;;) {
    const codec::WsEvent event = decoder.next(rest);
    if (event.type == codec::WsEvent::Type::more) return;
    if (event.type == codec::WsEvent::Type::error)
      throw std::runtime_error("the server sent what no client accepts: " + std::string(codec::message(event.error)));
    on_event(event);
  }
}

void ClientState::on_event(const codec::WsEvent& event) {
  const std::string payload(event.payload.data(), event.payload.size());
  using Type = codec::WsEvent::Type;
  if (event.type == Type::text) messages.push_back({Kind::text, payload});
  if (event.type == Type::binary) messages.push_back({Kind::binary, payload});
  if (event.type == Type::pong) pongs.push_back(payload);
  if (event.type == Type::ping) send_frame(codec::Opcode::pong, payload);
  if (event.type == Type::close) {
    closed = Close{event.code, payload};
    if (!std::exchange(close_sent, true)) send_frame(codec::Opcode::close, {});
  }
}

void ClientState::send_frame(codec::Opcode opcode, std::string_view payload) {
  if (link == nullptr || status != 101) return;
  constexpr codec::MaskKey key{0x11, 0x22, 0x33, 0x44};
  std::string frame(codec::max_frame_header + payload.size(), '\0');
  const std::size_t head = codec::write_masked_frame_header(frame.data(), opcode, true, payload.size(), key);
  frame.replace(head, payload.size(), payload);
  frame.resize(head + payload.size());
  codec::apply_mask(std::span(frame).subspan(head), key);
  link->receive(frame);
}

void ClientState::finish() {
  if (status == 0) take_answer();
  else if (status != 101) answer += link->take();
  if (!closed) closed = Close{1006, ""};
  end();
}

void HarnessState::run() {
  mailbox.run();
  do {
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i]->run();
    std::erase_if(clients, [](const auto& client) { return client->over; });
    // One of them may have caused something for another that had its turn already.
  } while (std::any_of(clients.begin(), clients.end(), [](const auto& client) { return client->link->scheduled(); }));
}

}  // namespace detail

// ---- Client ----

Client::Client(std::shared_ptr<detail::ClientState> state) : state_(std::move(state)) {}

namespace {
constexpr std::size_t least(std::size_t a, std::size_t b) { return a < b ? a : b; }
}  // namespace

int Client::status() const { return state_->status; }
std::string Client::refusal() const { return state_->status != 101 ? state_->answer : std::string(); }

void Client::send_text(std::string_view text) {
  state_->send_frame(codec::Opcode::text, text);
  state_->settle();
}
void Client::send_binary(std::string_view bytes) {
  state_->send_frame(codec::Opcode::binary, bytes);
  state_->settle();
}
void Client::ping(std::string_view data) {
  state_->send_frame(codec::Opcode::ping, data.substr(0, codec::max_control_payload));
  state_->settle();
}
void Client::close(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (code != 1005) payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  payload += reason.substr(0, least(reason.size(), codec::max_close_reason));
  state_->close_sent = true;
  state_->send_frame(codec::Opcode::close, payload);
  state_->settle();
}
void Client::send_raw(std::string_view bytes) {
  if (state_->link) state_->link->receive(bytes);
  state_->settle();
}
void Client::drop() { state_->drop(); }

std::optional<Message> Client::receive() {
  if (state_->messages.empty()) return std::nullopt;
  Message first = std::move(state_->messages.front());
  state_->messages.pop_front();
  return first;
}
std::optional<std::string> Client::receive_pong() {
  if (state_->pongs.empty()) return std::nullopt;
  std::string first = std::move(state_->pongs.front());
  state_->pongs.pop_front();
  return first;
}
std::optional<Close> Client::closed() const { return state_->closed; }

void Client::read_at_most(std::size_t bytes) {
  if (state_->link) state_->link->set_window(bytes);
  state_->settle();
}
void Client::read_everything() { read_at_most(MemoryLink::unlimited); }
std::size_t Client::queued() const { return state_->link ? state_->link->out().size() : 0; }
bool Client::held() const { return state_->link && !state_->link->reading() && !state_->over; }

// ---- RawClient ----

RawClient::RawClient(std::shared_ptr<detail::RawClientState> state) : state_(std::move(state)) {}

void RawClient::send(std::string_view bytes) {
  if (state_->link) state_->link->receive(bytes);
  state_->settle();
}
void RawClient::end() {
  if (state_->link) state_->link->receive_end();
  state_->settle();
}
void RawClient::drop() { state_->drop(); }
std::string RawClient::receive() { return std::exchange(state_->received, {}); }
bool RawClient::ended() const { return !state_->link || state_->link->output_is_over(); }
bool RawClient::closed() const { return state_->over; }
void RawClient::read_at_most(std::size_t bytes) {
  if (state_->link) state_->link->set_window(bytes);
  state_->settle();
}
void RawClient::read_everything() { read_at_most(MemoryLink::unlimited); }
bool RawClient::held() const { return state_->link && !state_->link->reading() && !state_->over; }

// ---- Harness ----

namespace {

/// A harness that was not made has no log to look at, so its error contains the log.
std::string with_log(std::string text, const std::vector<std::string>& log_lines) {
  for (const std::string& line : log_lines) text += "\n" + line;
  return text;
}

}  // namespace

Harness::Harness(const wharf_row& row, Options options, Limits limits) : state_(std::make_unique<detail::HarnessState>(limits)) {
  if (const Error error = state_->rows.add(row)) throw std::runtime_error(error.message);
  state_->hosts.front().options[row.name] = std::move(options);
  state_->hosts.front().default_protocol = row.name;
  const session::ExchangeLimits& exchanges = state_->limits.http;
  auto router = server::Router::start(state_->rows, state_->hosts, {state_->limits.ws, exchanges}, state_->home);
  if (!router) throw std::runtime_error(with_log(router.error().message, state_->log_lines));
  state_->router = std::move(*router);
  state_->http = std::make_unique<session::HttpContext>(*state_->router, state_->limits.http, state_->log);
}

// If the server breaks the protocol as late as this, the test program ends.
Harness::~Harness() {  // NOLINT(bugprone-exception-escape)
  state_->mailbox.close();
  state_->mailbox.run();
  for (const auto& client : state_->clients) client->link->abort();
  state_->run();
}

Client Harness::connect(const ConnectOptions& options) {
  auto client = std::make_shared<detail::ClientState>(*state_, options);
  state_->clients.push_back(client);
  state_->run();
  return Client(client);
}

RawClient Harness::connect_raw() {
  auto client = std::make_shared<detail::RawClientState>(*state_);
  state_->clients.push_back(client);
  state_->run();
  return RawClient(client);
}

void Harness::advance(std::chrono::milliseconds time) {
  for (const base::Time end = state_->now + time; state_->now < end;) {
    base::Time next = end;
    for (const auto& client : state_->clients) next = std::min(next, std::max(client->link->due(), state_->now + base::Time{1}));
    state_->now = next;
    state_->run();
  }
}

void Harness::run() { state_->run(); }
const std::vector<std::string>& Harness::log() const { return state_->log_lines; }

}  // namespace wharf::testing
