#pragma once
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "server/life/passed_sockets.h"

namespace wharf::server {

/// A program and its arguments; the first is its name.
struct Program {
  std::string path;
  std::vector<std::string> arguments;

  /// What this process was started as, as far as /proc tells: the file under the name by which it was started, not the one that
  /// runs, which may have been replaced since. The first call finds out, so call it before the process changes its folder.
  static const Program& of_process();
  /// The file that a program of that name, in that folder and with that PATH, has; empty: none.
  static std::string find(const std::string& name, const std::string& folder, const std::string& search_path);
};

/// This process's environment without what is meant for this process alone, and with what is passed.
std::vector<std::string> environment_of_successor(const std::vector<PassedDescriptor>& passed);

/// A new process that takes over from this one, until it serves or has failed. It has a thread of its own, so no loop waits.
class Takeover {
 public:
  /// Called once, on the thread of this. Neither may destroy this.
  struct Outcome {
    std::function<void(pid_t successor)> serves;
    std::function<void(std::string_view why)> failed;  ///< one line; the process has gone
  };
  /// What the process gets: the descriptors and how they are named. It gets no others.
  struct Passed {
    std::vector<base::Descriptor> descriptors;
    std::vector<PassedDescriptor> names;  ///< by descriptor, with numbers still to be given
  };

  /// Fails if the system has no room, or no thread.
  static base::Result<std::unique_ptr<Takeover>, std::string> begin(Program program, Passed passed, std::chrono::milliseconds limit,
                                                                    Outcome outcome);
  /// Cancels it, and waits for its thread.
  ~Takeover();
  Takeover(const Takeover&) = delete;
  Takeover& operator=(const Takeover&) = delete;

  /// From any thread: this server stops, so the new process, if it does not serve yet, is told to stop too. There is no outcome then.
  void cancel();
  [[nodiscard]] bool over() const { return over_.load(); }

 private:
  enum class Event : std::uint8_t { serves, ended, late, cancelled };

  Takeover(Program program, Passed passed, std::chrono::milliseconds limit, Outcome outcome);
  [[nodiscard]] std::string open();
  void watch();
  [[nodiscard]] pid_t start(std::string& fault);
  [[nodiscard]] Event wait(std::chrono::steady_clock::time_point until);
  void call_off(pid_t successor);

  Program program_;
  Passed passed_;
  std::chrono::milliseconds limit_;
  Outcome outcome_;
  base::Descriptor ready_;  // where the new process tells that it serves
  base::Descriptor its_;    // the new process's end of that
  base::Descriptor cancelled_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace wharf::server
