#include "server/life/inherited_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace wharf::server {
namespace {

/// The first descriptor that systemd passes (sd_listen_fds(3)).
constexpr int first_passed = 3;

std::optional<std::string> take_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string text = value;
  unsetenv(name);
  return text;
}

std::optional<long> number_of(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  long value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

int option_of(int socket, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

bool is_socket(int descriptor, std::uint64_t inode) {
  struct stat found {};
  return fstat(descriptor, &found) == 0 && S_ISSOCK(found.st_mode) && found.st_ino == inode;
}

/// The number of a descriptor, and its name if it has one.
std::string label(int number, const std::string& name) {
  return name.empty() ? base::concat("descriptor ", number) : base::concat("descriptor ", number, " ('", name, "')");
}

}  // namespace

std::string fault_of_listening(int descriptor) {
  struct stat found {};
  if (fstat(descriptor, &found) != 0) return "it is not open";
  if (!S_ISSOCK(found.st_mode)) return "it is no socket";
  const int family = option_of(descriptor, SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return "it is neither a TCP nor a unix socket";
  if (const int type = option_of(descriptor, SO_TYPE); type != SOCK_STREAM)
    return type == SOCK_DGRAM ? "it is a datagram socket; in a socket's unit, use ListenStream=" : "it is no stream socket";
  if (option_of(descriptor, SO_ACCEPTCONN) != 1) return "it does not listen; in a socket's unit, use Accept=no";
  return {};
}

InheritedSockets& InheritedSockets::of_process() {
  static InheritedSockets the(take_variable);
  return the;
}

InheritedSockets::InheritedSockets(const Variables& variables) {
  if (const auto passed = variables(passed_variable)) read_passed(*passed);
  read_systemd(variables);
}

void InheritedSockets::add(base::Descriptor descriptor, io::ListeningSocket::Holder holder, std::string asked, std::string name) {
  const int number = descriptor.get();
  fcntl(number, F_SETFD, FD_CLOEXEC);
  std::string fault = fault_of_listening(number);
  io::Address address;
  if (fault.empty() && getsockname(number, address.get(), &address.size) != 0) fault = std::strerror(errno);
  sockets_.push_back({std::move(descriptor), holder, std::move(asked), std::move(name), address, std::move(fault)});
}

void InheritedSockets::read_passed(std::string_view text) {
  const auto all = server::read_passed(text);
  if (!all) {
    complaints_.push_back(base::concat("the environment variable ", passed_variable, " is not of the form that it should have; ",
                                       "nothing is taken over"));
    return;
  }
  for (const PassedDescriptor& each : *all) {
    if (!is_socket(each.number, each.inode)) {  // it belongs to somebody else
      complaints_.push_back(base::concat("the environment variable ", passed_variable, " names descriptor ", each.number,
                                         ", which is another one by now; it is not taken over"));
      continue;
    }
    base::Descriptor descriptor(each.number);
    using Kind = PassedDescriptor::Kind;
    using Holder = io::ListeningSocket::Holder;
    if (each.kind != Kind::ready) {
      add(std::move(descriptor), each.kind == Kind::lent ? Holder::service_manager : Holder::server, each.address, each.name);
      continue;
    }
    fcntl(each.number, F_SETFD, FD_CLOEXEC);
    ready_ = std::move(descriptor);
  }
}

/// The variables are removed even if they are meant for another process, as for the one that started this.
void InheritedSockets::read_systemd(const Variables& variables) {
  const auto process = number_of(variables("LISTEN_PID"));
  const auto given = variables("LISTEN_FDS");
  const auto names = variables("LISTEN_FDNAMES");
  variables("LISTEN_PIDFDID");
  if (!given || process != static_cast<long>(::getpid())) return;
  const auto count = number_of(given);
  if (!count || *count < 0 || *count > static_cast<long>(most_passed)) {
    complaints_.push_back(base::concat("LISTEN_FDS is '", *given, "', which is no number of descriptors; none is taken"));
    return;
  }
  std::string_view rest = names ? *names : std::string_view();
  for (int number = first_passed; number < first_passed + static_cast<int>(*count); ++number) {
    if (fcntl(number, F_GETFD) < 0) {  // whoever opens that one later keeps it
      complaints_.push_back(
          base::concat("LISTEN_FDS is '", *given, "', but descriptor ", number, " is not open; none from there on is taken"));
      return;
    }
    const std::string_view name = rest.substr(0, rest.find(':'));
    add(base::Descriptor(number), io::ListeningSocket::Holder::service_manager, {}, std::string(name));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
}

/// Those that have the same address are of one door. What is wrong with a socket does not hide the others.
template <class Wanted>
std::vector<io::ListeningSocket> InheritedSockets::take_if(const Wanted& wanted) {
  std::vector<io::ListeningSocket> taken;
  for (Inherited& each : sockets_) {
    if (!each.fault.empty() || !wanted(each)) continue;
    taken.push_back(io::ListeningSocket::adopt(std::move(each.descriptor), each.address, each.holder, each.name));
  }
  std::erase_if(sockets_, [](const Inherited& each) { return !each.descriptor; });
  return taken;
}

std::vector<io::ListeningSocket> InheritedSockets::take(const io::Address& address) {
  const std::lock_guard lock(mutex_);
  const std::string text = address.text();
  const auto found = std::find_if(sockets_.begin(), sockets_.end(), [&text](const Inherited& each) {
    return each.fault.empty() && (each.asked == text || each.address.text() == text);
  });
  if (found == sockets_.end()) return {};
  const std::string bound = found->address.text();
  return take_if([&bound](const Inherited& each) { return each.address.text() == bound; });
}

base::Result<std::vector<io::ListeningSocket>, std::string> InheritedSockets::take_named(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::string names;
  for (const Inherited& each : sockets_) {
    if (each.name == name && !each.fault.empty())
      return base::Failure{base::concat("cannot listen on ", label(each.descriptor.get(), name), ": ", each.fault)};
    if (!each.name.empty()) names += (names.empty() ? "" : ", ") + each.name;
  }
  auto taken = take_if([&name](const Inherited& each) { return each.name == name; });
  if (taken.empty())
    return base::Failure{base::concat(
        "no socket '", name, "' was passed to this process; there are: ", names.empty() ? "none" : std::string_view(names))};
  return taken;
}

std::vector<std::string> InheritedSockets::close_the_rest() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines = std::exchange(complaints_, {});
  for (Inherited& each : sockets_) {
    const std::string who = label(each.descriptor.get(), each.name);
    if (!each.fault.empty())
      lines.push_back(base::concat("a socket that was passed to this process is closed: ", who, ", ", each.fault));
    else
      lines.push_back(base::concat("a socket that was passed to this process is closed, as it is not configured: ", who, ", ",
                                   each.address.text()));
    if (each.fault.empty())  // as if it had been taken, so that the file of a unix socket that a predecessor made is removed
      io::ListeningSocket::adopt(std::move(each.descriptor), each.address, each.holder, each.name).claim_file();
  }
  sockets_.clear();
  return lines;
}

bool InheritedSockets::has_predecessor() {
  const std::lock_guard lock(mutex_);
  return static_cast<bool>(ready_);
}

void InheritedSockets::tell_ready() {
  const std::lock_guard lock(mutex_);
  if (!ready_) return;
  const char byte = '1';
  while (::send(ready_.get(), &byte, 1, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
  ready_ = base::Descriptor();
}

}  // namespace wharf::server
