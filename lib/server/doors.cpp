#include "server/doors.h"

#include <utility>

#include "base/standard_descriptors.h"
#include "server/tls_context.h"

namespace wharf::server {

Error Doors::listen(const std::string& interface, std::uint16_t port, Door settings) {
  base::occupy_standard_descriptors();  // including those that were closed meanwhile
  auto resolved = io::resolve_interface(interface, port);
  if (!resolved) return {resolved.error()};
  auto made = std::make_unique<OpenDoor>(OpenDoor{std::move(settings), *resolved});
  OpenDoor& door = *made;
  if (Error error = prepare(door)) return error;
  using Sharing = io::ListeningSocket::Sharing;
  const Sharing sharing = options_.threads > 1 ? Sharing::shared : Sharing::alone;
  if (sharing == Sharing::shared) {  // does not show whether another program has the port; this does, and finds a free one for 0
    auto probe = io::ListeningSocket::open(door.address, options_.limits.backlog, Sharing::alone);
    if (!probe) return {probe.error()};
    door.address = probe->address();
  }
  for (unsigned thread = 0; thread < options_.threads; ++thread) {
    auto socket = io::ListeningSocket::open(door.address, options_.limits.backlog, sharing, keep_alive_of(options_.limits));
    if (!socket) return {socket.error()};
    door.address = socket->address();
    door.sockets.push_back(std::move(*socket));
  }
  doors_.push_back(std::move(made));
  return {};
}

/// What a door needs besides its sockets.
Error Doors::prepare(OpenDoor& door) {
  if (!door.settings.tls) return {};
  auto context = tls_context(*door.settings.tls, door.address, log_);
  if (!context) return {context.error()};
  door.tls = std::move(*context);
  return {};
}

/// A path can be bound once: the loops share one socket.
Error Doors::listen_unix(const std::string& path, Door settings) {
  base::occupy_standard_descriptors();
  const auto address = io::unix_address(path);
  if (!address) return {"cannot listen on the unix socket '" + path + "': " + address.error()};
  auto first = io::ListeningSocket::open(*address, options_.limits.backlog, io::ListeningSocket::Sharing::alone);
  if (!first) return {first.error()};
  auto made = std::make_unique<OpenDoor>(OpenDoor{std::move(settings), *address});
  OpenDoor& door = *made;
  if (Error error = prepare(door)) return error;
  door.sockets.push_back(std::move(*first));
  while (door.sockets.size() < options_.threads) {
    auto another = door.sockets.front().duplicate();
    if (!another) return {another.error()};
    door.sockets.push_back(std::move(*another));
  }
  doors_.push_back(std::move(made));
  return {};
}

std::vector<std::string> Doors::raw_rows() const {
  std::vector<std::string> rows;
  for (const auto& door : doors_)
    if (!door->settings.raw.empty()) rows.push_back(door->settings.raw);
  return rows;
}

std::vector<std::string> Doors::addresses() const {
  std::vector<std::string> texts;
  for (const auto& door : doors_) texts.push_back(door->address.text());
  return texts;
}

Error Doors::use_hosts(const std::vector<VirtualHost>& /*hosts*/) { return {}; }

Error Doors::open_to(Worker& worker, std::size_t number) {
  for (const auto& door : doors_)
    if (Error error = worker.accept_from(std::move(door->sockets[number]), *door)) return error;
  return {};
}

void Doors::close() {
  for (const auto& door : doors_) door->sockets.clear();
}

}  // namespace wharf::server
