#include "io/resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/sheltered.h"
#include "io/work.h"

namespace wharf::io {
namespace {

constexpr std::size_t longest_name = 255;  // RFC 1035 section 2.3.4

std::string in_words(int status) {
  switch (status) {
    case EAI_NONAME:
    case EAI_NODATA: return "no such host";
    case EAI_SERVICE: return "no such port";
    case EAI_AGAIN: return "the name cannot be looked up for now";
    case EAI_SYSTEM: return std::system_category().message(errno);
    default: return gai_strerror(status);
  }
}

Found ask_system(const std::string& host, const std::string& port, int flags) {
  if (host.empty() || host.size() > longest_name) return {{}, "no such host"};
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags;
  addrinfo* first = nullptr;
  const int status = getaddrinfo(host.c_str(), port.c_str(), &wanted, &first);
  const bool is_final = status == EAI_NONAME || status == EAI_NODATA || status == EAI_SERVICE;
  if (status != 0) return {{}, in_words(status), !is_final};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(first, freeaddrinfo);
  Found found;
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next)
    if (Address address; copy_address(address, each->ai_addr)) found.addresses.push_back(address);
  if (found.addresses.empty()) found.failure = "no such host";
  return found;
}

}  // namespace

Found look_up_by_system(const std::string& host, const std::string& port) { return ask_system(host, port, AI_IDN); }

Found take_as_numbers(const std::string& host, const std::string& port) {
  return ask_system(host, port, AI_NUMERICHOST | AI_NUMERICSERV);
}

/// A name that is being looked up. The thread touches only the first two members, and the loop's thread reads `found` when it is
/// done.
struct Resolver::Name {
  base::Endpoint endpoint;
  Found found;
  std::list<Query*> waiting;
};

Resolver::Resolver(Loop& loop, Executor& executor, Lookup lookup)
    : loop_(loop), executor_(executor), lookup_(std::move(lookup)), self_(std::make_shared<Resolver*>(this)) {}

Resolver::~Resolver() {
  for (const auto& name : names_)
    while (!name->waiting.empty()) name->waiting.front()->forget();
}

void Resolver::Query::forget() {
  if (waiting_ != nullptr) std::exchange(waiting_, nullptr)->erase(place_);
}

bool Resolver::look_up(Query& query, const base::Endpoint& wanted, std::function<void(const Found&)> found) {
  auto each = std::find_if(names_.begin(), names_.end(), [&](const auto& other) { return other->endpoint == wanted; });
  if (each == names_.end()) {
    auto name = std::make_shared<Name>(Name{wanted, {}, {}});
    const auto task = [name, lookup = lookup_] { name->found = lookup(name->endpoint.host, name->endpoint.port); };
    const auto done = [name, self = std::weak_ptr<Resolver*>(self_)] {
      if (const auto there = self.lock()) (*there)->looked_up(*name);
    };
    std::list<std::shared_ptr<Name>> added{name};
    if (!work(loop_, executor_, task, done, wanted.host)) return false;  // if it throws instead, nobody may wait for it
    each = added.begin();
    names_.splice(names_.end(), added);
  }
  query.forget();
  query.found_ = std::move(found);
  std::list<Query*>& waiting = (*each)->waiting;
  query.place_ = waiting.insert(waiting.end(), &query);
  query.waiting_ = &waiting;
  return true;
}

std::shared_ptr<Resolver::Known> Resolver::known(const base::Endpoint& endpoint) {
  const auto each = std::find_if(known_.begin(), known_.end(), [&](const auto& known) { return known->endpoint == endpoint; });
  if (each == known_.end()) return nullptr;
  if (loop_.now() < (*each)->found_at + stale_time) return *each;
  known_.erase(each);
  return nullptr;
}

void Resolver::remember(const Name& name) {
  if (name.found.for_now) return;
  known_.remove_if([&name](const auto& known) { return known->endpoint == name.endpoint; });
  if (!name.found.failure.empty()) return;
  known_.push_back(std::make_shared<Known>(Known{name.endpoint, name.found.addresses, loop_.now()}));
  if (known_.size() > most_remembered) known_.pop_front();
}

/// Those who are told may ask for the same name again, or destroy queries of others.
void Resolver::looked_up(const Name& name) {
  const auto each = std::find_if(names_.begin(), names_.end(), [&name](const auto& other) { return other.get() == &name; });
  if (each == names_.end()) return;
  const std::shared_ptr<Name> over = std::move(*each);
  names_.erase(each);
  base::Log& log = loop_.log();
  base::sheltered(log, "to remember a name", [&] {
    if (over->found.addresses.empty() && over->found.failure.empty())
      over->found = {{}, "the name cannot be looked up for now", true};
    remember(*over);
  });
  while (!over->waiting.empty()) {
    Query& query = *over->waiting.front();
    query.forget();
    const auto found = std::exchange(query.found_, nullptr);
    base::sheltered(log, "what was to be done with a name", [&] { found(over->found); });  // the others still wait
  }
}

}  // namespace wharf::io
