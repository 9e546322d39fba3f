#include "server/access_gate.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "codec/basic_credentials.h"
#include "server/password_hash.h"

namespace wharf::server {

/// One password to be checked, for all exchanges that came with it. The thread of the pool touches the first four members alone.
struct AccessGate::Check {
  enum class Stage : std::uint8_t { queued, running, over };

  Check(const codec::Credentials& given, std::string from_file, Known known_user, std::string from)
      : credentials{given.user, given.password}, hash(std::move(from_file)), known(known_user), client(std::move(from)) {}
  ~Check() { codec::wipe(credentials.password); }
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  codec::Credentials credentials;
  std::string hash;
  Known known;  // else the hash is one that nothing matches, for the sake of the time
  bool right = false;
  std::string client;  // its address
  Stage stage = Stage::queued;
  std::vector<Waiting*> waiting;
};

/// An exchange that waits for a check. A check that nobody waits for any more is not begun.
struct AccessGate::Waiting final : session::Responder {
  Waiting(AccessGate& of, std::shared_ptr<Check> awaited, session::Exchange& asked)
      : gate(of), check(std::move(awaited)), exchange(asked) {
    check->waiting.push_back(this);
  }
  ~Waiting() override {
    check->waiting.erase(std::remove(check->waiting.begin(), check->waiting.end(), this), check->waiting.end());
    if (check->waiting.empty() && check->stage == Check::Stage::queued) gate.take_off(*check);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  AccessGate& gate;
  std::shared_ptr<Check> check;
  session::Exchange& exchange;
};

namespace {

/// Without the port; of IPv6, what one client has for its own.
std::string client_of(const session::Link& link) { return link.peer().client_network().text(); }

void refuse_crowd(session::Exchange& exchange) {
  session::Response response = session::text_response(503, "Too many passwords are being checked.");
  response.fields.emplace_back("Retry-After", "1");
  exchange.respond(std::move(response));
}

}  // namespace

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
  if (const auto reload = file_.reload_if_changed(now); !reload) log_.error(base::LogKind("password files"), reload.error());
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
  const Verdict verdict = check_elsewhere(exchange, *credentials, hash, known);
  codec::wipe(credentials->password);
  return verdict;
}

/// A browser opens several connections at once, each with the same credentials: one check does for all.
AccessGate::Verdict AccessGate::check_elsewhere(session::Exchange& exchange, const codec::Credentials& credentials,
                                                const std::string& hash, Known known) {
  const auto same = std::find_if(checks_.begin(), checks_.end(), [&](const std::shared_ptr<Check>& each) {
    return each->credentials.user == credentials.user && each->hash == hash && each->known == known &&
           codec::equal_in_constant_time(each->credentials.password, credentials.password);
  });
  std::shared_ptr<Check> check;
  if (same != checks_.end()) {
    check = *same;
  } else {
    check = std::make_shared<Check>(credentials, hash, known, client_of(exchange.link()));
    if (!make_room(check->client)) {
      refuse_crowd(exchange);
      return Verdict::refused;
    }
    checks_.push_back(check);
    run_next();
    if (check->stage == Check::Stage::over) {
      refuse_crowd(exchange);
      return Verdict::refused;
    }
  }
  exchange.set_responder(std::make_unique<Waiting>(*this, std::move(check), exchange));
  return Verdict::later;
}

/// Where the queue is full, the client with the most checks in it loses its last: it is the crowd. False where that is this one.
bool AccessGate::make_room(std::string_view client) {
  const auto is_queued = [](const std::shared_ptr<Check>& check) { return check->stage == Check::Stage::queued; };
  const auto queued_of = [&](std::string_view whose) {
    return std::count_if(checks_.begin(), checks_.end(),
                         [&](const auto& each) { return is_queued(each) && each->client == whose; });
  };
  if (std::cmp_less(std::count_if(checks_.begin(), checks_.end(), is_queued), most_queued)) return true;
  std::shared_ptr<Check> last;
  std::ptrdiff_t most = queued_of(client);
  for (const std::shared_ptr<Check>& each : checks_) {
    if (!is_queued(each)) continue;
    if (const std::ptrdiff_t count = queued_of(each->client); count > most) {
      most = count;
      last = each;
    } else if (last && last->client == each->client) {
      last = each;
    }
  }
  if (!last) return false;
  turn_away(*last);
  return true;
}

void AccessGate::turn_away(Check& check) {
  check.stage = Check::Stage::over;
  take_off(check);
  for (Waiting* each : std::exchange(check.waiting, {})) refuse_crowd(each->exchange);
}

void AccessGate::take_off(const Check& check) {
  checks_.erase(std::remove_if(checks_.begin(), checks_.end(), [&check](const auto& each) { return each.get() == &check; }),
                checks_.end());
}

/// In turn by client, so that one with many passwords to try keeps the others waiting for no more than one of them. The thread of the
/// pool may outlive everything here but what it holds itself; `done` comes only while the loop and the gate are there.
void AccessGate::run_next() {
  const auto running_of = [this](std::string_view whose) {
    return std::count_if(checks_.begin(), checks_.end(),
                         [whose](const auto& each) { return each->stage == Check::Stage::running && each->client == whose; });
  };
  while (running_ < most_checks) {
    std::shared_ptr<Check> next;
    for (const std::shared_ptr<Check>& each : checks_)
      if (each->stage == Check::Stage::queued && (!next || running_of(each->client) < running_of(next->client))) next = each;
    if (!next) return;
    const auto check = [next] {
      next->right = password_matches(next->credentials.password, next->hash) && next->known == Known::yes;
    };
    if (!outside_->work(Executor::passwords, check, [this, next] { checked(*next); })) {
      if (running_ != 0) return;  // they wait for one of those
      turn_away(*next);
      continue;
    }
    next->stage = Check::Stage::running;
    ++running_;
  }
}

void AccessGate::checked(Check& check) {
  --running_;
  check.stage = Check::Stage::over;
  take_off(check);
  if (check.right) cache_.remember(check.credentials, check.hash, outside_->now());
  const bool remembered = check.right && cache_.knows(check.credentials, check.hash, outside_->now());
  for (Waiting* each : std::exchange(check.waiting, {})) {
    if (remembered) each->exchange.handle_again();
    else if (check.right) each->exchange.respond(session::text_response(500, "This server can not remember who came in."));
    else refuse(each->exchange);
  }
  run_next();
}

}  // namespace wharf::server
