/// How virtual hosts are added, changed and removed, before the server runs and while it does.

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/sheltered.h"
#include "observe/access_log.h"
#include "server/certificates/certificates.h"
#include "server/certificates/tls_context.h"
#include "server/host_mount.h"
#include "server/hosts/names.h"
#include "server/implementation.h"

namespace wharf {
namespace {

using server::HostChange;
using server::Worker;

std::string absolute_name(const std::string& name) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(name, error);
  return error ? name : whole.string();
}

/// Relative names are relative to the present working folder, even if that changes later.
void resolve_names(VirtualHost& host) {
  server::resolve_files(host.certificates);
  for (Mount& mount : host.mounts) {
    server::kind_of(mount).resolve(mount);
    if (mount.access) mount.access->file = absolute_name(mount.access->file);
  }
  if (std::string& log = host.access_log.file; !log.empty() && log != server::AccessLog::standard_output) log = absolute_name(log);
}

std::vector<std::string> given_names(const VirtualHost& host) {
  std::vector<std::string> names{host.name};
  names.insert(names.end(), host.aliases.begin(), host.aliases.end());
  return names;
}

/// The error names the first name of the host that it has twice, or that another has.
Error check_names(const VirtualHost& host, const std::vector<VirtualHost>& others, const VirtualHost* except) {
  const std::vector<std::string> given = given_names(host);
  const std::vector<std::string> names = server::names_of(host);
  std::set<std::string_view> known;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!known.insert(names[i]).second) return {"there are two virtual hosts '" + given[i] + "'"};
  for (const VirtualHost& other : others) {
    if (&other == except) continue;
    for (const std::string& name : server::names_of(other)) {
      const auto found = std::find(names.begin(), names.end(), name);
      if (found != names.end())
        return {"there are two virtual hosts '" + given[static_cast<std::size_t>(found - names.begin())] + "'"};
    }
  }
  return {};
}

Error stops() { return {"the server stops, or has stopped; its virtual hosts stay as they are"}; }

}  // namespace

/// By itself, and with the rows of the table.
Error Server::Implementation::check_host(const VirtualHost& host) const {
  if (std::string fault = server::Host::check(host); !fault.empty()) return {std::move(fault)};
  if (std::string fault = server::Certificates::check(host.certificates); !fault.empty()) return {std::move(fault)};
  std::vector<std::string> named = host.protocols;
  if (!host.default_protocol.empty()) named.push_back(host.default_protocol);
  for (const auto& [name, options] : host.options) named.push_back(name);
  for (const Mount& mount : host.mounts)
    if (const auto row = server::kind_of(mount).row_named(mount); !row.empty()) named.emplace_back(row);
  for (const std::string& name : named) {
    if (rows_.find(name) != nullptr) continue;
    std::string known;
    for (const std::string& row : protocols()) known += (known.empty() ? "" : ", ") + row;
    return {"there is no protocol '" + name + "'; there are: " + (known.empty() ? "none" : known)};
  }
  return {};
}

/// Makes the change in the list of hosts. What was there before is left in `before`, at the place `at`.
Error Server::Implementation::apply(HostChange& change, Before& before) {
  const bool removes = change.kind == HostChange::Kind::remove;
  if (removes) {
    if (const auto name = server::pattern_of_host(change.host.name); !name) return {name.error()};
  } else {
    if (Error error = check_host(change.host)) return error;
    resolve_names(change.host);
  }
  auto place = hosts_.end();
  if (change.kind != HostChange::Kind::add) {
    const std::string name = server::names_of(change.host).front();
    place = std::find_if(hosts_.begin(), hosts_.end(),
                         [&name](const VirtualHost& each) { return server::names_of(each).front() == name; });
    if (place == hosts_.end()) return {"there is no virtual host '" + change.host.name + "'"};
  }
  before.at = place - hosts_.begin();
  if (!removes)
    if (Error error = check_names(change.host, hosts_, place != hosts_.end() ? &*place : nullptr)) return error;
  if (place == hosts_.end()) {
    hosts_.push_back(change.host);
  } else if (removes) {
    before.host = std::move(*place);
    hosts_.erase(place);
  } else {
    before.host = std::exchange(*place, change.host);
  }
  return {};
}

