#include "server/certificates/certificates.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "server/hosts/names.h"

namespace wharf::server {
namespace {

base::Time steady_now() { return std::chrono::duration_cast<base::Time>(std::chrono::steady_clock::now().time_since_epoch()); }

void append(std::vector<std::string>& all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

/// What is read, and what came of it.
class Certificates::Reading {
 public:
  struct Door {
    DoorSettings settings;
    std::optional<std::vector<tls::TicketKey>> keys{};
    std::optional<MadeContext> own{};
    std::vector<std::optional<MadeContext>> hosts{};  // nothing: the door's own
  };

  struct Client {
    TlsClient settings;
    std::shared_ptr<tls::CurrentContexts> current;
    std::optional<MadeContext> made{};
  };

  Cause cause = Cause::asked;
  std::uint64_t generation = 0;
  std::vector<Door> doors;
  std::vector<Client> clients;
  std::vector<HostSettings> hosts;
  std::vector<std::string> files;
  FileStates known;
  FileStates states;
  std::set<std::string> faults;
};

Certificates::Certificates(base::Log& log) : log_(log), own_tickets_(std::make_shared<tls::TicketKeys>(steady_now)) {}

// ---- Doors and hosts ----

base::Result<Certificates::OpenedDoor, std::string> Certificates::read_door(Tls settings, const io::Address& address) const {
  OpenedDoor door{{std::move(settings)}, nullptr};
  const Tls& tls = door.settings.tls;
  if (tls.certificates.empty()) {
    auto pair = made_certificate(address);
    if (!pair) return base::Failure{pair.error()};
    door.settings.made = std::move(*pair);
  }
  door.settings.tickets = own_tickets_;
  if (!tls.ticket_keys.empty()) {
    auto keys = read_ticket_keys(tls.ticket_keys);
    if (!keys) return base::Failure{keys.error()};
    door.settings.tickets = std::make_shared<tls::TicketKeys>(steady_now);
    door.settings.tickets->use(std::move(*keys));
  }
  auto own = tls_context(tls, {}, tls.certificates, door.settings.made, door.settings.tickets);
  if (!own) return base::Failure{own.error()};
  door.own = std::move(*own);
  return door;
}

base::Result<std::shared_ptr<const tls::CurrentContexts>, std::string> Certificates::open(Tls settings,
                                                                                          const io::Address& address) {
  resolve_files(settings);
  const FileStates states = states_of(files_of(settings));
  auto door = read_door(std::move(settings), address);
  if (!door) return base::Failure{door.error()};
  for (const std::string& line : door->own->warnings()) log_.warn(line);
  if (door->settings.tls.certificates.empty())
    log_.warn(
        "no certificate was given, so one was made that signs itself, and clients will not trust it; its SHA-256 fingerprint is ",
        door->settings.made.fingerprint);
  for (;;) {
    std::unique_lock lock(mutex_);
    const std::vector<HostSettings> hosts = hosts_;
    const std::uint64_t generation = generation_;
    lock.unlock();
    auto of_hosts = contexts_of_hosts(*door, {}, hosts);
    if (!of_hosts) return base::Failure{of_hosts.error()};
    lock.lock();
    if (generation != generation_) continue;
    door->hosts = std::move(*of_hosts);
    door->current = std::make_shared<tls::CurrentContexts>(name(*door, hosts_));
    known_.insert(states.begin(), states.end());
    ++generation_;
    return std::shared_ptr<const tls::CurrentContexts>(doors_.emplace_back(std::move(*door)).current);
  }
}

std::shared_ptr<const tls::NamedContexts> Certificates::name(const OpenedDoor& door, const std::vector<HostSettings>& hosts) {
  auto named = std::make_shared<tls::NamedContexts>(door.own, static_cast<tls::UnknownNames>(door.settings.tls.unknown_names));
  for (std::size_t i = 0; i < hosts.size(); ++i)
    for (const codec::HostPattern& pattern : hosts[i].patterns) named->add(pattern, door.hosts[i]);
  return named;
}

/// What is for all others has those of the door.
base::Result<std::vector<Certificates::HostSettings>, std::string> Certificates::read_names(const std::vector<VirtualHost>& hosts) {
  std::vector<HostSettings> settings;
  for (const VirtualHost& host : hosts) {
    HostSettings read{{}, host.certificates};
    std::vector<std::string> names{host.name};
    append(names, host.aliases);
    for (const std::string& name : names) {
      auto pattern = pattern_of_host(name);
      if (!pattern) return base::Failure{pattern.error()};
      if (*pattern) read.patterns.push_back(std::move(**pattern));
    }
    if (read.patterns.empty() && !host.certificates.empty())
      return base::Failure{std::string("a virtual host without a name has the certificates of each door; give them to the doors")};
    if (read.patterns.empty()) continue;
    resolve_files(read.certificates);
    settings.push_back(std::move(read));
  }
  return settings;
}

/// Those that the door has already, as far as the same files were asked for.
base::Result<std::vector<Certificates::SharedContext>, std::string> Certificates::contexts_of_hosts(
    const OpenedDoor& door, const std::vector<HostSettings>& present, const std::vector<HostSettings>& wanted) const {
  std::vector<SharedContext> contexts;
  for (const HostSettings& host : wanted) {
    SharedContext context;
    for (std::size_t i = 0; i < present.size() && !context; ++i)
      if (present[i].patterns == host.patterns && present[i].certificates == host.certificates) context = door.hosts[i];
    if (!context && !host.certificates.empty()) {
      auto made = tls_context(door.settings.tls, host.patterns.front().text(), host.certificates, {}, door.settings.tickets);
      if (!made) return base::Failure{made.error()};
      context = std::move(*made);
      for (const std::string& line : context->warnings()) log_.warn(line);
    }
    contexts.push_back(std::move(context));
  }
  return contexts;
}

Error Certificates::use_hosts(const std::vector<VirtualHost>& hosts) {
  auto settings = read_names(hosts);
  if (!settings) return {settings.error()};
  std::vector<std::string> files;
  for (const HostSettings& host : *settings) append(files, files_of(host.certificates));
  for (;;) {
    const FileStates states = states_of(files);
    std::unique_lock lock(mutex_);
    const std::vector<OpenedDoor> doors = doors_;
    const std::vector<HostSettings> present = hosts_;
    const std::uint64_t generation = generation_;
    lock.unlock();
    std::vector<std::vector<SharedContext>> contexts;
    for (const OpenedDoor& door : doors) {
      auto of_hosts = contexts_of_hosts(door, present, *settings);
      if (!of_hosts) return {of_hosts.error()};
      contexts.push_back(std::move(*of_hosts));
    }
    lock.lock();
    if (generation != generation_) continue;
    hosts_ = std::move(*settings);
    for (std::size_t i = 0; i < doors_.size(); ++i) {
      doors_[i].hosts = std::move(contexts[i]);
      doors_[i].current->replace(name(doors_[i], hosts_));
    }
    known_.insert(states.begin(), states.end());
    ++generation_;
    warn_of_names();
    return {};
  }
}

void Certificates::warn_of_names() const {
  const auto refuses = [](const OpenedDoor& door) { return door.settings.tls.unknown_names == UnknownNames::refused; };
  if (hosts_.empty() && std::any_of(doors_.begin(), doors_.end(), refuses))
    log_.warn("unknown names are refused, and no virtual host has a name, so all clients that ask for a name are refused");
}

std::string Certificates::check(std::vector<Certificate> certificates) {
  if (certificates.empty()) return {};
  resolve_files(certificates);
  const auto made = tls_context({}, {}, certificates, {}, nullptr);
  return made ? std::string() : made.error();
}

// ---- Our own connections ----

base::Result<std::shared_ptr<const tls::CurrentContexts>, std::string> Certificates::of_client(const TlsClient& settings) {
  using Found = std::shared_ptr<const tls::CurrentContexts>;
  const auto find = [this, &settings]() -> Found {
    std::erase_if(clients_, [](const OpenedClient& client) { return client.current.expired(); });
    const auto found = std::find_if(clients_.begin(), clients_.end(),
                                    [&settings](const OpenedClient& client) { return client.settings == settings; });
    return found != clients_.end() ? found->current.lock() : nullptr;
  };
  {
    const std::lock_guard lock(mutex_);
    if (Found found = find()) return found;
  }
  const FileStates states = states_of(files_of(settings));
  const auto made = tls_context(settings);
  if (!made) return base::Failure{made.error()};
  const auto current = std::make_shared<tls::CurrentContexts>(std::make_shared<tls::NamedContexts>(*made));
  {
    const std::lock_guard lock(mutex_);
    if (Found found = find()) return found;  // another loop was quicker
    clients_.push_back({settings, current});
    known_.insert(states.begin(), states.end());
  }
  for (const std::string& line : (*made)->warnings()) log_.warn(line);
  return Found(current);
}

std::string Certificates::check(const TlsClient& settings) {
  const auto made = tls_context(settings);
  return made ? std::string() : made.error();
}

// ---- Reading again ----

std::shared_ptr<Certificates::Reading> Certificates::begin(Cause cause) const {
  auto reading = std::make_shared<Reading>();
  reading->cause = cause;
  const std::lock_guard lock(mutex_);
  reading->generation = generation_;
  reading->hosts = hosts_;
  reading->known = known_;
  for (const OpenedDoor& door : doors_) {
    reading->doors.push_back({door.settings});
    append(reading->files, files_of(door.settings.tls));
  }
  for (const HostSettings& host : hosts_) append(reading->files, files_of(host.certificates));
  for (const OpenedClient& client : clients_) {
    auto current = client.current.lock();
    if (current == nullptr) continue;
    reading->clients.push_back({client.settings, std::move(current)});
    append(reading->files, files_of(client.settings));
  }
  return reading;
}

/// The states are those before the files are read, so what changes meanwhile is seen at the next look.
void Certificates::read(Reading& reading) {
  reading.states = states_of(reading.files);
  if (reading.cause == Cause::watched && reading.states == reading.known) return;
  for (Reading::Client& client : reading.clients) {
    client.made = tls_context(client.settings);
    if (!*client.made) reading.faults.insert(client.made->error());
  }
  for (Reading::Door& door : reading.doors) {
    const Tls& tls = door.settings.tls;
    std::string fault;
    if (!tls.ticket_keys.empty()) {
      auto keys = read_ticket_keys(tls.ticket_keys);
      if (keys) door.keys = std::move(*keys);
      else fault = keys.error();
    }
    door.own = fault.empty() ? tls_context(tls, {}, tls.certificates, door.settings.made, door.settings.tickets)
                             : MadeContext(base::Failure{fault});
    if (!*door.own) reading.faults.insert(door.own->error());
    for (const HostSettings& host : reading.hosts) {
      std::optional<MadeContext>& made = door.hosts.emplace_back();
      if (host.certificates.empty()) continue;
      made = tls_context(tls, host.patterns.front().text(), host.certificates, {}, door.settings.tickets);
      if (!*made) reading.faults.insert(made->error());
    }
  }
}

bool Certificates::apply(Reading& reading) {
  if (reading.cause == Cause::watched && reading.states == reading.known) return true;
  const std::lock_guard lock(mutex_);
  if (reading.generation != generation_) return false;
  ++generation_;
  for (const Reading::Client& client : reading.clients) {
    if (!client.made) reading.faults.insert("there was no memory to read the files");
    else if (*client.made) client.current->replace(std::make_shared<tls::NamedContexts>(**client.made));
  }
  for (std::size_t i = 0; i < reading.doors.size(); ++i) {
    Reading::Door& from = reading.doors[i];
    OpenedDoor& door = doors_[i];
    if (!from.own) {
      reading.faults.insert("there was no memory to read the files");
      continue;
    }
    if (*from.own) {
      door.own = std::move(**from.own);
      if (from.keys) door.settings.tickets->use(std::move(*from.keys));
    }
    for (std::size_t host = 0; host < from.hosts.size(); ++host)
      if (from.hosts[host] && *from.hosts[host]) door.hosts[host] = std::move(**from.hosts[host]);
    door.current->replace(name(door, hosts_));
  }
  say(reading);
  return true;
}

/// Files are not written all at once: what is wrong when a change is first seen may be right at the next look.
void Certificates::say(Reading& reading) {
  if (reading.cause == Cause::watched && !reading.faults.empty() && reading.states != bad_) {
    bad_ = reading.states;
    return;
  }
  for (const std::string& fault : reading.faults) log_.error("the certificates in use stay: ", fault);
  bad_.clear();
  known_ = std::move(reading.states);
  if (reading.faults.empty()) log_.info("the files of TLS were read again");
  warn_locked();
}

// ---- Looking after them ----

void Certificates::warn() const {
  const std::lock_guard lock(mutex_);
  warn_locked();
}

void Certificates::warn_locked() const {
  std::set<std::string> lines;
  const auto add = [&lines](const SharedContext& context) {
    if (context == nullptr) return;
    for (std::string& line : context->warnings()) lines.insert(std::move(line));
  };
  for (const OpenedDoor& door : doors_) {
    add(door.own);
    for (const SharedContext& host : door.hosts) add(host);
  }
  for (const OpenedClient& client : clients_)
    if (const auto current = client.current.lock()) add(current->get()->shared());
  for (const std::string& line : lines) log_.warn(line);
}

base::Time Certificates::watch_period() const {
  base::Time shortest{0};
  const std::lock_guard lock(mutex_);
  for (const OpenedDoor& door : doors_) {
    const base::Time period{door.settings.tls.watch};
    if (period > base::Time{0} && (shortest == base::Time{0} || period < shortest)) shortest = period;
  }
  return shortest;
}

bool Certificates::empty() const {
  const std::lock_guard lock(mutex_);
  return doors_.empty() && clients_.empty();
}

}  // namespace wharf::server
