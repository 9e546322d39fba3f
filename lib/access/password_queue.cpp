#include "access/password_queue.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "access/password_hash.h"
#include "base/log.h"

namespace wharf::server {
namespace {

/// A client or user that was never served counts as served this many turns before it came, so that an endless stream of newcomers
/// keeps nobody waiting for ever.
constexpr std::uint64_t lead_of_newcomers = 16;

}  // namespace

/// One password to be checked, for all exchanges that came with it. The thread that checks it touches only the first four members.
struct PasswordQueue::Check {
  enum class Stage : std::uint8_t { queued, running, over };
  enum class Standing : std::uint8_t { known_password, known_client, unknown };

  explicit Check(const PasswordQuestion& given)
      : credentials{given.credentials.user, given.credentials.password}, hash(given.hash), known(given.known) {}
  ~Check() { codec::wipe(credentials.password); }
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  [[nodiscard]] PasswordQuestion question() const { return {credentials, hash, known}; }

  codec::Credentials credentials;
  std::string hash;
  PasswordQuestion::Known known;
  bool right = false;

  std::uint64_t client = 0;  // keys
  std::uint64_t user = 0;
  std::uint64_t both = 0;
  std::uint64_t password = 0;  // with the user
  std::uint64_t came = 0;      // the turn in which it came
  Standing standing = Standing::unknown;
  Stage stage = Stage::queued;
  std::vector<PasswordAsker*> askers;
  std::vector<Waiting*> waiting;
};

/// An exchange that waits for a check. A check that nobody waits for any more is not begun.
struct PasswordQueue::Waiting final : session::Responder {
  Waiting(PasswordQueue& queue, PasswordAsker& from, std::shared_ptr<Check> awaited, session::Exchange& asked)
      : of(queue), asker(from), check(std::move(awaited)), exchange(asked) {
    check->waiting.push_back(this);
  }
  ~Waiting() override {
    check->waiting.erase(std::remove(check->waiting.begin(), check->waiting.end(), this), check->waiting.end());
    if (check->waiting.empty() && check->stage == Check::Stage::queued) of.take_off(*check);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  PasswordQueue& of;
  PasswordAsker& asker;
  std::shared_ptr<Check> check;
  session::Exchange& exchange;
};

PasswordQueue::PasswordQueue(Outside& outside) : outside_(outside), most_checks_(outside.threads(Executor::passwords)) {}

PasswordQueue::~PasswordQueue() = default;

/// A digest, because anybody can choose a user's name. If there are no digests, fairness is a matter of luck.
std::uint64_t PasswordQueue::key_of(std::string text) const {
  const auto digest = key_.digest(text);
  codec::wipe(text);
  std::uint64_t key = 0;
  if (digest) std::memcpy(&key, digest->data(), sizeof key);
  return key;
}

bool PasswordQueue::was_right(std::uint64_t key) const {
  const base::Time* const when = right_before_.find(key);
  return when != nullptr && outside_.now() - *when < right_for;
}

/// A browser opens several connections at once, each with the same credentials: one check is enough for all, whatever mounts they
/// ask for.
std::shared_ptr<PasswordQueue::Check> PasswordQueue::find(const PasswordQuestion& question) const {
  const auto same = std::find_if(checks_.begin(), checks_.end(), [&](const std::shared_ptr<Check>& each) {
    return each->credentials.user == question.credentials.user && each->hash == question.hash && each->known == question.known &&
           codec::equal_in_constant_time(each->credentials.password, question.credentials.password);
  });
  return same != checks_.end() ? *same : nullptr;
}

PasswordQueue::Asked PasswordQueue::ask(PasswordAsker& asker, const PasswordQuestion& question, session::Exchange& exchange) {
  std::shared_ptr<Check> check = find(question);
  if (!check) {
    check = std::make_shared<Check>(question);
    // The name of a user has no ':' (RFC 7617 section 2).
    const std::string client = exchange.client().client_network().text();
    const std::string& user = question.credentials.user;
    check->client = key_of("client:" + client);
    check->user = key_of("user:" + user);
    check->both = key_of(base::concat("both:", user, ":", client));
    check->password = key_of(base::concat("password:", user, ":", question.credentials.password));
    if (was_right(check->password)) check->standing = Check::Standing::known_password;
    else if (was_right(check->both)) check->standing = Check::Standing::known_client;
    check->came = turn_;
    if (!make_room(*check)) return Asked::crowded;
    checks_.push_back(check);
    run_next();
    if (check->stage == Check::Stage::over) return Asked::crowded;
  }
  try {
    if (std::find(check->askers.begin(), check->askers.end(), &asker) == check->askers.end()) check->askers.push_back(&asker);
    exchange.set_responder(std::make_unique<Waiting>(*this, asker, check, exchange));
  } catch (...) {
    if (check->waiting.empty() && check->stage == Check::Stage::queued) take_off(*check);
    throw;
  }
  return Asked::later;
}

void PasswordQueue::forget(const PasswordAsker& asker) {
  for (const std::shared_ptr<Check>& each : checks_)
    each->askers.erase(std::remove(each->askers.begin(), each->askers.end(), &asker), each->askers.end());
}

// ---- Room ----

/// False: there is no room for this one.
bool PasswordQueue::make_room(const Check& newcomer) {
  const auto count = [this](const auto& among) {
    return static_cast<std::size_t>(std::count_if(checks_.begin(), checks_.end(), [&among](const std::shared_ptr<Check>& each) {
      return each->stage == Check::Stage::queued && among(*each);
    }));
  };
  const auto of_client = [&newcomer](const Check& each) { return each.client == newcomer.client; };
  const auto of_user = [&newcomer](const Check& each) { return each.user == newcomer.user; };
  const auto of_all = [](const Check&) { return true; };
  if (count(of_client) >= most_of_client && !crowd_out(newcomer, of_client, &Check::user)) return false;
  if (count(of_user) >= most_of_user && !crowd_out(newcomer, of_user, &Check::client)) return false;
  return count(of_all) < most_queued || crowd_out(newcomer, of_all, &Check::client);
}

/// The largest crowd among these loses its last if it is larger than the newcomer's. Passwords that were right before are no crowd.
bool PasswordQueue::crowd_out(const Check& newcomer, const std::function<bool(const Check&)>& among, Group crowd) {
  std::map<std::uint64_t, std::size_t> sizes;
  std::shared_ptr<Check> last;
  for (const std::shared_ptr<Check>& each : checks_)
    if (each->stage == Check::Stage::queued && each->standing != Check::Standing::known_password && among(*each))
      ++sizes[(*each).*crowd];
  const std::size_t own = newcomer.standing == Check::Standing::known_password ? 0 : sizes[newcomer.*crowd];
  std::size_t most = own;
  for (const auto& [key, size] : sizes) most = std::max(most, size);
  if (most == own) return false;
  for (const std::shared_ptr<Check>& each : checks_)
    if (each->stage == Check::Stage::queued && each->standing != Check::Standing::known_password && among(*each) &&
        sizes[(*each).*crowd] == most)
      last = each;
  turn_away(*last);
  return true;
}

void PasswordQueue::turn_away(Check& check) {
  check.stage = Check::Stage::over;
  take_off(check);
  tell_all(check, PasswordAsker::Outcome::crowded);
}

/// If there is no memory for one of the responses, that costs one connection; the others still wait.
void PasswordQueue::tell_all(Check& check, PasswordAsker::Outcome outcome) noexcept {
  for (Waiting* each : std::exchange(check.waiting, {})) {
    session::Exchange& exchange = each->exchange;
    try {
      each->asker.tell(exchange, check.question(), outcome);
    } catch (...) {
      exchange.abort();
    }
  }
}

void PasswordQueue::take_off(const Check& check) {
  checks_.remove_if([&check](const std::shared_ptr<Check>& each) { return each.get() == &check; });
}

// ---- Turns ----

std::uint64_t PasswordQueue::served(std::uint64_t key) const {
  const std::uint64_t* const turn = served_.find(key);
  return turn != nullptr ? *turn : 0;
}

bool PasswordQueue::goes_before(const Check& one, const Check& other) const {
  const auto place = [this](const Check& check) {
    const std::uint64_t client = served(check.client);
    const std::uint64_t user = served(check.user);
    const std::uint64_t earliest = check.came > lead_of_newcomers ? check.came - lead_of_newcomers : 0;
    const bool waits = check.standing == Check::Standing::known_client && favoured_ == turn_;
    const Check::Standing standing = waits ? Check::Standing::unknown : check.standing;
    return std::tuple(standing, std::max({client, user, earliest}), std::max(std::min(client, user), earliest));
  };
  return place(one) < place(other);
}

std::shared_ptr<PasswordQueue::Check> PasswordQueue::next() const {
  std::shared_ptr<Check> first;
  for (const std::shared_ptr<Check>& each : checks_)
    if (each->stage == Check::Stage::queued && (!first || goes_before(*each, *first))) first = each;
  return first;
}

/// The thread may outlive everything here except what it holds itself; `done` is called only while the loop and the queue exist.
void PasswordQueue::run_next() {
  while (running_ < most_checks_) {
    const std::shared_ptr<Check> check = next();
    if (!check) return;
    const auto task = [check] {
      check->right = password_matches(check->credentials.password, check->hash) && check->known == PasswordQuestion::Known::yes;
    };
    bool begun = false;
    try {
      begun = outside_.work(Executor::passwords, {}, task, [this, check] { checked(*check); });
    } catch (...) {  // there is no memory for that
    }
    if (!begun) {
      if (running_ != 0) return;  // they wait until one of those ends
      turn_away(*check);
      continue;
    }
    check->stage = Check::Stage::running;
    ++running_;
    ++turn_;
    if (check->standing == Check::Standing::known_client) favoured_ = turn_;
    served_.write(check->client, turn_);
    served_.write(check->user, turn_);
  }
}

void PasswordQueue::checked(Check& check) {
  --running_;
  check.stage = Check::Stage::over;
  take_off(check);
  if (check.right) {
    const base::Time now = outside_.now();
    right_before_.write(check.both, now);
    right_before_.write(check.password, now);
    try {
      for (PasswordAsker* asker : check.askers) asker->found_right(check.question(), now);
    } catch (...) {  // there is no memory to begin, so those who wait are told
    }
  }
  tell_all(check, check.right ? PasswordAsker::Outcome::right : PasswordAsker::Outcome::wrong);
  run_next();
}

}  // namespace wharf::server
