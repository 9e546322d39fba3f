#include "server/host_mount.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "codec/http/basic_credentials.h"
#include "codec/http/head_writer.h"
#include "codec/http/target.h"
#include "files/listing.h"
#include "protocol/row_exchange.h"

namespace wharf::server {
namespace {

/// A browser heeds every policy of an answer, so this one allows what a listing of a folder brings along.
std::string security_lines(const Mount& mount) {
  const auto* files = std::get_if<Files>(&mount.serves);
  const bool lists = files != nullptr && files->listing == Listing::on;
  return base::concat("Content-Security-Policy: default-src 'self'; ", lists ? "style-src 'self' " : "",
                      lists ? listing_style : std::string_view(), lists ? "; " : "",
                      "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'\r\n"
                      "Referrer-Policy: no-referrer\r\n"
                      "X-Content-Type-Options: nosniff\r\n"
                      "X-Frame-Options: DENY\r\n");
}

constexpr std::array<int, 4> redirect_statuses{301, 302, 307, 308};

template <class... Calls>
struct Overloaded : Calls... {
  using Calls::operator()...;
};
template <class... Calls>
Overloaded(Calls...) -> Overloaded<Calls...>;

std::string check_fields(const Mount& mount) {
  for (const auto& [name, value] : mount.fields) {
    if (!base::is_token(name)) return "mount '" + mount.prefix + "': '" + name + "' is no name of a field";
    if (!base::is_field_value(value)) return "mount '" + mount.prefix + "': the value of " + name + " has a control character";
    if (codec::is_server_field(name)) return "mount '" + mount.prefix + "': " + name + " is written by the server itself";
  }
  return {};
}

std::string check_redirect(const Redirect& redirect) {
  if (std::find(redirect_statuses.begin(), redirect_statuses.end(), redirect.status) == redirect_statuses.end())
    return "a redirect has status 301, 302, 307 or 308, not " + std::to_string(redirect.status);
  const bool visible =
      std::all_of(redirect.location.begin(), redirect.location.end(), [](char c) { return c > ' ' && c < '\x7F'; });
  if (redirect.location.empty() || !visible)
    return "a redirect needs a location, percent-encoded: '" + redirect.location + "' is none";
  return {};
}

std::string check_fixed(const Fixed& fixed) {
  if (fixed.status < 200 || fixed.status > 599)
    return "a fixed answer has a status from 200 to 599, not " + std::to_string(fixed.status);
  if (!base::is_field_value(fixed.media_type)) return "the media type of a fixed answer has a control character";
  return {};
}

session::Response moved(int status, std::string location) {
  session::Response response = session::text_response(status, "It is at another place: " + location);
  response.fields.emplace_back("Location", std::move(location));
  return response;
}

}  // namespace

std::string HostMount::check(const Mount& mount) {
  if (mount.prefix.empty() || mount.prefix.front() != '/' || mount.prefix.back() != '/')
    return "mount prefix '" + mount.prefix + "' must start and end with '/'";
  if (const auto decoded = codec::percent_decode(mount.prefix); decoded && *decoded != mount.prefix)
    return "mount prefix '" + mount.prefix + "' is compared with decoded paths: write '" + *decoded + "'";
  if (mount.prefix.find_first_of(";\\") != std::string::npos || mount.prefix.find("//") != std::string::npos)
    return "mount prefix '" + mount.prefix + "' must not have ';', '\\' or '//', which servers read in different ways";
  if (mount.prefix.find("/./") != std::string::npos || mount.prefix.find("/../") != std::string::npos)
    return "mount prefix '" + mount.prefix + "' is never asked for: clients leave out '.' and '..'";
  if (mount.access && mount.access->file.empty()) return "mount '" + mount.prefix + "': its password file has no name";
  if (std::string fault = check_fields(mount); !fault.empty()) return fault;
  const Overloaded check_each{
      [](const Files& files) { return FileMount::check(files); },
      [&mount](const Requests& requests) {
        return requests.protocol.empty() ? "mount '" + mount.prefix + "' names no protocol" : std::string();
      },
      [](const Redirect& redirect) { return check_redirect(redirect); },
      [](const Proxy& proxy) { return ProxyMount::check(proxy); },
      [](const Fixed& fixed) { return check_fixed(fixed); },
  };
  return std::visit(check_each, mount.serves);
}

base::Result<std::unique_ptr<HostMount>, std::string> HostMount::open(const Mount& mount, session::Protocol* protocol,
                                                                      const MountParts& parts) {
  std::unique_ptr<HostMount> opened(new HostMount);
  opened->prefix_ = mount.prefix;
  if (mount.security == SecurityFields::on) opened->lines_ += security_lines(mount);
  for (const auto& [name, value] : mount.fields) (((opened->lines_ += name) += ": ") += value) += "\r\n";
  if (mount.access) {
    auto gate = AccessGate::open(*mount.access, parts.passwords, parts.log);
    if (!gate) return base::Failure{gate.error()};
    opened->gate_ = std::move(*gate);
  }
  if (const auto* files = std::get_if<Files>(&mount.serves)) {
    auto file_mount = FileMount::open(*files, parts.files);
    if (!file_mount) return base::Failure{file_mount.error()};
    opened->serves_ = std::move(*file_mount);
  } else if (const auto* requests = std::get_if<Requests>(&mount.serves)) {
    if (protocol == nullptr || protocol->row.http == nullptr)
      return base::Failure{"mount '" + mount.prefix + "': protocol '" + requests->protocol + "' answers no requests"};
    opened->serves_ = protocol;
  } else if (const auto* proxy = std::get_if<Proxy>(&mount.serves)) {
    ProxyLimits limits;
    limits.pipe_idle = parts.pipe_idle;
    auto proxy_mount = ProxyMount::open(*proxy, mount.prefix, parts.outside, &parts.log, limits);
    if (!proxy_mount) return base::Failure{proxy_mount.error()};
    opened->serves_ = std::move(*proxy_mount);
  } else if (const auto* redirect = std::get_if<Redirect>(&mount.serves)) {
    opened->serves_ = *redirect;
  } else {
    opened->serves_ = std::get<Fixed>(mount.serves);
  }
  return opened;
}

AccessGate::Verdict HostMount::enter(session::Exchange& exchange, std::string& user) const {
  return gate_ ? gate_->check(exchange, user) : AccessGate::Verdict::enters;
}

void HostMount::serve(session::Exchange& exchange, const RequestPath& path, std::string_view user) const {
  const Overloaded serve_each{
      [&](const std::unique_ptr<FileMount>& files) { serve_files(exchange, *files, path); },
      [&](session::Protocol* protocol) {
        session::RowExchange::serve(exchange, *protocol, {prefix_, user});
      },
      [&](const Redirect& to) { redirect(exchange, to, path); },
      [&](const std::unique_ptr<ProxyMount>& proxy) {
        if (lacks_slash(path) && proxy->adds_slash(exchange.request())) return add_slash(exchange, path);
        proxy->serve(exchange);
      },
      [&](const Fixed& fixed) {
        session::Response response;
        response.status = fixed.status;
        if (!fixed.media_type.empty()) response.fields.emplace_back("Content-Type", fixed.media_type);
        response.content = fixed.body;
        exchange.respond(std::move(response));
      },
  };
  std::visit(serve_each, serves_);
}

std::string HostMount::look_again() const {
  const auto* const files = std::get_if<std::unique_ptr<FileMount>>(&serves_);
  return files != nullptr ? (*files)->look_again() : std::string();
}

void HostMount::add_slash(session::Exchange& exchange, const RequestPath& path) const {
  const std::string query = path.query.empty() ? std::string() : base::concat("?", path.query);
  exchange.respond(moved(301, codec::percent_encode_path(prefix_) + query));
}

void HostMount::serve_files(session::Exchange& exchange, FileMount& files, const RequestPath& path) const {
  if (lacks_slash(path)) return add_slash(exchange, path);
  files.serve(exchange, path.decoded.substr(prefix_.size() - 1));
}

void HostMount::redirect(session::Exchange& exchange, const Redirect& redirect, const RequestPath& path) const {
  std::string location = redirect.location;
  if (location.back() == '/' && path.decoded.size() > prefix_.size()) {
    std::string_view rest = path.decoded.substr(prefix_.size());
    while (rest.starts_with('/')) rest.remove_prefix(1);  // "//" at the front would name another host
    location += codec::percent_encode_path(rest);
  }
  if (!path.query.empty()) location += base::concat(location.find('?') == std::string::npos ? "?" : "&", path.query);
  exchange.respond(moved(redirect.status, std::move(location)));
}

}  // namespace wharf::server
