#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "http/h1_client.h"
#include "link/memory_link.h"

namespace wharf::test {

/// Owner and receiver of one client, who write down what they are told, and a server that the test plays.
class ClientBench final : private session::H1ClientOwner, private session::ResponseReceiver, private session::LinkCounter {
 public:
  using Request = session::OutgoingRequest;

  ClientBench() {
    limits.response_time = base::Time{60'000};
    auto first = std::make_unique<session::H1Client>(link, context_, session::LinkShare(*this));
    client = first.get();
    link.open(std::move(first));
  }
  ~ClientBench() {
    link.abort();
    link.run();
  }
  ClientBench(const ClientBench&) = delete;
  ClientBench& operator=(const ClientBench&) = delete;

  /// A client on another link, which outlives it.
  std::unique_ptr<session::H1Client> another(session::Link& on) { return std::make_unique<session::H1Client>(on, context_); }

  static Request get(std::string_view method = "GET") { return {.method = method, .target = "/", .fields = {{"Host", "a"}}}; }
  static Request post(codec::BodyFraming body, std::uint64_t length = 0) {
    Request request = get("POST");
    request.body = body;
    request.content_length = length;
    return request;
  }
  /// A request without a body, or of which the body is left to be written.
  void ask(const Request& request = get()) {
    client->begin(*this, request);
    if (request.body == codec::BodyFraming::none) client->end_request();
    link.run();
  }
  void say(std::string_view bytes) { link.receive(bytes); }
  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    link.run();
  }
  /// The calls since the last take(); adjacent pieces are one.
  std::string take() { return std::exchange(told_, {}); }
  [[nodiscard]] std::string_view stage() const {
    constexpr std::array<std::string_view, 6> names{"free", "idle", "asked", "head", "body", "over"};
    return client == nullptr ? "gone" : names.at(static_cast<std::size_t>(client->stage()));
  }

  base::ChunkPool pool;
  session::OutputLimits output_limits;
  base::Time now{1'000'000};
  session::H1ClientLimits limits;
  session::MemoryLink link{pool, output_limits, now};
  session::H1Client* client = nullptr;  ///< nullptr: it has gone
  bool keeps = true;                    ///< whether the owner keeps an idle client
  session::Flow flow = session::Flow::go;
  Upgrade upgrade = Upgrade::not_asked_for;
  std::function<void()> within;  ///< is called by each call of the receiver
  int gone = 0;                  ///< links that have gone
  int ends = 0;                  ///< of receivers, in either way

 private:
  void tell(std::string_view what) { (told_ += told_.empty() ? "" : ", ") += what; }
  void hear(std::string_view what) {
    tell(what);
    if (within) within();
  }

  void connected(session::H1Client& which) override {
    tell("connected");
    which.wait();
  }
  bool idle(session::H1Client& /*which*/) override {
    tell("idle");
    return keeps;
  }
  void idle_ended(const session::H1Client& /*which*/) noexcept override { tell("idle_ended"); }
  void response_failed(std::string_view reason) override { log = reason; }
  void link_gone() noexcept override {
    ++gone;
    client = nullptr;
  }

  session::Flow response_interim(const codec::AnswerHead& head) override {
    hear(base::concat("interim ", head.status));
    return flow;
  }
  void response_begins(const codec::AnswerHead& head, std::optional<std::uint64_t> length) override {
    hear(base::concat("begins ", head.status, length ? base::concat(" ", *length) : ""));
  }
  session::Flow response_piece(std::string_view piece) override {
    const std::size_t last = told_.rfind(", ");
    const bool follows = std::string_view(told_).substr(last == told_.npos ? 0 : last + 2).starts_with("piece ");
    if (follows) told_ += piece;
    else tell(base::concat("piece ", piece));
    if (within) within();
    return flow;
  }
  void response_ends() override {
    ++ends;
    hear("ends");
  }
  Upgrade response_switches(const codec::AnswerHead& /*head*/) override {
    hear("switches");
    if (upgrade == Upgrade::taken) {
      ++ends;
      link.become(std::make_unique<After>());
    }
    return upgrade;
  }
  void response_fails(session::ResponseFailure failure) override {
    constexpr std::array<std::string_view, 4> names{"late", "closed", "malformed", "cut"};
    ++ends;
    hear(base::concat("fails ", names.at(static_cast<std::size_t>(failure))));
  }
  void request_has_room() override { hear("room"); }

  /// The session that follows an upgrade.
  class After final : public session::Session {
   public:
    std::size_t input(std::span<char> bytes) override { return bytes.size(); }
    void end_of_input() override {}
    void shut_down() override {}
  };

  session::H1ClientContext context_{*this, limits};
  std::string told_;

 public:
  std::string log;  ///< what was wrong with the last response that failed
};

}  // namespace wharf::test
