/// Doors that the process was started with, and what its successor is started with.

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/standard_descriptors.h"
#include "server/door_settings.h"
#include "server/doors.h"
#include "server/life/inherited_sockets.h"

namespace wharf::server {
namespace {

/// Of the socket, not of the descriptor: duplicates have the same.
ino_t inode_of(const io::ListeningSocket& socket) {
  struct stat found {};
  return ::fstat(socket.descriptor(), &found) == 0 ? found.st_ino : 0;
}

}  // namespace

/// The door gets the sockets that the process was started with, if there are any for it.
Error Doors::take_inherited(OpenDoor& door) {
  door.asked = door.address.text();
  door.sockets = InheritedSockets::of_process().take(door.address);
  if (door.sockets.empty()) return {};
  door.address = door.sockets.front().address();
  if (Error error = adapt(door)) return error;
  return share_sockets(door);
}

/// A socket of the service manager's keeps what the door says nothing of; one of a predecessor is as if this server had made it.
Error Doors::adapt(const OpenDoor& door) const {
  const Door& settings = door.settings;
  const auto access = io::SocketFileAccess::of(settings.mode, settings.owner, settings.group);
  if (!access) return {"cannot listen on " + door.address.text() + ": " + access.error()};
  io::SocketSettings wanted = socket_settings(settings);
  wanted.access = *access;
  for (const io::ListeningSocket& socket : door.sockets) {
    const bool lent = socket.holder() == io::ListeningSocket::Holder::service_manager;
    std::string fault = lent ? fault_of_lent_file(settings, *access, socket.address().path()) : std::string();
    if (fault.empty()) fault = socket.adapt(lent ? settings.backlog : backlog_of(settings), wanted);
    if (!fault.empty()) return {std::move(fault)};
  }
  return {};
}

/// Each loop needs a socket: if there are too few, loops share some, and their backlogs.
Error Doors::share_sockets(OpenDoor& door) const {
  for (std::size_t next = 0; door.sockets.size() < options_.threads; ++next) {
    auto another = door.sockets[next].duplicate();
    if (!another) return {another.error()};
    door.sockets.push_back(std::move(*another));
  }
  return {};
}

/// Sockets of one name may have several addresses.
Error Doors::listen_inherited(const std::string& name, const Door& settings) {
  base::occupy_standard_descriptors();
  auto sockets = InheritedSockets::of_process().take_named(name);
  if (!sockets) return {sockets.error()};
  std::vector<std::unique_ptr<OpenDoor>> opened;
  for (io::ListeningSocket& socket : *sockets) {
    const std::string text = socket.address().text();
    auto place = std::find_if(opened.begin(), opened.end(), [&text](const auto& door) { return door->asked == text; });
    if (place == opened.end())
      place = opened.insert(place,
                            std::make_unique<OpenDoor>(OpenDoor{.settings = settings, .address = socket.address(), .asked = text}));
    (*place)->sockets.push_back(std::move(socket));
  }
  std::vector<io::Address> addresses;
  addresses.reserve(opened.size());
  for (const auto& door : opened) addresses.push_back(door->address);
  if (std::string fault = fault_of_settings(settings, addresses); !fault.empty()) return {std::move(fault)};
  if (Error error = prepare(*opened.front())) return error;
  for (auto& door : opened) {
    if (Error error = adapt(*door)) return error;
    door->tls = opened.front()->tls;
    door->proxy_networks = opened.front()->proxy_networks;
    if (Error error = share_sockets(*door)) return error;
  }
  for (auto& door : opened) doors_.push_back(std::move(door));
  return {};
}

/// One of each socket, for loops may share some. If there is no descriptor for it, a successor cannot have it; that shows then.
void Doors::keep() {
  const std::lock_guard lock(kept_mutex_);
  for (const auto& door : doors_) {
    std::vector<ino_t> known;
    for (const io::ListeningSocket& socket : door->sockets) {
      const ino_t inode = inode_of(socket);
      if (std::find(known.begin(), known.end(), inode) != known.end()) continue;
      known.push_back(inode);
      if (auto another = socket.duplicate()) kept_.push_back({std::move(*another), door->asked});
    }
  }
}

void Doors::close_kept() {
  const std::lock_guard lock(kept_mutex_);
  kept_.clear();
}

base::Result<Takeover::Passed, Error> Doors::passed() {
  const std::lock_guard lock(kept_mutex_);
  Takeover::Passed passed;
  using Kind = PassedDescriptor::Kind;
  for (const auto& [socket, asked] : kept_) {
    base::Descriptor another(::fcntl(socket.descriptor(), F_DUPFD_CLOEXEC, 0));
    if (!another) return base::Failure{Error{"the system has no descriptors left for a new process"}};
    passed.descriptors.push_back(std::move(another));
    // The successor takes the file that it finds for that of the socket, unless the file is none of its business.
    const bool lent = socket.holder() == io::ListeningSocket::Holder::service_manager || socket.has_lost_file();
    passed.names.push_back({.kind = lent ? Kind::lent : Kind::own, .address = asked, .name = socket.name()});
  }
  return passed;
}

void Doors::claim_files() {
  const std::lock_guard lock(kept_mutex_);
  for (const Kept& each : kept_) each.socket.claim_file();
}

void Doors::leave_files() {
  const std::lock_guard lock(kept_mutex_);
  for (const Kept& each : kept_) each.socket.leave_file();
}

}  // namespace wharf::server
