#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "files/mount.h"
#include "http/h1.h"
#include "link/memory_link.h"
#include "unit/link/test_outside.h"
#include "unit/server/served.h"

namespace wharf::server {

/// Limits under which a file counts as settled as soon as it is written.
FileLimits settled_at_once();

/// One mount of files for all paths, as a loop has it, on links without sockets.
class Mounted final : private session::Handler {
 public:
  explicit Mounted(const Files& files, const FileLimits& limits = settled_at_once(), TestOutside* thread = nullptr,
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

  TestOutside* thread_;
  base::Log log_{base::LogLevel::debug, [](base::LogLevel, std::string_view) {}};
  base::ChunkPool pool_;
  session::OutputLimits output_;
  std::unique_ptr<FileMount> mount_;
  session::HttpContext context_;
};

}  // namespace wharf::server
