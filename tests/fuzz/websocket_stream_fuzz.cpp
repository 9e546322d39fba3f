#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "codec/utf8.h"
#include "fuzz/promise.h"
#include "wharf/websocket.hpp"

// Input: three bytes that say how the two ends are set up, then operations of both: sending, receiving with the bytes cut anywhere,
// and in one of two modes garbage on the way. Messages arrive in order; whatever arrives, the stream keeps its promises.

namespace {

using namespace wharf::websocket;
using Type = Event::Type;

/// The fuzzer's bytes, from the front; zeros behind their end.
class Source {
 public:
  Source(const std::uint8_t* data, std::size_t size) : bytes_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  unsigned byte() {
    const auto value = bytes_.empty() ? 0U : static_cast<unsigned char>(bytes_.front());
    if (!bytes_.empty()) bytes_.remove_prefix(1);
    return value;
  }
  std::string_view take(std::size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  /// Up to 64 bytes as they are, or a lot of one of them.
  std::string payload() {
    const unsigned size = byte();
    if (size < 0x80) return std::string(take(size & 0x3F));
    return std::string((size & 0x7FU) * 600U, static_cast<char>(byte()));
  }

 private:
  std::string_view bytes_;
};

struct Sent {
  Type type;
  std::string payload;
  std::uint16_t code = 0;
};

/// An end: its stream, what is on its way from it, and what must come out at the other.
class End {
 public:
  End(Role role, const Agreement& agreement, const StreamOptions& options) : stream_(role, agreement, options) {}

  void send(Source& source, unsigned operation) {
    const Kind kind = (operation & 0x10) != 0 ? Kind::text : Kind::binary;
    const std::string data = source.payload();
    const std::size_t before = on_the_way_.size();
    const bool may_begin = stream_.validity() == Validity::valid;
    Error error = Error::none;
    switch (operation & 0x07) {
      case 0:
      case 1:
        error = stream_.send(kind, data, on_the_way_);
        if (error == Error::none) expect({kind == Kind::text ? Type::text : Type::binary, data});
        require(error != Error::none || may_begin, "no message begins after a close");
        break;
      case 2:
      case 3: send_part(kind, static_cast<Part>(operation >> 5 & 3), data, error); break;
      case 4:
        error = stream_.ping(data, on_the_way_);
        if (error == Error::none) expect({Type::ping, data});
        break;
      case 5:
        error = stream_.pong(data, on_the_way_);
        if (error == Error::none) expect({Type::pong, data});
        break;
      case 6: close(static_cast<std::uint16_t>(source.byte() << 8 | source.byte()), data, error); break;
      default: stream_.release_memory();
    }
    require(error == Error::none || on_the_way_.size() == before, "nothing is written with an error");
  }

  /// Takes `size` bytes that come from the other end; checks and answers all events of them.
  void receive(End& other, std::size_t size, bool is_honest) {
    const std::string taken = other.on_the_way_.substr(0, size);
    other.on_the_way_.erase(0, taken.size());
    feed(other, taken, is_honest);
  }

  void feed(End& other, std::string_view bytes, bool is_honest) {
    const auto copy = std::make_unique<char[]>(bytes.size());
    bytes.copy(copy.get(), bytes.size());
    std::span<char> input(copy.get(), bytes.size());
    for (Event event = stream_.next(input); event.type != Type::more; event = stream_.next(input)) {
      check(event);
      if (is_honest) other.compare(event);
      answer(event);
      for (char& c : event.payload) c = 'z';  // the reader's to change
    }
    require(input.empty(), "more comes only when all input was taken");
  }

  [[nodiscard]] std::size_t size_on_the_way() const { return on_the_way_.size(); }
  /// All messages except one that was not ended, if nothing is on the way.
  [[nodiscard]] bool all_arrived() const { return controls_.empty() && messages_.size() <= 1; }
  [[nodiscard]] bool is_over() const { return is_over_; }

 private:
  void send_part(Kind kind, Part part, const std::string& data, Error& error) {
    error = stream_.send_part(kind, part, data, on_the_way_);
    if (error != Error::none) return;
    if (is_first(part)) expect({kind == Kind::text ? Type::text : Type::binary, data});
    else messages_.back().payload += data;
  }

  void close(std::uint16_t code, const std::string& reason, Error& error) {
    error = stream_.close(code, reason, on_the_way_);
    if (error == Error::none) expect({Type::close, reason, code});
  }