void Server::Implementation::undo(const HostChange& change, Before& before) {
  const auto place = hosts_.begin() + before.at;
  if (change.kind == HostChange::Kind::add) hosts_.pop_back();
  else if (change.kind == HostChange::Kind::remove) hosts_.insert(place, std::move(before.host));
  else *place = std::move(before.host);
}

/// Waits until all loops that there are have done it, even after a failure. The error is that of the first that failed.
Error Server::Implementation::on_loops(const std::function<Error(Worker&)>& task) {
  std::vector<std::future<Error>> outcomes;
  Error error;
  {
    const std::lock_guard lock(mutex_);
    outcomes.reserve(places_.size());
    for (Place& place : places_) {
      if (!place.worker) continue;
      auto promise = std::make_shared<std::promise<Error>>();
      outcomes.push_back(promise->get_future());
      const auto call = [promise, &task, worker = place.worker.get()] {
        try {
          promise->set_value(task(*worker));
        } catch (...) {
          promise->set_exception(std::current_exception());
        }
      };
      if (!place.worker->loop().mailbox().post(call)) outcomes.pop_back();
    }
  }
  for (std::future<Error>& outcome : outcomes) {
    try {
      Error one = outcome.get();
      if (!error) error = std::move(one);
    } catch (const std::exception& fault) {
      if (!error) error = {base::concat("a loop could not change its virtual hosts: ", fault.what())};
    }
  }
  return error;
}

/// First each loop starts what is new, then the doors know the names, then each loop makes the change: what can fail comes before
/// anything is seen.
Error Server::Implementation::make_change(HostChange change) {
  const std::lock_guard changing(changing_);
  if (running() && stops_or_has()) return stops();
  Before before;
  if (Error error = apply(change, before)) return error;
  Error error;
  try {
    error = on_loops([&change](Worker& worker) { return worker.loop().stopping() ? stops() : worker.prepare(change); });
    if (!error) error = doors_.use_hosts(hosts_);
    const bool goes_on = !error;
    Error failed = on_loops([&change, goes_on](Worker& worker) {
      if (goes_on) worker.commit(change);
      else worker.give_up_change();
      return Error{};
    });
    if (!error && running() && change.kind != HostChange::Kind::remove) doors_.warn_of(change.host);
    if (!error) return failed;
  } catch (...) {
    undo(change, before);
    throw;
  }
  undo(change, before);
  return error;
}

Error Server::Implementation::change_hosts(HostChange change) {
  if (on_a_loop())
    return {
        "the thread of a loop cannot wait for the loops to change their virtual hosts; give the call what hears of the outcome"};
  return make_change(std::move(change));
}

void Server::Implementation::change_hosts(HostChange change, Done done) {
  const auto tell = [this, hears = std::move(done)](Error error) {
    if (hears) base::sheltered(log_, "what hears of a change of virtual hosts", [&] { hears(std::move(error)); });
  };
  if (!running()) return tell(make_change(std::move(change)));
  const bool taken = clerk_.ask([this, tell, asked = std::move(change)] {
    Error error;
    try {
      error = make_change(asked);
    } catch (const std::exception& fault) {
      error = {base::concat("the virtual hosts cannot be changed: ", fault.what())};
    }
    tell(std::move(error));
  });
  if (!taken) tell({"the system has no thread for a change of virtual hosts"});
}

// ---- The public face ----

Error Server::add(VirtualHost host) { return implementation_->change_hosts({HostChange::Kind::add, std::move(host)}); }
Error Server::change(VirtualHost host) { return implementation_->change_hosts({HostChange::Kind::change, std::move(host)}); }
Error Server::remove(const std::string& name, Removal how) {
  VirtualHost host;
  host.name = name;
  return implementation_->change_hosts({HostChange::Kind::remove, std::move(host), how});
}
void Server::add(VirtualHost host, Done done) {
  implementation_->change_hosts({HostChange::Kind::add, std::move(host)}, std::move(done));
}
void Server::change(VirtualHost host, Done done) {
  implementation_->change_hosts({HostChange::Kind::change, std::move(host)}, std::move(done));
}
void Server::remove(const std::string& name, Removal how, Done done) {
  VirtualHost host;
  host.name = name;
  implementation_->change_hosts({HostChange::Kind::remove, std::move(host), how}, std::move(done));
}

}  // namespace wharf
