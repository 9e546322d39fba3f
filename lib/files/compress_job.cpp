#include "files/compress_job.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "codec/gzip.h"
#include "files/body.h"
#include "files/response.h"

namespace wharf::server {
namespace {

/// The part of the cache that one compressed file may take.
constexpr std::size_t share_of_cache = 4;

}  // namespace

std::unique_ptr<CompressJob> CompressJob::make(CompressTaker& taker, const CachedFile& file, const Representation& wanted,
                                               const FileLimits& limits) {
  std::unique_ptr<CompressJob> job(new CompressJob(taker, file.path, wanted));
  job->most_ = std::min<std::size_t>(static_cast<std::size_t>(file.plain.size()), limits.cached_bytes / share_of_cache);
  if (file.plain.held == Representation::Held::bytes) {
    job->bytes_ = *file.plain.bytes;
    return job;
  }
  job->file_ = base::Descriptor(::fcntl(file.plain.file->get(), F_DUPFD_CLOEXEC, 0));
  return job->file_ ? std::move(job) : nullptr;
}

void CompressJob::run() {
  try {
    std::string out;
    outcome_ = compress(out);
    if (outcome_ != Outcome::made) return;
    out.shrink_to_fit();
    made_.bytes = Shared<std::string>(std::move(out));
    made_.held = Representation::Held::bytes;
  } catch (const std::bad_alloc&) {
    outcome_ = Outcome::failed;
  }
}

/// Fails if the file has changed, so that no mixture is taken for it.
CompressJob::Outcome CompressJob::compress(std::string& out) const {
  codec::GzipWriter writer;
  if (!file_) {
    writer.write(bytes_, out);
  } else {
    std::array<char, std::size_t{64} * 1024> room;
    for (std::uint64_t at = 0; at < made_.identity.size && out.size() < most_;) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), made_.identity.size - at));
      if (read_at(file_.get(), at, room.data(), wanted) != wanted) return Outcome::failed;
      writer.write({room.data(), wanted}, out);
      at += wanted;
    }
    if (status_of(file_).identity != made_.identity) return Outcome::failed;
  }
  writer.finish(out);
  return out.size() < most_ ? Outcome::made : Outcome::not_worth;
}

void CompressJob::answer(session::Exchange& exchange) {
  if (outcome_ == Outcome::made) answer_with_whole_file(exchange, made_);
  else taker_.serve_uncompressed(exchange, path_);
}

void CompressJob::over() {
  if (outcome_ != Outcome::failed) taker_.compressed(path_, made_);
}

}  // namespace wharf::server
