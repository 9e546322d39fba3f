// Mounts that serve the files of a folder.
#include <utility>

#include "files/listing.h"
#include "server/mount_kind.h"

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

template <>
class KindOf<Files> final : public MountKind {
 public:
  [[nodiscard]] std::string check(const Mount& mount) const override {
    const auto& files = std::get<Files>(mount.serves);
    return FileMount::check(files);
  }

  [[nodiscard]] OpenedService open(const Mount& mount, const MountParts& parts) const override {
    const auto& files = std::get<Files>(mount.serves);
    auto folder = FileMount::open(files, parts.files);
    if (!folder) return base::Failure{folder.error()};
    return opened<FileService>(mount.prefix.size(), std::move(*folder));
  }

  [[nodiscard]] std::string_view style_policy(const Mount& mount) const override {
    return std::get<Files>(mount.serves).listing == Listing::on ? listing_style() : std::string_view();
  }
  void resolve(Mount& mount) const override {
    auto& files = std::get<Files>(mount.serves);
    files = FileMount::resolved(std::move(files));
  }
};

template const MountKind& kind_of<Files>();

}  // namespace wharf::server
