#include "server/doors.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/standard_descriptors.h"
#include "server/door_settings.h"

namespace wharf::server {
namespace {

/// If the setting cannot be read, there is nothing to complain of.
bool system_allows_fast_open() {
  int setting = 2;
  std::ifstream("/proc/sys/net/ipv4/tcp_fastopen") >> setting;
  return (setting & 2) != 0;
}

}  // namespace

Error Doors::listen(const std::string& interface, std::uint16_t port, const Door& settings) {
  base::occupy_standard_descriptors();  // including those that were closed meanwhile
  const auto addresses = io::listening_addresses(interface, port);
  if (!addresses) return {addresses.error()};
  if (std::string fault = fault_of_settings(settings, *addresses); !fault.empty()) return {std::move(fault)};
  // A port that is free at one address may be taken at another.
  static constexpr int most_tries = 20;
  std::vector<std::unique_ptr<OpenDoor>> opened;
  Error error = bind(opened, *addresses, settings);
  for (int tries = 1; error && port == 0 && opened.size() > 1 && tries < most_tries; ++tries) {
    opened.clear();
    error = bind(opened, *addresses, settings);
  }
  if (error) return error;
  if (Error fault = prepare(*opened.front())) return fault;
  for (const auto& door : opened) {
    door->tls = opened.front()->tls;
    door->proxy_networks = opened.front()->proxy_networks;
  }
  std::move(opened.begin(), opened.end(), std::back_inserter(doors_));
  if (settings.fast_open > 0 && !system_allows_fast_open())
    log_.warn("TCP Fast Open of ", doors_.back()->address.text(),
              " has no effect: the system does not allow it for servers; set net.ipv4.tcp_fastopen to 3");
  return {};
}

/// All addresses of one call have the same port.
Error Doors::bind(std::vector<std::unique_ptr<OpenDoor>>& opened, const std::vector<io::Address>& addresses, const Door& settings) {
  for (const io::Address& address : addresses) {
    opened.push_back(std::make_unique<OpenDoor>(OpenDoor{settings, address}));
    OpenDoor& door = *opened.back();
    if (door.address.port() == 0) door.address.set_port(opened.front()->address.port());
    if (Error error = open_port(door)) return error;
  }
  return {};
}

Error Doors::open_port(OpenDoor& door) {
  if (Error error = take_inherited(door)) return error;
  if (!door.sockets.empty()) return {};
  using Sharing = io::ListeningSocket::Sharing;
  const int backlog = backlog_of(door.settings);
  const Sharing sharing = options_.threads > 1 ? Sharing::shared : Sharing::alone;
  if (sharing == Sharing::shared) {  // does not show whether another program has the port; this does, and finds a free one for 0
    auto probe = io::ListeningSocket::open(door.address, backlog, Sharing::alone);
    if (!probe) return {probe.error()};
    door.address = probe->address();
  }
  const io::SocketSettings settings = socket_settings(door.settings);
  for (unsigned thread = 0; thread < options_.threads; ++thread) {
    auto socket = io::ListeningSocket::open(door.address, backlog, sharing, settings);
    if (!socket) return {socket.error()};
    door.address = socket->address();
    door.sockets.push_back(std::move(*socket));
  }
  return {};
}

int Doors::backlog_of(const Door& settings) const { return settings.backlog > 0 ? settings.backlog : options_.limits.backlog; }

io::SocketSettings Doors::socket_settings(const Door& settings) const {
  return {.keep_alive = keep_alive_of(options_.limits), .fast_open = settings.fast_open};
}

namespace {

/// What ALPN offers on a door. On one that is raw always, what its clients ask for is the row's business.
Error choose_alpn(Tls& tls, bool is_raw) {
  if (is_raw && !tls.raw_by_alpn.empty()) return {"a door that is always for one raw row has no others by ALPN"};
  if (tls.alpn.empty() && !is_raw) {
    for (const auto& [name, row] : tls.raw_by_alpn) tls.alpn.push_back(name);
    tls.alpn.emplace_back("http/1.1");
  }
  for (const auto& [name, row] : tls.raw_by_alpn) {
    if (name == "http/1.1") return {"http/1.1 is no raw protocol"};
    if (std::find(tls.alpn.begin(), tls.alpn.end(), name) == tls.alpn.end())
      return {
          base::concat("the raw protocol '", row, "' goes by the ALPN name '", name, "', which is not among those of the door")};
  }
  for (const std::string& name : tls.alpn)
    if (name.empty() || name.size() > 255) return {"a name of ALPN has 1 to 255 bytes, not " + std::to_string(name.size())};
  return {};
}

}  // namespace

/// What a door needs besides its sockets.
Error Doors::prepare(OpenDoor& door) {
  for (const std::string& text : door.settings.proxy_header_from) {
    const auto network = base::PeerNetwork::parse(text);
    if (!network) return {"PROXY headers: " + network.error()};
    door.proxy_networks.push_back(*network);
  }
  const bool is_raw = !door.settings.raw.empty() && door.settings.raw_use == RawUse::always;
  const PlainHttp plain = door.settings.plain_http;
  const bool has_no_choice = is_raw || (!door.settings.tls && plain != PlainHttp::redirected);
  if (has_no_choice && plain != PlainHttp::refused)
    return {"what becomes of plain HTTP can be chosen only for a door with HTTP, and without TLS it can only be redirected"};
  if (plain != PlainHttp::redirected && door.settings.https_port != 0)
    return {"a door that does not redirect plain HTTP has no use for https_port"};
  if (door.settings.raw.empty() && door.settings.raw_use == RawUse::fallback)
    return {"a door falls back to a raw row, and names none"};
  if (!door.settings.tls) return {};
  if (Error error = choose_alpn(*door.settings.tls, is_raw)) return error;
  auto contexts = certificates_.open(*door.settings.tls, door.address);
  if (!contexts) return {contexts.error()};
  door.tls = std::move(*contexts);
  return {};
}

/// A path can be bound once: the loops share one socket.
Error Doors::listen_unix(const std::string& path, Door settings) {
  base::occupy_standard_descriptors();
  const auto address = io::unix_address(path);
  if (!address) return {"cannot listen on the unix socket '" + path + "': " + address.error()};
  if (std::string fault = fault_of_settings(settings, {&*address, 1}); !fault.empty()) return {std::move(fault)};
  const auto access = io::SocketFileAccess::of(settings.mode, settings.owner, settings.group);
  if (!access) return {"cannot listen on the unix socket '" + path + "': " + access.error()};
  auto made = std::make_unique<OpenDoor>(OpenDoor{std::move(settings), *address});
  OpenDoor& door = *made;
  if (Error error = take_inherited(door)) return error;
  if (door.sockets.empty()) {
    using Sharing = io::ListeningSocket::Sharing;
    auto first = io::ListeningSocket::open(*address, backlog_of(door.settings), Sharing::alone, {.access = *access});
    if (!first) return {first.error()};
    door.sockets.push_back(std::move(*first));
  }
  if (Error error = prepare(door)) return error;
  if (Error error = share_sockets(door)) return error;
  doors_.push_back(std::move(made));
  return {};
}

void Doors::warn_of(const VirtualHost& host) const {
  if (std::ranges::any_of(doors_, [](const auto& door) { return door->tls != nullptr; })) return;
  const std::string who = host.name.empty() ? "the default virtual host" : base::concat("the virtual host '", host.name, "'");
  if (!host.certificates.empty()) log_.warn("the certificates of ", who, " have no effect: no door has TLS");
  const bool hears_of_tls = !options_.fronts.networks.empty() ||
                            std::ranges::any_of(doors_, [](const auto& door) { return !door->proxy_networks.empty(); });
  if (host.strict_transport_security.max_age.count() > 0 && !hears_of_tls)
    log_.warn("strict_transport_security of ", who,
              " has no effect: no door has TLS, and no server in front is trusted to say that requests came by it");
}

std::vector<std::string> Doors::raw_rows() const {
  std::vector<std::string> rows;
  for (const auto& door : doors_)
    if (!door->settings.raw.empty()) rows.push_back(door->settings.raw);
  for (const auto& door : doors_)
    if (door->settings.tls)
      for (const auto& [name, row] : door->settings.tls->raw_by_alpn) rows.push_back(row);
  return rows;
}

std::vector<std::string> Doors::addresses() const {
  std::vector<std::string> texts;
  for (const auto& door : doors_) texts.push_back(door->address.text());
  return texts;
}

Error Doors::open_to(Worker& worker, std::size_t number) {
  for (const auto& door : doors_)  // a door that was taken over may have more sockets than there are loops
    for (std::size_t each = number; each < door->sockets.size(); each += options_.threads)
      if (Error error = worker.accept_from(std::move(door->sockets[each]), *door)) return error;
  return {};
}

void Doors::close() {
  for (const auto& door : doors_) door->sockets.clear();
}

}  // namespace wharf::server
