#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "files/mount.h"
#include "http/h1.h"
#include "link/memory_link.h"
#include "unit/server/served.h"

namespace wharf::server {

/// Another thread that does its jobs when the test says so.
class TestThread final : public Outside {
 public:
  void connect(const base::Endpoint& to, base::Time limit, session::SessionMaker connected,
               std::function<void(std::string_view)> failed) override;
  [[nodiscard]] bool work(Executor on, std::string_view about, std::function<void()> task, std::function<void()> done) override {
    if (full == on) return false;
    if (has_no_memory) throw std::bad_alloc();
    abouts.emplace_back(about);
    jobs_.emplace_back(std::move(task), std::move(done));
    return true;
  }
  [[nodiscard]] std::size_t threads(Executor /*of*/) const override { return most; }
  void at_turn_end(std::function<void()> call) override { turn_end_.push_back(std::move(call)); }
  [[nodiscard]] std::uint64_t turn() const override { return turn_; }
  [[nodiscard]] base::Time now() const override { return base::Time{0}; }

  [[nodiscard]] std::size_t waiting() const { return jobs_.size(); }
  /// Does the first job, on another thread, and reports that it is done.
  void do_one() {
    do_task();
    tell();
  }
  /// Does the first job, and reports nothing.
  void do_task();
  /// Reports that it is done.
  void tell();
  /// The loop's turn ends.
  void end_turn();
  /// The loop stops: what was not done is dropped.
  void drop_all() { jobs_.clear(); }

  std::vector<std::string> abouts;  ///< of each job
  std::optional<Executor> full;     ///< accepts nothing more
  bool has_no_memory = false;       ///< for another job
  static constexpr std::size_t usual = 4;
  std::size_t most = usual;  ///< the number of threads that it claims to have

 private:
  std::deque<std::pair<std::function<void()>, std::function<void()>>> jobs_;
  std::vector<std::function<void()>> turn_end_;
  std::uint64_t turn_ = 1;
};

/// Limits under which a file counts as settled as soon as it is written.
FileLimits settled_at_once();

/// One mount of files for all paths, as a loop has it, on links without sockets.
class Mounted final : private session::Handler {
 public:
  explicit Mounted(const Files& files, const FileLimits& limits = settled_at_once(), TestThread* thread = nullptr,
                   OpenFolder::Resolution resolution = OpenFolder::Resolution::kernel);
  ~Mounted();

  std::unique_ptr<session::MemoryLink> connect();
  /// The response to this request, on a new connection.
  Answer ask(std::string_view request);
  /// `fields` are whole lines, each with its CRLF.
  Answer get(std::string_view target, std::string_view fields = {}) { return ask(head("GET", target, fields)); }
  static std::string head(std::string_view method, std::string_view target, std::string_view fields = {});
  /// The response on a connection; status 0 if there is none.
  static Answer answer_on(session::MemoryLink& link);
  /// The next turn of the loop, a millisecond later.
  void next_turn();
  [[nodiscard]] FileMount& mount() { return *mount_; }
  /// Destroys the mount; requests must not come any more.
  void unmount() { mount_.reset(); }

  base::Time now{1000};
  LoopFiles shared;

 private:
  void handle(session::Exchange& exchange) override;

  TestThread* thread_;
  base::Log log_{base::LogLevel::debug, [](base::LogLevel, std::string_view) {}};
  base::ChunkPool pool_;
  session::OutputLimits output_;
  std::unique_ptr<FileMount> mount_;
  session::HttpContext context_;
};

}  // namespace wharf::server
