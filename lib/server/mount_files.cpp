// Mounts that serve the files of a folder.
#include <utility>

#include "files/listing.h"
#include "server/mount_kinds.h"

namespace wharf::server {
namespace {

class FileService final : public MountService {
 public:
  FileService(std::size_t prefix_size, std::unique_ptr<FileMount> files) : prefix_size_(prefix_size), files_(std::move(files)) {}

  void serve(session::Exchange& exchange, std::string_view path, std::string_view /*user*/) override {
    files_->serve(exchange, path.substr(prefix_size_ - 1));
  }
  [[nodiscard]] bool adds_slash(const codec::RequestHead& /*head*/) const override { return true; }
  std::string look_again() override { return files_->look_again(); }

 private:
  std::size_t prefix_size_;
  std::unique_ptr<FileMount> files_;
};

}  // namespace

std::string check_kind(const Files& files, const Mount& /*mount*/) { return FileMount::check(files); }

OpenedService open_kind(const Files& files, const Mount& mount, const MountParts& parts) {
  auto folder = FileMount::open(files, parts.files);
  if (!folder) return base::Failure{folder.error()};
  return opened<FileService>(mount.prefix.size(), std::move(*folder));
}

std::string_view style_policy(const Files& files) { return files.listing == Listing::on ? listing_style() : std::string_view(); }

}  // namespace wharf::server
