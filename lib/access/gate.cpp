#include "access/gate.h"

#include <optional>
#include <utility>

#include "access/password_hash.h"
#include "codec/http/basic_credentials.h"

namespace wharf::server {
namespace {

void refuse_crowd(session::Exchange& exchange) {
  session::Response response = session::text_response(503, "Too many passwords are being checked.");
  response.fields.emplace_back("Retry-After", "1");
  exchange.respond(std::move(response));
}

}  // namespace

base::Result<std::unique_ptr<AccessGate>, std::string> AccessGate::open(const PasswordAccess& access, PasswordQueue* queue,
                                                                        base::Log& log) {
  auto challenge = codec::basic_challenge(access.realm);
  if (!challenge) return base::Failure{std::string("a realm of basic authentication is UTF-8 without control characters")};
  auto file = PasswordFile::load(access.file);
  if (!file) return base::Failure{file.error()};
  return std::unique_ptr<AccessGate>(new AccessGate(std::move(*file), std::move(*challenge), queue, log));
}

AccessGate::AccessGate(PasswordFile file, std::string challenge, PasswordQueue* queue, base::Log& log)
    : file_(std::move(file)), challenge_(std::move(challenge)), queue_(queue), log_(log) {}

AccessGate::~AccessGate() {
  if (queue_ != nullptr) queue_->forget(*this);
}

void AccessGate::refuse(session::Exchange& exchange) const {
  session::Response response = session::text_response(401, "Authentication required.");
  response.fields.emplace_back("WWW-Authenticate", challenge_);
  exchange.respond(std::move(response));
}

void AccessGate::reload(base::Time now) {
  if (const auto done = file_.reload_if_changed(now); !done) log_.error(base::LogKind("password files"), done.error());
}

AccessGate::Verdict AccessGate::check(session::Exchange& exchange, std::string& user) {
  const codec::RequestHead& head = exchange.request();
  std::optional<codec::Credentials> credentials;
  if (head.count("Authorization") == 1) credentials = codec::parse_basic_credentials(head.field("Authorization"));
  if (!credentials) {
    refuse(exchange);
    return Verdict::refused;
  }
  const base::Time now = exchange.now();
  reload(now);
  const std::string hash = file_.hash_or_dummy(credentials->user);
  const bool known = file_.knows(credentials->user);
  const PasswordQuestion question{*credentials, hash, known ? PasswordQuestion::Known::yes : PasswordQuestion::Known::no};
  Verdict verdict = Verdict::later;
  if (cache_.knows(*credentials, hash, now)) {
    verdict = Verdict::enters;
    user = credentials->user;
  } else if (queue_ == nullptr) {
    verdict = check_here(exchange, question, user);
  } else if (queue_->ask(*this, question, exchange) == PasswordQueue::Asked::crowded) {
    verdict = Verdict::refused;
    refuse_crowd(exchange);
  }
  codec::wipe(credentials->password);
  return verdict;
}

AccessGate::Verdict AccessGate::check_here(session::Exchange& exchange, const PasswordQuestion& question, std::string& user) {
  if (password_matches(question.credentials.password, question.hash) && question.known == PasswordQuestion::Known::yes) {
    found_right(question, exchange.now());
    user = question.credentials.user;
    return Verdict::enters;
  }
  refuse(exchange);
  return Verdict::refused;
}

void AccessGate::found_right(const PasswordQuestion& question, base::Time now) {
  cache_.remember(question.credentials, question.hash, now);
}

void AccessGate::tell(session::Exchange& exchange, const PasswordQuestion& question, Outcome outcome) {
  if (outcome == Outcome::crowded) return refuse_crowd(exchange);
  if (outcome == Outcome::wrong) return refuse(exchange);
  reload(exchange.now());
  // If the file has changed meanwhile, the password is checked again: the visit goes on without a user.
  const bool still = file_.hash_or_dummy(question.credentials.user) == question.hash;
  if (session::Visit* const visit = exchange.visit(); visit != nullptr && still) visit->user = question.credentials.user;
  exchange.resume();
}

}  // namespace wharf::server
