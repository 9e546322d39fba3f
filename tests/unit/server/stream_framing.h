#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "http/exchange_core.h"

namespace wharf::test {

/// One exchange on a stream as HTTP/2 has them, without its frames: a head is a list of pairs with names in lower case, written as
/// text, and the end of a response is the end of the stream.
class StreamFraming final : public session::Session, public session::ExchangeCore {
 public:
  StreamFraming(session::Link& link, session::HttpContext& context, codec::RequestHead head)
      : ExchangeCore(link, context), asked_(std::move(head)) {
    asked_.version = codec::HttpVersion::http2;
  }
  ~StreamFraming() override { exchange_ended(); }
  StreamFraming(const StreamFraming&) = delete;
  StreamFraming& operator=(const StreamFraming&) = delete;

  std::size_t input(std::span<char> bytes) override {
    if (stage() == Stage::idle) request_came(asked_, Behind::nothing);
    return bytes.size();
  }
  void end_of_input() override {}
  void room() override { exchange_room(); }
  void turn() override { exchange_turn(); }
  void deadline() override { exchange_deadline(); }
  void shut_down() override {}
  void ended() override { exchange_ended(); }

 private:
  void send_pairs(int status, const session::Fields& fields) {
    text_ = ":status=" + std::to_string(status) + "\n";
    for (const auto& [name, value] : fields) pair(name, value);
  }
  void pair(std::string_view name, std::string_view value) {
    for (const char c : name) text_ += base::lower(c);
    ((text_ += '=') += value) += '\n';
  }
  void add(codec::PreparedFields::Part prepared) {
    for (std::size_t i = 0; i < prepared.size(); ++i) (((text_ += prepared[i].name) += '=') += prepared[i].value) += '\n';
  }
  void leave() { link().out().append(text_ + "\n"); }

  void send_head(const session::Response& response, Content /*content*/, std::optional<std::uint64_t> /*length*/) override {
    send_pairs(response.status, response.fields);
    add(response.prepared);
    add(fields());
    leave();
  }
  void send_piece(std::string_view piece) override { link().out().append(piece); }
  void send_end() override {}
  void send_interim(int status, const session::Fields& fields) override {
    send_pairs(status, fields);
    leave();
  }
  int send_switch(std::string_view /*protocol*/, const session::Fields& fields) override {
    send_pairs(200, fields);
    leave();
    return 200;
  }
  void make_last(Reason /*reason*/) override {}
  [[nodiscard]] bool is_last() const override { return true; }
  void reset(Reason /*reason*/) override { link().abort(); }
  void next() override { link().finish(); }
  [[nodiscard]] BodyLeft body_left() const override { return {}; }
  void intake_changed() override {}
  void idle_late() override {}

  codec::RequestHead asked_;
  std::string text_;
};

}  // namespace wharf::test
