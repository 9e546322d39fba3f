#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange_core.h"
#include "link/memory_link.h"

namespace wharf::test {

/// All that an exchange has its framing do, and all that it tells others, in order.
struct ExchangeRecord {
  using Deed = std::function<void(session::Exchange&)>;
  enum class With : std::uint8_t { responder, nobody };

  void add(const std::string& what) { (text += text.empty() ? "" : ", ") += what; }
  std::string take() { return std::exchange(text, {}); }

  /// Does something to the exchange, as its responder may at any time.
  void call(const Deed& deed) {
    if (exchange == nullptr || !deed) return;
    const bool before = std::exchange(in_call, true);
    deed(*exchange);
    in_call = before;
  }
  /// The responder is told something, upon which it may do something.
  void tell(const std::string& name, const std::string& more = {}) {
    CHECK_FALSE_MESSAGE(in_call, name << " came from within a call to the exchange");
    CHECK_FALSE_MESSAGE(in_callback, name << " came from within another callback");
    add(name + more);
    in_callback = true;
    if (const auto deed = deeds.find(name); deed != deeds.end()) call(std::exchange(deed->second, {}));
    in_callback = false;
  }

  std::string text;
  std::map<std::string, Deed> deeds;  ///< what is done once at that callback
  session::Exchange* exchange = nullptr;
  bool in_call = false;
  bool in_callback = false;
  With with = With::responder;
  int visits = 0;            ///< alive, and so are those of the next
  int responders = 0;        ///< alive, of all that were made
  int responders_ended = 0;  ///< were told so
  int observers = 0;
  int observers_made = 0;  ///< one for each exchange
  int observers_ended = 0;
};

inline std::string text_of(const session::ExchangeEnd& end) {
  return " " + std::to_string(end.status) + "+" + std::to_string(end.body_bytes) + (end.complete ? "" : " broken");
}

class RecordingResponder final : public session::Responder {
 public:
  explicit RecordingResponder(ExchangeRecord& record) : record_(record) { ++record_.responders; }
  ~RecordingResponder() override { --record_.responders; }
  RecordingResponder(const RecordingResponder&) = delete;
  RecordingResponder& operator=(const RecordingResponder&) = delete;

  void body(std::string_view piece) override { record_.tell("body", " " + std::string(piece)); }
  void body_end() override { record_.tell("body_end"); }
  void drained() override { record_.tell("drained"); }
  void tick() override { record_.tell("tick"); }
  void ended(const session::ExchangeEnd& end) override {
    ++record_.responders_ended;
    record_.tell("ended", text_of(end));
  }

 private:
  ExchangeRecord& record_;
};

/// What goes on after a wait, with a responder of its own.
class RecordingVisit final : public session::Visit {
 public:
  explicit RecordingVisit(ExchangeRecord& record) : record_(record) { ++record_.visits; }
  ~RecordingVisit() override { --record_.visits; }
  RecordingVisit(const RecordingVisit&) = delete;
  RecordingVisit& operator=(const RecordingVisit&) = delete;

  void go_on(session::Exchange& exchange) override {
    CHECK(record_.responders == 0);
    if (record_.with == ExchangeRecord::With::responder) exchange.set_responder(std::make_unique<RecordingResponder>(record_));
    record_.tell("go_on");
  }

 private:
  ExchangeRecord& record_;
};

/// If there is no responder, an observer may hear of the end within respond().
class RecordingObserver final : public session::ExchangeObserver {
 public:
  explicit RecordingObserver(ExchangeRecord& record) : record_(record) {
    ++record_.observers;
    ++record_.observers_made;
  }
  ~RecordingObserver() override { --record_.observers; }
  RecordingObserver(const RecordingObserver&) = delete;
  RecordingObserver& operator=(const RecordingObserver&) = delete;

  void ended(const session::ExchangeEnd& end) override {
    if (record_.responders_ended > 0) CHECK_FALSE(record_.in_call);
    ++record_.observers_ended;
    record_.add("observed" + text_of(end));
  }
  [[nodiscard]] const void* owner() const override { return &record_; }

 private:
  ExchangeRecord& record_;
};

/// The session that follows a switch.
class Follower final : public session::Session {
 public:
  explicit Follower(ExchangeRecord& record) : record_(record) {}
  std::size_t input(std::span<char> bytes) override {
    record_.add("follower input");
    return bytes.size();
  }
  void end_of_input() override {}
  void shut_down() override {}

 private:
  ExchangeRecord& record_;
};

/// Frames nothing: it writes down what it has to send. Its link brings heads of requests, or words that say what to report about a
/// body. Something that cannot come in that stage is "not taken".
class PlainFraming final : public session::Session, public session::ExchangeCore {
 public:
  PlainFraming(session::Link& link, session::HttpContext& context, ExchangeRecord& record)
      : ExchangeCore(link, context), record_(record) {
    record_.exchange = this;
  }
  ~PlainFraming() override {
    record_.exchange = nullptr;
    exchange_ended();
  }
  PlainFraming(const PlainFraming&) = delete;
  PlainFraming& operator=(const PlainFraming&) = delete;

  std::size_t input(std::span<char> bytes) override {
    const std::string_view text(bytes.data(), bytes.size());
    if (text == "piece" || text == "rest") take_body(text);
    else if (text == "fault") take_fault();
    else if (stage() != Stage::idle) record_.add("not taken");
    else take_head(text);
    std::ranges::fill(bytes, '-');  // lent during the call
    return bytes.size();
  }
  void start() override { set_deadline(link().now() + context().limits.head_time); }
  void end_of_input() override {}
  void room() override { exchange_room(); }
  void turn() override { exchange_turn(); }
  void deadline() override { exchange_deadline(); }
  void shut_down() override {}
  void ended() override { exchange_ended(); }

