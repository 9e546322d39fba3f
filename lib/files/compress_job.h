#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "files/cache.h"
#include "files/jobs.h"
#include "files/open_folder.h"
#include "files/representation.h"

namespace wharf::server {

/// Takes the result of a CompressJob. Outlives the calls that the job makes to it.
class CompressTaker {
 public:
  /// Serves the file of a path, but in no coding that would have to be made first.
  virtual void serve_uncompressed(session::Exchange& exchange, std::string_view path) = 0;
  /// Takes the compressed representation; if it holds nothing, compressing is not worth it.
  virtual void compressed(std::string_view path, const Representation& made) = 0;

 protected:
  ~CompressTaker() = default;
};

/// Compresses a file with gzip. The result goes to the taker; one that is not shorter, or is too long to be kept, is not worth it.
class CompressJob final : public FileJob {
 public:
  /// `wanted` is one of the file's. nullptr if the system has no descriptor left for it.
  static std::unique_ptr<CompressJob> make(CompressTaker& taker, const CachedFile& file, const Representation& wanted,
                                           const FileLimits& limits);

  void run() override;
  void answer(session::Exchange& exchange) override;
  void over() override;

 private:
  enum class Outcome : std::uint8_t { made, not_worth, failed };

  CompressJob(CompressTaker& taker, std::string path, Representation wanted)
      : taker_(taker), path_(std::move(path)), made_(std::move(wanted)) {}

  [[nodiscard]] Outcome compress(std::string& out) const;

  CompressTaker& taker_;
  std::string path_;
  base::Descriptor file_;  // of its own; or
  std::string bytes_;      // all of the file
  Representation made_;
  std::size_t most_ = 0;  // the longest result that is worth it
  Outcome outcome_ = Outcome::failed;
};

}  // namespace wharf::server
