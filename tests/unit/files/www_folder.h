#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "temporary_folder.h"

namespace wharf::server {

/// A new folder with a folder `www` in it, which is served, and room for files that must not be.
class WwwFolder {
 public:
  WwwFolder();

  [[nodiscard]] std::filesystem::path www() const { return root / "www"; }
  /// Writes a file below www, and the folders on the way; returns its path.
  std::filesystem::path write(const std::filesystem::path& name, std::string_view text) const;
  /// Sets a file's time of change, in nanoseconds since 1970.
  void set_time(const std::filesystem::path& name, std::int64_t when) const;

 private:
  TemporaryFolder folder_;

 public:
  std::filesystem::path root = folder_.path;
};

/// Bytes without a pattern, always the same.
std::string noise(std::size_t size);
/// A page that is worth compressing.
std::string page_of(std::size_t size);

/// As long as it lives, this process may read only what everybody may read.
class Unprivileged {
 public:
  Unprivileged();
  ~Unprivileged();
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  unsigned was_;
};

}  // namespace wharf::server
