#pragma once
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "link/environment.h"
#include "wharf/mounts.hpp"

namespace wharf::server {

class FileMount;

/// Work that one or more exchanges wait for. On the loop's thread, except run(), which must touch nothing that the loop's thread
/// may touch meanwhile, and which may outlive the mount.
class FileJob {
 public:
  virtual ~FileJob() = default;
  virtual void run() = 0;
  /// After run(), or if it cannot be run: responds to one of those who waited.
  virtual void answer(session::Exchange& exchange) = 0;
  /// All have a response.
  virtual void over() {}
};

/// The work that the file mounts of one loop give to other threads: one job at a time for each path of a mount, and not too many in
/// all and for one mount. Some may wait for their turn.
class FileJobs {
 public:
  struct Bounds {
    std::size_t most = FileLimits{}.jobs;                      ///< under way
    std::size_t most_of_mount = FileLimits{}.jobs_of_mount;    ///< of these for one mount
    std::size_t most_waiting = FileLimits{}.waiting_listings;  ///< jobs that wait besides
  };
  /// Without `outside` everything is done at once. It outlives this; this outlives the mounts.
  FileJobs(Outside* outside, const Bounds& bounds);
  ~FileJobs();
  FileJobs(const FileJobs&) = delete;
  FileJobs& operator=(const FileJobs&) = delete;

  /// Whether start() would run a job on another thread at once.
  [[nodiscard]] bool has_room(const FileMount& mount) const;
  /// Whether start() would let a job wait otherwise.
  [[nodiscard]] bool may_wait() const;
  /// Whether there are other threads at all.
  [[nodiscard]] bool has_threads() const { return outside_ != nullptr; }

  /// Has the exchange wait for the job that is under way for that path. False: there is none.
  bool join(const FileMount& mount, std::string_view path, session::Exchange& exchange);
  /// Starts a job for that path, for which none is under way, and has the exchange wait for it. Only with has_room() or may_wait().
  void start(const FileMount& mount, std::string_view path, std::unique_ptr<FileJob> job, session::Exchange& exchange);
  /// Does the job here and now.
  static void run_here(FileJob& job, session::Exchange& exchange);

  /// The mount is destroyed: those who wait for one of its jobs get 503.
  void forget(const FileMount& mount);

 private:
  class Waiter;
  struct Waiting;

  bool begin(Waiting& waiting) noexcept;
  void begin_next();
  void finished(const FileJob& job);
  template <class Answer>
  static void each_leaves(Waiting& left, Answer&& answer) noexcept;
  static void answer_all(Waiting& done) noexcept;

  Outside* outside_;
  Bounds bounds_;
  std::list<std::unique_ptr<Waiting>> waiting_;
  std::shared_ptr<FileJobs*> self_;  // so that a job that ends later knows when this has gone
};

}  // namespace wharf::server
