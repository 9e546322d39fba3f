#pragma once
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/gate.h"
#include "base64.h"
#include "unit/files/mounted.h"
#include "unit/files/www_folder.h"

/// A gate for passwords and its clients, without sockets.
namespace wharf::server {

using session::MemoryLink;

// As in password_hash_test.cpp.
inline const std::string horse = "$2y$04$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312";     // correct horse
inline const std::string passwort = "$2y$05$K9U.Op9ub7s.8Hrtbe/mausMcJzd3JNDmgM4aZXKzlmyqo4BKrdw2";  // p\xC3\xA4ssw\xC3\xB6rd

inline const std::string alice = "Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n";  // correct horse
inline const std::string not_alice = "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n";          // wrong
inline const std::string bob = "Authorization: Basic Ym9iOnDDpHNzd8O2cmQ=\r\n";            // p\xC3\xA4ssw\xC3\xB6rd
inline const std::string carol = "Authorization: Basic Y2Fyb2w6Y29ycmVjdCBob3JzZQ==\r\n";  // correct horse; no user

/// Alice's name, or another, with another wrong password each.
inline std::string guess(int number, std::string_view user = "alice") {
  return "Authorization: Basic " + base64(base::concat(user, ":", number)) + "\r\n";
}

/// A password file with alice and bob.
struct Users : WwwFolder {
  Users() { set("alice:" + horse + "\nbob:" + passwort + "\n"); }
  void set(std::string_view text) const { write("users", text); }
  [[nodiscard]] PasswordAccess access() const { return {www() / "users", "the house"}; }
};

/// A gate for all requests; the response says who has come in.
class Gated final : private session::Handler {
 public:
  /// Passwords are checked on `thread`.
  explicit Gated(const Users& users) { open(users, &thread); }
  /// nullptr: passwords are checked on the loop's thread.
  Gated(const Users& users, Outside* outside) { open(users, outside); }

  std::unique_ptr<MemoryLink> connect(const std::string& address = "192.0.2.1:4711") {
    auto link = std::make_unique<MemoryLink>(pool_, output_, now);
    link->set_address(address);
    link->open(std::make_unique<session::H1>(*link, context_));
    return link;
  }
  /// A new connection with a request that has no response yet.
  std::unique_ptr<MemoryLink> begin(std::string_view fields, const std::string& address = "192.0.2.1:4712") {
    auto link = connect(address);
    link->receive(request(fields));
    CHECK(link->take().empty());
    return link;
  }
  /// The response on a connection, after its turn.
  static Answer answer_on(MemoryLink& link) {
    link.run();
    return Mounted::answer_on(link);
  }
  /// The response at once to this request, on a new connection.
  Answer get(std::string_view fields) {
    const auto link = connect();
    link->receive(request(fields));
    Answer answer = answer_on(*link);
    leave(*link);
    return answer;
  }
  /// The same, after its password has been checked.
  Answer get_checked(std::string_view fields) {
    const auto link = begin(fields);
    REQUIRE(thread.waiting() == 1);
    thread.do_one();
    Answer answer = answer_on(*link);
    leave(*link);
    return answer;
  }
  static std::string request(std::string_view fields) { return Mounted::head("GET", "/", fields); }
  static void leave(MemoryLink& link) {
    link.abort();
    link.run();
  }

  /// Requests must not come any more.
  void lose_gate() { gate_.reset(); }

  /// Whose X-Forwarded-For is believed.
  void trust(std::string_view network) {
    context_.fronts = {{*base::PeerNetwork::parse(network)}, codec::ForwardingFields::either};
  }

  base::Time now{1000};
  TestOutside thread{now};
  std::vector<std::string> log_lines;
  int handled = 0;  ///< requests, and those that went on

 private:
  void open(const Users& users, Outside* outside) {
    if (outside != nullptr) queue_.emplace(*outside);
    auto opened = AccessGate::open(users.access(), outside != nullptr ? &*queue_ : nullptr, log_);
    REQUIRE_MESSAGE(opened, opened.error());
    gate_ = std::move(*opened);
  }
  void handle(session::Exchange& exchange) override {
    ++handled;
    std::string user;
    const AccessGate::Verdict verdict = gate_->check(exchange, user);
    if (verdict == AccessGate::Verdict::enters) return welcome(exchange, user);
    CHECK(user.empty());
    if (verdict == AccessGate::Verdict::later) exchange.suspend(std::make_unique<Waiting>(*this));
  }
  void welcome(session::Exchange& exchange, const std::string& user) const {
    exchange.respond(session::text_response(200, "welcome " + user));
  }
  struct Waiting final : session::Visit {
    explicit Waiting(Gated& gate) : gated(gate) {}
    void go_on(session::Exchange& exchange) override {
      if (user.empty()) return gated.handle(exchange);
      ++gated.handled;
      gated.welcome(exchange, user);
    }
    Gated& gated;
  };

  base::Log log_{base::LogLevel::debug, [this](base::LogLevel level, std::string_view text) {
                   log_lines.push_back(base::concat(base::name_of(level), ": ", text));
                 }};
  base::ChunkPool pool_;
  session::OutputLimits output_;
  session::HttpContext context_{*this, session::HttpLimits{}, log_};
  std::optional<PasswordQueue> queue_;
  std::unique_ptr<AccessGate> gate_;
};

inline void check_refused(const Answer& answer) {
  CHECK(answer.status == 401);
  CHECK(answer.field("WWW-Authenticate") == R"(Basic realm="the house", charset="UTF-8")");
  CHECK_FALSE(answer.closed);
}

inline void check_entered(const Answer& answer, std::string_view user) {
  CHECK(answer.status == 200);
  CHECK(answer.body == base::concat("welcome ", user, "\n"));
  CHECK(answer.field("WWW-Authenticate") == "none");
}

}  // namespace wharf::server
