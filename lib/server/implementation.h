#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "access/clients.h"
#include "base/log.h"
#include "protocol/table.h"
#include "server/certificates/certificate_keeper.h"
#include "server/doors.h"
#include "server/executors.h"
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

  Error add(const wharf_row& row) { return rows_.add(row); }
  Error add(const wharf_plugin& plugin);
  Error add(VirtualHost host);
  Error load_plugin(const std::string& file);
  Error load_plugins(const std::string& folder);
  [[nodiscard]] std::vector<std::string> protocols() const;
  server::Doors& doors() { return doors_; }
  Error run(const std::function<void()>& ready);
  Error start(uv_loop_s* loop);
  void stop(std::function<void()> stopped);
  void reopen_logs();
  void reload();

 private:
  /// A worker, made and destroyed on its own thread; that of the first is whoever calls run(), or runs the caller's loop.
  struct Place {
    std::unique_ptr<server::Worker> worker;
    std::shared_ptr<server::CertificateKeeper> keeper;  // of the first, if a door has TLS; what threads bring back may find it gone
    std::thread thread;
  };
  /// What becomes of workers that have been made.
  enum class Verdict : std::uint8_t { serve, end };

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
  void terminated();
  void stop_place(Place& place);
  void join();

  ServerOptions options_;
  base::Log log_;
  server::RowList rows_;
  std::vector<VirtualHost> hosts_;
  codec::TrustedFronts fronts_;     // lent to the workers
  session::Statistics statistics_;  // outlives the workers
  server::Executors executors_;     // so do these
  server::Doors doors_;             // and these

  std::atomic<std::size_t> others_running_{0};  // loops, except the first
  int terminations_ = 0;                        // of signals, on the first loop's thread

  std::unique_ptr<io::Admission> admission_;  // of all workers, which it outlives
  std::unique_ptr<server::Clients> clients_;  // and so does this

  std::mutex mutex_;           // guards what follows: stop() comes from any thread
  std::vector<Place> places_;  // as many from the start to the end
  bool started_ = false;
  bool foreign_ = false;
  bool stop_asked_ = false;
  std::function<void()> stopped_;
};

}  // namespace wharf
