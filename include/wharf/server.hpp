#pragma once
/// The server: a protocol table, virtual hosts, ports, loops. One program of a few lines:
///
///     wharf::Server server;
///     server.add(wharf::protocol<ReverseEcho>("reverse-echo"));
///     if (auto error = server.listen("127.0.0.1", 7681)) { std::cerr << error.message << '\n'; return 1; }
///     if (auto error = server.run()) { std::cerr << error.message << '\n'; return 1; }
///
/// Set it up from one thread; run() or start() comes last. From then on stop(), drain(), hand_over(), reopen_logs(), reload() and what
/// changes virtual hosts may be called from any thread, and nothing else.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wharf/abi.h"
#include "wharf/config.hpp"  // IWYU pragma: export
#include "wharf/hidden.hpp"

struct uv_loop_s;

namespace wharf {

/// A program that is started to take over from this one.
struct Successor {
  std::string program;                 ///< a path. Empty: the program that this process was started as, as it is on disk now
  std::vector<std::string> arguments;  ///< without the program's name. Only with a program; else it has those of this process
};

class WHARF_VISIBLE Server {
 public:
  explicit Server(ServerOptions options = {});
  /// A server on a caller's loop must have been stopped, and have called back; else there is a line on stderr and abort(). It does
  /// not wait for what its threads are doing, such as asking a name server that does not answer: such a thread ends by itself.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Adds a row to the protocol table. Fails if the name is taken, is not a token, or is `http`, or if the server runs already.
  Error add(const wharf_row& row);

  /// Adds the rows of a plugin that is part of the program (see WHARF_PLUGIN_SYMBOL in abi.h); all or none.
  Error add(const wharf_plugin& plugin);

  /// Adds the rows of one plugin. Fails if the file cannot be loaded, exports no wharf_plugin_export, was built for another ABI
  /// number, or brings a name that is taken; none of its rows is added then.
  Error load_plugin(const std::string& file);
  /// Loads every plugin (*.so) of a folder in the order of their names. One that is refused is logged as an error, and the others
  /// are loaded all the same. Fails if the folder cannot be read.
  Error load_plugins(const std::string& folder);

  /// Names in the protocol table, in its order.
  [[nodiscard]] std::vector<std::string> protocols() const;

  // ---- Virtual hosts. Without any, the server has one that serves all protocols and no files. ----
  //
  // They may also be added, changed and removed while the server runs, from any thread: one change after the other, on all loops or,
  // if one of them cannot, on none. A change has been made when the call returns; requests that come later see it, and those in
  // progress, open WebSockets and pipes live on with what they began with, which is destroyed when the last of them has ended.
  // docs/virtual-hosts.md says more.
  //
  // The calls wait for every loop, so a loop's thread may not make them: there they fail. It calls those with `done`, which return
  // at once. `done` gets the outcome, once, on a thread of the server that serves no loop and makes these changes in their order; or
  // within the call, if the server does not run yet, or the system has no thread. It may call anything of the server.

  /// What hears of the outcome of a change.
  using Done = std::function<void(Error)>;

  /// Fails if a folder cannot be read, a protocol is not in the table or cannot start, or a name is bad or taken.
  Error add(VirtualHost host);
  void add(VirtualHost host, Done done);
  /// Replaces the virtual host of that name with another of the same name: everything of it, the shared states of its protocols
  /// too. Fails as add() does, and if no host has that name; then the old one serves on.
  Error change(VirtualHost host);
  void change(VirtualHost host, Done done);
  /// Fails if no host has that name. Later requests for it get what ServerOptions::unknown_hosts says.
  Error remove(const std::string& name, Removal how = {});
  void remove(const std::string& name, Removal how, Done done);

  /// Binds a port. `interface` is an address (IPv4, IPv6), an interface like lo or a host name, which stand for all addresses that they
  /// have, or `*`: all addresses of the machine. Port 0 takes one that is free at all of them. IPv6 is taken alone, so :: and 0.0.0.0
  /// may have the same port. Fails, too, if a certificate or key of the door cannot be read, or they do not belong together, and, as
  /// the other two, if a setting of the door has no effect there. May be called several times.
  Error listen(const std::string& interface, std::uint16_t port, const Door& door = {});
  /// Binds a unix socket of that path, or `@` and an abstract name. A socket file that nobody listens on is replaced; it is removed
  /// when the server stops. Fails, too, if the file cannot have the door's mode, owner and group.
  Error listen_unix(const std::string& path, Door door = {});
  /// Listens on the sockets of that name which the process was started with: those that systemd passes (LISTEN_FDS, with the name
  /// of FileDescriptorName=), or those that a predecessor took over from there. Fails if there are none, or one is no stream socket
  /// that listens. listen() and listen_unix() take such a socket, too, if it has their address. What nobody has taken when a server
  /// of the process runs is closed, with a line in the log. docs/operating.md says more.
  Error listen_inherited(const std::string& name, const Door& door = {});
  /// What listen() bound, like 127.0.0.1:7681 or [::1]:7681, in the order of the calls.
  [[nodiscard]] std::vector<std::string> addresses() const;

  /// Serves on own loops, one of them on this thread, until stop(). `ready` is called once, on this thread, when everything is
  /// served and signals are heeded. Fails if a row or a loop cannot start.
  Error run(const std::function<void()>& ready = {});

  /// Serves on the caller's loop, which the caller runs; it outlives the server's stop. Only with one thread.
  Error start(uv_loop_s* loop);

  /// From any thread, even from a callback; the first call counts. Ports close at once, WebSocket peers get 1001, responses in
  /// progress are finished, what is left after Limits::stop_grace is cut. With start(), `stopped` is called on the loop's thread
  /// when nothing of the server is left in the loop; with run(), right before run() returns. It does not wait for other threads.
  void stop(std::function<void()> stopped = {});

  /// As stop(), but slowly, within Limits::drain_time: whoever waits to be accepted is still served, and then the ports close.
  /// Connections end after the response in progress, or after one to the next request if that comes within a second. WebSocket peers
  /// and pipes are ended one after the other, evenly over the first three quarters of that time. A later stop() ends it sooner; each
  /// of the two counts once.
  void drain(std::function<void()> stopped = {});

  /// From any thread while run() serves: starts a new process, with this one's environment, which takes over the listening sockets,
  /// so that no client notices. When a server of the new process serves, this one drains, without accepting anything more; run()
  /// then returns without an error. If the new process ends before that, or does not serve within Limits::takeover_time, it is
  /// killed, there is an error line in the log, and this server goes on. Fails if this server does not serve or stops already, or
  /// hands over already.
  Error hand_over(Successor successor = {});

  /// From any thread: opens the access logs again under their names, after something else has renamed them, and each folder of a
  /// mount that another has replaced under its name.
  void reopen_logs();

  /// From any thread while the server runs: reads all files of Tls and of VirtualHost::certificates again, on a thread for files, and
  /// uses what is new for handshakes that begin later; open connections go on as they are. What a door has of its own, and each
  /// virtual host, is replaced as a whole or not at all: if a file of it is bad, there is an error line in the log that names it, and
  /// the old goes on. docs/tls.md says more.
  void reload();

 private:
  class WHARF_HIDDEN Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace wharf
