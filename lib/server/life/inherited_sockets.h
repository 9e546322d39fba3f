#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "io/address.h"
#include "io/listener.h"
#include "server/life/passed_sockets.h"

namespace wharf::server {

/// The listening sockets that the process was started with, until a server takes them: from a predecessor (WHARF_SOCKETS) or from
/// systemd (LISTEN_FDS). The process has one of these, as it has one environment; from any thread.
class InheritedSockets {
 public:
  /// Reads a variable and removes it; nothing: there is none.
  using Variables = std::function<std::optional<std::string>(const char* name)>;

  /// The first call reads the environment, and removes the variables, so that programs that are started later do not see them; and
  /// has the descriptors closed when a program is started.
  static InheritedSockets& of_process();
  explicit InheritedSockets(const Variables& variables);
  InheritedSockets(const InheritedSockets&) = delete;
  InheritedSockets& operator=(const InheritedSockets&) = delete;
  ~InheritedSockets() = default;

  /// All sockets of one door that has, or was asked for, that address; none: there is no such door.
  [[nodiscard]] std::vector<io::ListeningSocket> take(const io::Address& address);
  /// All sockets of that name. The error says that there are none, or what is wrong with one, and which names there are.
  [[nodiscard]] base::Result<std::vector<io::ListeningSocket>, std::string> take_named(const std::string& name);

  /// Closes what nobody took, and returns a line about each, and about all else that was wrong.
  [[nodiscard]] std::vector<std::string> close_the_rest();

  /// Whether a predecessor waits until this process serves.
  [[nodiscard]] bool has_predecessor();
  /// Tells the predecessor, if there is one, that this process serves.
  void tell_ready();

 private:
  struct Inherited {
    base::Descriptor descriptor;
    io::ListeningSocket::Holder holder;
    std::string asked;    // the address that listen() was asked for
    std::string name;     // that systemd gave it
    io::Address address;  // that it has
    std::string fault;    // why nobody can accept there
  };

  void read_passed(std::string_view text);
  void read_systemd(const Variables& variables);
  void add(base::Descriptor descriptor, io::ListeningSocket::Holder holder, std::string asked, std::string name);
  template <class Wanted>
  std::vector<io::ListeningSocket> take_if(const Wanted& wanted);

  std::mutex mutex_;
  std::vector<Inherited> sockets_;
  std::vector<std::string> complaints_;
  base::Descriptor ready_;
};

/// Why nobody can accept on that descriptor, in a few words; empty: it is a stream socket that listens.
std::string fault_of_listening(int descriptor);

}  // namespace wharf::server
