#include "server/door_settings.h"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "base/log.h"

namespace wharf::server {
namespace {

constexpr std::string_view unix_network = "unix";
constexpr mode_t permissions = 0777;

bool is_unix(const io::Address& address) { return address.storage.ss_family == AF_UNIX; }
bool is_port(const io::Address& address) { return !is_unix(address); }
bool has_file(const io::Address& address) { return !address.path().empty(); }

bool asks_for_file(const Door& settings) {
  return settings.mode != Door{}.mode || !settings.owner.empty() || !settings.group.empty();
}

}  // namespace

std::string fault_of_settings(const Door& settings, std::span<const io::Address> addresses) {
  const auto cannot = [&addresses](std::string_view what) {
    return base::concat("cannot listen on ", addresses.front().text(), ": ", what);
  };
  if (settings.backlog < 0) return cannot("the backlog of a door is a number of connections, or 0 for Limits::backlog");
  if (settings.fast_open < 0) return cannot("the fast_open of a door is a number of connections, or 0 for none");
  if (settings.fast_open > 0 && std::ranges::none_of(addresses, is_port))
    return cannot("fast_open is for ports, and has no effect on a unix socket; leave it out");
  if (asks_for_file(settings) && std::ranges::none_of(addresses, has_file))
    return cannot(base::concat("mode, owner and group are those of a unix socket's file, and ",
                               is_port(addresses.front()) ? "a port" : "a name of the abstract kind", " has none; leave them out"));
  const auto& balancers = settings.proxy_header_from;
  const auto is_unix_network = [](const std::string& network) { return network == unix_network; };
  if (balancers.empty()) return {};
  if (std::ranges::none_of(addresses, is_unix) && std::ranges::all_of(balancers, is_unix_network))
    return cannot("PROXY headers are taken from unix sockets alone, and nobody comes to a port by one; name networks");
  if (std::ranges::none_of(addresses, is_port) && std::ranges::none_of(balancers, is_unix_network))
    return cannot("PROXY headers are taken from networks alone, and who comes to a unix socket is in none; name `unix`");
  return {};
}

std::string fault_of_lent_file(const Door& settings, const io::SocketFileAccess& wanted, const std::string& path) {
  struct stat file {};
  if (path.empty() || !asks_for_file(settings) || ::lstat(path.c_str(), &file) != 0) return {};
  const auto differs = [&path](std::string_view what, std::string_view option) {
    return base::concat("cannot listen on unix:", path, ": the ", what,
                        " of its file is another than the door's, and the service manager made it; set ", option,
                        " in the socket's unit, or leave it out here");
  };
  if (wanted.mode != Door{}.mode && (file.st_mode & permissions) != wanted.mode) return differs("mode", "SocketMode=");
  if (wanted.owner && file.st_uid != *wanted.owner) return differs("owner", "SocketUser=");
  if (wanted.group && file.st_gid != *wanted.group) return differs("group", "SocketGroup=");
  return {};
}

}  // namespace wharf::server
