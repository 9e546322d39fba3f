#include "server/hosts/host.h"

#include <algorithm>
#include <utility>

#include "access/strict_transport.h"
#include "server/hosts/names.h"

namespace wharf::server {
namespace {

/// For a line of the log.
std::string named(const VirtualHost& host) {
  return host.name.empty() ? std::string("the default virtual host") : "the virtual host '" + host.name + "'";
}

}  // namespace

std::string Host::check(const VirtualHost& host) {
  if (const auto name = pattern_of_host(host.name); !name) return name.error();
  for (const std::string& alias : host.aliases) {
    const auto name = pattern_of_host(alias);
    if (!name) return name.error();
    if (!*name) return "virtual host '" + host.name + "': an alias is empty";
  }
  for (const Mount& mount : host.mounts)
    if (std::string fault = HostMount::check(mount); !fault.empty()) return fault;
  if (std::string fault = check_strict_transport(host); !fault.empty()) return fault;
  for (const std::string& origin : host.origins)
    if (std::string fault = AllowedOrigins::check(origin); !fault.empty()) return fault;
  if (std::string fault = RequestLimit::check(host.request_rate); !fault.empty()) return base::concat(named(host), ": ", fault);
  for (std::size_t i = 0; i < host.mounts.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (host.mounts[i].prefix == host.mounts[j].prefix) return "there are two mounts '" + host.mounts[i].prefix + "'";
  return {};
}

Host::Host(const VirtualHost& host) : names_(names_of(host)), origins_(host.origins) {}

base::Result<std::unique_ptr<Host>, Error> Host::start(const VirtualHost& host, const HostParts& parts) {
  std::unique_ptr<Host> started(new Host(host));
  const std::string strict = strict_transport_value(host.strict_transport_security);
  if (!strict.empty()) started->strict_transport_.add_always(strict_transport_field, strict);
  session::ExchangeLimits& exchange = started->exchange_limits_.emplace(parts.limits.exchange);
  apply(host.limits, exchange);
  if (host.limits == HostLimits{} && exchange.body == session::ExchangeLimits::any_size) started->exchange_limits_.reset();
  session::WsLimits ws = parts.limits.ws;
  apply(host.limits, ws);
  auto table = ProtocolTable::start(parts.rows, host, ws, parts.home);
  if (!table) return base::Failure{table.error()};
  started->table_ = std::move(*table);
  started->users_ = &started->table_->guests().users;
  if (!host.access_log.file.empty()) {
    auto log = RequestLog::open(host.access_log, parts.outside, parts.home.log);
    if (!log) return base::Failure{Error{log.error()}};
    started->log_ = std::move(*log);
  }
  if (parts.clients != nullptr) {
    started->requests_ = parts.clients->requests_of(named(host), host.request_rate);
    started->load_ = parts.clients->load_of(named(host), host.connections);
  }
  for (const Mount& mount : host.mounts) {
    auto opened = HostMount::open(mount, {parts.home.log, parts.files, *started->table_, ws.pipe_idle, parts.passwords,
                                          parts.outside, parts.clients, host.name, strict, &started->users()});
    if (!opened) return base::Failure{Error{opened.error()}};
    started->mounts_.push_back(std::move(*opened));
  }
  std::stable_sort(started->mounts_.begin(), started->mounts_.end(),
                   [](const auto& a, const auto& b) { return a->prefix().size() > b->prefix().size(); });
  return started;
}

bool Host::limits_requests() const {
  const auto limited = [](const auto& mount) { return mount->limits_requests(); };
  return exchange_limits_ || requests_ || load_ || std::any_of(mounts_.begin(), mounts_.end(), limited);
}

bool Host::admits(session::Exchange& exchange) const {
  return (!requests_ || requests_->admits(exchange)) && (!load_ || HostLoad::admits(load_, exchange));
}

bool Host::limit(session::Exchange& exchange) const {
  if (!exchange_limits_) return true;
  exchange.limit(*exchange_limits_);
  const codec::RequestHead& head = exchange.request();
  if (head.body != codec::BodyFraming::length || head.content_length <= exchange_limits_->body) return true;
  exchange.respond(session::text_response(413, session::body_too_large));
  return false;
}

const HostMount* Host::mount_for(std::string_view decoded_path) const {
  const auto found = std::find_if(mounts_.begin(), mounts_.end(), [&](const auto& mount) { return mount->matches(decoded_path); });
  return found != mounts_.end() ? found->get() : nullptr;
}

void Host::look_again(base::Log& log) {
  if (log_) log_->reopen();
  for (const auto& mount : mounts_)
    if (const std::string fault = mount->look_again(); !fault.empty()) log.error(fault);
}

void Host::retire(session::Users::Owner& owner) {
  users().tell(owner);
  for (const auto& mount : mounts_) mount->retire();
}

}  // namespace wharf::server