  // Control frames overtake the message that they stand in.
  std::deque<Sent>& sent_like(Type type) { return type == Type::text || type == Type::binary ? messages_ : controls_; }
  void expect(Sent sent) { sent_like(sent.type).push_back(std::move(sent)); }

  void check(const Event& event) {
    require(!is_over_, "nothing comes after a close or an error");
    is_over_ = event.type == Type::close || event.type == Type::error;
    require((event.type == Type::error) == (event.error != Error::none), "an error has a name, no other event has");
    require(event.type != Type::text || wharf::codec::is_utf8(event.view()), "text is UTF-8");
    require(event.is_message() || event.payload.size() <= 125, "a control payload is short");
    require(!is_over_ || stream_.validity() != Validity::valid, "a stream that is over says so");
  }

  void compare(const Event& event) {
    require(event.type != Type::error, "no honest end is taken for a dishonest one");
    std::deque<Sent>& sent = sent_like(event.type);
    require(!sent.empty(), "nothing arrives that was not sent");
    Sent& next = sent.front();
    require(event.type == next.type && event.code == next.code, "what arrives is what was sent");
    if (is_last(event.part)) {
      require(event.view() == next.payload, "a payload arrives as it was sent");
      sent.pop_front();
    } else {
      require(next.payload.starts_with(event.view()), "a piece arrives as it was sent");
      next.payload.erase(0, event.payload.size());
    }
  }

  void answer(const Event& event) {
    const bool was_over = stream_.validity() == Validity::invalid;
    const std::size_t before = on_the_way_.size();
    const std::string payload(event.view());
    require(stream_.answer(event, on_the_way_) == Error::none, "what the RFC wants can be answered");
    const bool answered = on_the_way_.size() > before;
    require(!was_over || !answered, "nothing is sent any more");
    require((!event.is_message() && event.type != Type::pong) || !answered, "messages and pongs are not answered");
    if (!answered) return;
    if (event.type == Type::ping) expect({Type::pong, payload});
    else if (event.type == Type::close) expect({Type::close, {}, event.code});
    else expect({Type::close, std::string(message(event.error)), close_code(event.error)});
  }

  Stream stream_;
  std::string on_the_way_;
  std::deque<Sent> messages_;  // the last one may not be complete
  std::deque<Sent> controls_;
  bool is_over_ = false;
};

Agreement agreement_of(unsigned setup, unsigned windows) {
  Agreement agreement;
  agreement.compressed = (setup & 1) != 0;
  agreement.server_keeps_context = (setup & 2) != 0;
  agreement.client_keeps_context = (setup & 4) != 0;
  agreement.server_window_bits = 8 + (windows & 7);
  agreement.client_window_bits = 8 + (windows >> 3 & 7);
  agreement.compress_from = windows >> 6;
  return agreement;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Source source(data, size);
  const unsigned setup = source.byte();
  const Agreement agreement = agreement_of(setup, source.byte());
  const bool is_honest = (setup & 8) == 0;
  StreamOptions options;
  options.in_pieces = (setup & 16) != 0;
  options.message_limit = is_honest ? 64 * 1024 * 1024 : 100'000;
  options.memory_limit = is_honest || (setup & 32) == 0 ? 0 : 60'000;
  unsigned char key = static_cast<unsigned char>(source.byte());
  options.random = [&key](std::span<unsigned char> bytes) {
    for (unsigned char& byte : bytes) byte = key++;
    return true;
  };
  End server(Role::server, agreement, options), client(Role::client, agreement, options);
  for (unsigned operations = 0; operations < 300 && !source.at_end(); ++operations) {
    const unsigned operation = source.byte();
    End& one = (operation & 0x08) != 0 ? client : server;
    End& other = (operation & 0x08) != 0 ? server : client;
    if ((operation & 0x80) == 0) one.send(source, operation);
    else if (is_honest || (operation & 1) == 0) one.receive(other, (operation & 0x70U) << 4 | source.byte(), is_honest);
    else one.feed(other, source.payload(), false);
  }
  if (!is_honest) return 0;
  while (server.size_on_the_way() != 0 || client.size_on_the_way() != 0) {
    client.receive(server, server.size_on_the_way(), true);
    server.receive(client, client.size_on_the_way(), true);
  }
  require(server.all_arrived() || client.is_over(), "all that the server sent arrives");
  require(client.all_arrived() || server.is_over(), "all that the client sent arrives");
  return 0;
}
