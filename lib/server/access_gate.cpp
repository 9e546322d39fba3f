#include "server/access_gate.h"

#include <optional>
#include <utility>

#include "codec/basic_credentials.h"
#include "server/password_hash.h"

namespace wharf::server {

/// One password being checked. The thread of the pool touches the first four members alone.
struct AccessGate::Check {
  codec::Credentials credentials;
  std::string hash;
  Known known;  // else the hash is one that nothing matches, for the sake of the time
  bool right = false;
  session::Exchange* exchange = nullptr;  // nullptr: it is over
};

/// Keeps the check from an exchange that is gone.
struct AccessGate::Waiting final : session::Responder {
  explicit Waiting(std::shared_ptr<Check> of) : check(std::move(of)) {}
  ~Waiting() override { check->exchange = nullptr; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  std::shared_ptr<Check> check;
};

base::Result<std::unique_ptr<AccessGate>, std::string> AccessGate::open(const PasswordAccess& access, Outside* outside,
                                                                        base::Log& log) {
  auto challenge = codec::basic_challenge(access.realm);
  if (!challenge) return base::Failure{std::string("a realm of basic authentication is UTF-8 without control characters")};
  auto file = PasswordFile::load(access.file);
  if (!file) return base::Failure{file.error()};
  return std::unique_ptr<AccessGate>(new AccessGate(std::move(*file), std::move(*challenge), outside, log));
}

AccessGate::AccessGate(PasswordFile file, std::string challenge, Outside* outside, base::Log& log)
    : file_(std::move(file)), challenge_(std::move(challenge)), outside_(outside), log_(log) {}

AccessGate::~AccessGate() = default;

void AccessGate::refuse(session::Exchange& exchange) const {
  session::Response response = session::text_response(401, "Who you are, and your password, must be known here.");
  response.fields.emplace_back("WWW-Authenticate", challenge_);
  exchange.respond(std::move(response));
}

AccessGate::Verdict AccessGate::check(session::Exchange& exchange, std::string& user) {
  const codec::RequestHead& head = exchange.request();
  std::optional<codec::Credentials> credentials;
  if (head.count("Authorization") == 1) credentials = codec::parse_basic_credentials(head.field("Authorization"));
  if (!credentials) {
    refuse(exchange);
    return Verdict::refused;
  }
  const base::Time now = exchange.link().now();
  if (const auto reload = file_.reload_if_changed(now); !reload) log_.error(reload.error());
  const std::string hash = file_.hash_or_dummy(credentials->user);
  const Known known = file_.knows(credentials->user) ? Known::yes : Known::no;
  bool right = cache_.knows(*credentials, hash, now);
  if (!right && outside_ == nullptr) {
    right = password_matches(credentials->password, hash) && known == Known::yes;
    if (right) cache_.remember(*credentials, hash, now);
  }
  if (right || outside_ == nullptr) {
    codec::wipe(credentials->password);
    if (right) user = credentials->user;
    else refuse(exchange);
    return right ? Verdict::enters : Verdict::refused;
  }
  if (checks_ >= most_checks) {
    session::Response response = session::text_response(503, "Too many passwords are being checked.");
    response.fields.emplace_back("Retry-After", "1");
    exchange.respond(std::move(response));
    return Verdict::refused;
  }
  check_elsewhere(exchange, std::move(*credentials), hash, known);
  return Verdict::later;
}

/// The thread of the pool may outlive everything here but what it holds itself; `done` comes only while the loop and the gate are there.
void AccessGate::check_elsewhere(session::Exchange& exchange, codec::Credentials credentials, const std::string& hash,
                                 Known known) {
  auto check = std::make_shared<Check>(Check{std::move(credentials), hash, known, false, &exchange});
  exchange.set_responder(std::make_unique<Waiting>(check));
  ++checks_;
  outside_->work(
      [check] { check->right = password_matches(check->credentials.password, check->hash) && check->known == Known::yes; },
      [this, check] { checked(*check); });
}

void AccessGate::checked(Check& check) {
  --checks_;
  if (check.right) cache_.remember(check.credentials, check.hash, outside_->now());
  const bool remembered = check.right && cache_.knows(check.credentials, check.hash, outside_->now());
  codec::wipe(check.credentials.password);
  if (check.exchange == nullptr) return;
  if (remembered) check.exchange->handle_again();
  else if (check.right) check.exchange->respond(session::text_response(500, "This server can not remember who came in."));
  else refuse(*check.exchange);
}

}  // namespace wharf::server
