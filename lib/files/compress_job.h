#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "files/cache.h"
#include "files/jobs.h"
#include "files/open_folder.h"
#include "files/representation.h"

namespace wharf::server {

/// Compresses a file with gzip. The result goes to the mount; one that is not shorter, or is too long to be kept, is not worth it.
class CompressJob final : public FileJob {
 public:
  /// `wanted` is one of the file's. nullptr if the system has no descriptor left for it.
  static std::unique_ptr<CompressJob> make(FileMount& mount, const CachedFile& file, const Representation& wanted,
                                           const FileLimits& limits);

  void run() override;
  void answer(session::Exchange& exchange) override;
  void over() override;

 private:
  enum class Outcome : std::uint8_t { made, not_worth, failed };

  CompressJob(FileMount& mount, std::string path, Representation wanted)
      : mount_(mount), path_(std::move(path)), made_(std::move(wanted)) {}

  [[nodiscard]] Outcome compress(std::string& out) const;

  FileMount& mount_;
  std::string path_;
  base::Descriptor file_;  // of its own; or
  std::string bytes_;      // all of the file
  Representation made_;
  std::size_t most_ = 0;  // the longest result that is worth it
  Outcome outcome_ = Outcome::failed;
};

}  // namespace wharf::server