  [[nodiscard]] ExchangeRecord& record() const { return record_; }
  [[nodiscard]] std::string stage_name() const {
    switch (stage()) {
      case Stage::idle: return "idle";
      case Stage::open: return "open";
      case Stage::dropping: return "dropping";
      case Stage::switched: return "switched";
    }
    return {};
  }

 private:
  void take_head(std::string_view text) {
    codec::RequestParser& parser = context().scratch;
    parser.reset();
    if (parser.parse(text) != codec::RequestParser::State::done) return refuse({400, "no"});
    left_ = parser.head().content_length;
    last_ = false;
    request_came(parser.head(), Behind::nothing);
  }
  void take_body(std::string_view what) {
    if (!takes_body()) return record_.add("not taken");
    body_heard();
    left_ = what == "rest" ? 0 : std::max<std::uint64_t>(left_, 2) - 1;  // more of a body in chunks may come than was known
    if (what == "rest") body_came();
    else piece_came("a");
    await_body();
  }
  /// As if the client ends within a body, whoever reads it.
  void take_fault() {
    if (takes_body() || (stage() == Stage::open && !body_complete())) return body_failed({400, "no"});
    record_.add("not taken");
  }

  void send(const std::string& what) {
    record_.add(what);
    link().out().append("#");
  }
  void send_head(const session::Response& response, Content content, std::optional<std::uint64_t> length) override {
    CHECK((content == Content::sized) == length.has_value());
    const std::string how = length ? std::to_string(*length) : content == Content::open ? "open" : "bare";
    send("head " + std::to_string(response.status) + " " + how);
  }
  void send_piece(std::string_view piece) override {
    send("piece");
    link().out().append(piece);
  }
  void send_end() override { send("end"); }
  void send_interim(int status, const session::Fields& /*fields*/) override { send("interim " + std::to_string(status)); }
  int send_switch(std::string_view protocol, const session::Fields& /*fields*/) override {
    send("switch " + std::string(protocol));
    return 101;
  }
  void make_last(Reason reason) override {
    last_ = true;
    record_.add("make_last " + name_of(reason));
  }
  [[nodiscard]] bool is_last() const override { return last_; }
  void reset(Reason reason) override {
    record_.add("reset " + name_of(reason));
    link().abort();
  }
  void next() override {
    CHECK(stage() == Stage::idle);
    CHECK(head() == nullptr);
    record_.add("next");
    if (last_) link().finish();
    else set_deadline(link().now() + context().limits.idle);
  }
  [[nodiscard]] BodyLeft body_left() const override { return {left_, false}; }
  void intake_changed() override { record_.add("intake"); }
  void idle_late() override { record_.add("idle_late"); }

  static std::string name_of(Reason reason) {
    switch (reason) {
      case Reason::response_broken: return "response_broken";
      case Reason::request_broken: return "request_broken";
      case Reason::body_unwanted: return "body_unwanted";
    }
    return {};
  }

  ExchangeRecord& record_;
  std::uint64_t left_ = 0;  // of the request's body
  bool last_ = false;
};

/// A body of that many bytes, ten at a time.
class Tens final : public session::BodySource {
 public:
  explicit Tens(std::size_t size) : size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  std::size_t read(base::OutQueue& out, std::size_t most) override {
    const std::size_t part = std::min<std::size_t>(most, 10);
    out.append(std::string(part, 'b'));
    return part;
  }

 private:
  std::size_t size_;
};

/// One exchange in memory, with its handler, responder and observers.
struct ExchangeBench final : session::Handler {
  using With = ExchangeRecord::With;

  explicit ExchangeBench(With with = With::responder) {
    record.with = with;
    context.limits.dropped_body = 5;
    link->open(std::make_unique<PlainFraming>(*link, context, record));
  }
  ~ExchangeBench() { link.reset(); }
  ExchangeBench(const ExchangeBench&) = delete;
  ExchangeBench& operator=(const ExchangeBench&) = delete;

  void handle(session::Exchange& exchange) override {
    exchange.observe(std::make_unique<RecordingObserver>(record));
    if (record.with == With::responder) exchange.set_responder(std::make_unique<RecordingResponder>(record));
    record.tell("handle");
  }
  void refused(const session::LinkPeer& /*peer*/, const session::ExchangeEnd& end) override {
    record.add("refused" + text_of(end));
  }

  void run() {
    if (link) link->run();
  }
  void advance(std::int64_t seconds) {
    now += base::Time{seconds * 1000};
    run();
  }
  /// From outside all calls; its consequences follow.
  void call(const ExchangeRecord::Deed& deed) {
    record.call(deed);
    run();
  }
  [[nodiscard]] std::string stage() const {
    return record.exchange == nullptr ? "gone" : static_cast<const PlainFraming*>(record.exchange)->stage_name();
  }

  base::ChunkPool pool;
  session::OutputLimits limits{.low_water = 0, .high_water = 40, .hard_cap = 400};
  base::Time now{1'000'000};
  base::Log log{base::LogLevel::debug, [](base::LogLevel, std::string_view) {}, {.peers = 0, .program = 0, .now = {}}};
  session::HttpContext context{*this, {}, log};
  ExchangeRecord record;
  std::unique_ptr<session::MemoryLink> link = std::make_unique<session::MemoryLink>(pool, limits, now);
};

}  // namespace wharf::test
