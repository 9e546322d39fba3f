#pragma once
#include <cstddef>
#include <list>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/shared.h"
#include "files/open_folder.h"

namespace wharf::server {

class FileMount;

/// The pages that list folders, for the mounts of one loop, those used last. A page is valid as long as the folder's identity says
/// that no name has come, gone or changed, at most `longest`, because the identity does not show sizes and times of files; and at
/// least a second, so that a folder in which something changes all the time is not read for each request.
class KeptListings {
 public:
  static constexpr base::Time shortest{1'000};
  static constexpr base::Time longest{60'000};

  /// At most `pages` pages, with `bytes` bytes in all.
  KeptListings(std::size_t pages, std::size_t bytes) : most_pages_(pages), most_bytes_(bytes) {}

  struct Page {
    FileIdentity folder;   ///< before it was read
    bool settled = false;  ///< a later change shows in the identity
    base::Time made{0};
    Shared<std::string> text;
  };

  /// None if no valid page is kept.
  [[nodiscard]] Shared<std::string> find(const FileMount& mount, std::string_view path, const FileIdentity& folder, base::Time now);
  void keep(const FileMount& mount, std::string_view path, Page page);
  void drop_all(const FileMount& mount);

  [[nodiscard]] std::size_t size() const { return kept_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Kept {
    const FileMount* mount;
    std::string path;
    Page page;
  };
  using Place = std::list<Kept>::iterator;

  Place place_of(const FileMount& mount, std::string_view path);
  void drop(Place place);

  std::size_t most_pages_;
  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::list<Kept> kept_;  // the one used last comes first
};

}  // namespace wharf::server
