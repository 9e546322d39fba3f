#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/http/request_head.h"
#include "files/cache.h"
#include "files/compress_job.h"
#include "files/jobs.h"
#include "files/kept_listings.h"
#include "files/listing_job.h"
#include "files/loader.h"
#include "files/response.h"
#include "http/exchange.h"
#include "link/environment.h"
#include "wharf/mounts.hpp"

namespace wharf::server {

/// What the file mounts of one loop share. Outlives them.
class LoopFiles {
 public:
  /// Without `outside`, which outlives this, all work is done on the loop's thread, and a turn of the loop is a millisecond of its
  /// clock.
  explicit LoopFiles(const FileLimits& limits = {}, Outside* outside = nullptr)
      : cache(limits),
        listings(limits.kept_listings, limits.kept_listing_bytes),
        jobs(outside, {limits.jobs, limits.jobs_of_mount, limits.waiting_listings}),
        outside_(outside) {}
  ~LoopFiles() = default;
  LoopFiles(const LoopFiles&) = delete;
  LoopFiles& operator=(const LoopFiles&) = delete;

  [[nodiscard]] LoopMoment moment(base::Time now) const;

  FileCache cache;
  KeptListings listings;
  FileJobs jobs;

 private:
  Outside* outside_;
};

/// Serves the files of a folder: GET and HEAD with conditions, ranges and content codings, index files, listings. One for each
/// mount and loop; outlives its exchanges.
///
/// A file in the cache costs one check of the folder in each turn of the loop, and no memory. Others are read on the loop's thread:
/// if the page cache does not have them, the loop waits for the disk.
class FileMount final : public CompressTaker, public ListingTaker {
 public:
  /// An empty text, or what is wrong with the mount, in one line.
  static std::string check(const Files& files);
  /// The same with an absolute path without symbolic links, so that a later change of the working folder does not matter.
  static Files resolved(Files files);

  /// Opens the folder. The error is one line.
  static base::Result<std::unique_ptr<FileMount>, std::string> open(
      const Files& files, LoopFiles& shared, OpenFolder::Resolution resolution = OpenFolder::Resolution::kernel);
  ~FileMount();
  FileMount(const FileMount&) = delete;
  FileMount& operator=(const FileMount&) = delete;

  [[nodiscard]] const std::string& folder() const { return files_.folder; }

  /// Within Handler::handle(). `path` is the part behind the mount's prefix, percent-decoded, beginning with the last '/' of the
  /// prefix.
  void serve(session::Exchange& exchange, std::string_view path);

  /// Serves from the folder that has the mount's name now, if that is another. Returns an empty text, or why it cannot, in one
  /// line.
  std::string look_again();

 private:
  enum class Compress : std::uint8_t { may, never };

  FileMount(OpenFolder folder, Files files, LoopFiles& shared);

  void serve_uncompressed(session::Exchange& exchange, std::string_view path) override;
  void compressed(std::string_view path, const Representation& made) override;
  void listed(std::string_view path, KeptListings::Page page) override;
  void serve_file(session::Exchange& exchange, const FileRequest& request, std::string_view path, Compress compress);
  CachedFile* current(session::Exchange& exchange, const FileRequest& request, std::string_view path);
  CachedFile* load(session::Exchange& exchange, std::string_view path, const LoopMoment& at);
  bool renew(FileLoader::Renew where, std::string& why);
  const Representation& choose(session::Exchange& exchange, const FileRequest& request, CachedFile& file);
  static std::size_t place_of_choice(const codec::RequestHead& head, const FileRequest& request, CachedFile& file);
  void forget_coding(CachedFile& file, std::size_t place);
  void compress_first(session::Exchange& exchange, const FileRequest& request, const CachedFile& file,
                      const Representation& wanted);
  void list(session::Exchange& exchange, std::string_view path);

  const Files files_;
  LoopFiles& shared_;
  FileLoader loader_;
};

}  // namespace wharf::server
