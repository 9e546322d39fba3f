#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "access/clients.h"
#include "base/log.h"
#include "protocol/table.h"
#include "server/certificates/certificate_keeper.h"
#include "server/doors.h"
#include "server/executors.h"
#include "server/hosts/change.h"
#include "server/hosts/clerk.h"
#include "server/life/service_manager.h"
#include "server/life/takeover.h"
#include "server/life/watchdog.h"
#include "server/worker.h"
#include "wharf/server.hpp"

namespace wharf {

/// What a Server is: what it was given, and its loops.
class Server::Implementation {
 public:
  explicit Implementation(ServerOptions given);
  ~Implementation();
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  Error add(const wharf_row& row);
  Error add(const wharf_plugin& plugin);
  /// Before the start, or while the server runs on a thread that serves no loop.
  Error change_hosts(server::HostChange change);
  void change_hosts(server::HostChange change, Done done);
  Error load_plugin(const std::string& file);
  Error load_plugins(const std::string& folder);
  [[nodiscard]] std::vector<std::string> protocols() const;
  server::Doors& doors() { return doors_; }
  Error run(const std::function<void()>& ready);
  Error start(uv_loop_s* loop);
  void stop(std::function<void()> stopped) { end(Asked::stop, std::move(stopped)); }
  void drain(std::function<void()> stopped) { end(Asked::drain, std::move(stopped)); }
  Error hand_over(Successor successor);
  void reopen_logs();
  void reload();

 private:
  /// A worker, made and destroyed on its own thread; that of the first is whoever calls run(), or runs the caller's loop.
  struct Place {
    std::unique_ptr<server::Worker> worker;
    std::shared_ptr<server::CertificateKeeper> keeper;  // of the first, if a door has TLS; what threads bring back may find it gone
    std::thread thread;
    std::atomic<bool> turned{true};  ///< since it was asked to
    std::thread::id lives_on{};
  };
  /// What a change of the virtual hosts takes the place of.
  struct Before {
    std::ptrdiff_t at = 0;  // where the host is, or was
    VirtualHost host{};
  };
  /// What becomes of workers that have been made.
  enum class Verdict : std::uint8_t { serve, end };
  enum class Asked : std::uint8_t { nothing, drain, stop };

  [[nodiscard]] bool proxies() const;
  Error prepare(uv_loop_s* foreign);
  Error read_fronts();
  [[nodiscard]] server::RoomLimits room_limits() const;
  Error make_worker(std::size_t number, uv_loop_s* foreign);
  Error make_workers(const std::shared_future<Verdict>& verdict);
  void live(std::size_t number, std::promise<Error> made, const std::shared_future<Verdict>& verdict);
  void other_ended();
  void end_worker(Place& place);
  void stop_where_asked();
  void end(Asked how, std::function<void()> stopped);
  void begin_serving(io::Loop& own);
  void end_serving();
  void tell_serving();
  Error begin_takeover(server::Program program);
  void handed_over(pid_t successor);
  void not_handed_over(std::string_view why);
  void watch_loops();
  void terminated(int number);
  void hung_up();
  void replaced();
  void stop_place(Place& place);
  void join();
  [[nodiscard]] bool running();
  [[nodiscard]] bool stops_or_has();
  [[nodiscard]] bool on_a_loop();
  [[nodiscard]] Error check_host(const VirtualHost& host) const;
  Error apply(server::HostChange& change, Before& before);
  void undo(const server::HostChange& change, Before& before);
  Error make_change(server::HostChange change);
  Error on_loops(const std::function<Error(server::Worker&)>& task);

  ServerOptions options_;
  base::Log log_;
  server::RowList rows_;
  std::mutex changing_;             // held while the hosts change, and while the loops are made of them
  std::vector<VirtualHost> hosts_;  // guarded by it
  codec::TrustedFronts fronts_;     // lent to the workers
  session::Statistics statistics_;  // outlives the workers
  server::Executors executors_;     // so do these
  server::Doors doors_;             // and these

  std::atomic<std::size_t> others_running_{0};  // loops, except the first
  int terminations_ = 0;                        // of signals, on the first loop's thread
  std::optional<server::Watchdog> watchdog_;    // of the first loop
  server::ServiceManager manager_;

  std::unique_ptr<io::Admission> admission_;  // of all workers, which it outlives
  std::unique_ptr<server::Clients> clients_;  // and so does this

  std::mutex mutex_;           // guards what follows: stop() comes from any thread
  std::vector<Place> places_;  // as many from the start to the end
  bool started_ = false;
  bool foreign_ = false;
  bool serving_ = false;  // by run()
  Asked asked_ = Asked::nothing;
  io::Backlog backlog_ = io::Backlog::served;
  std::function<void()> stopped_;
  std::unique_ptr<server::Takeover> takeover_;
  server::Clerk clerk_;  // last made and first gone
};

}  // namespace wharf
