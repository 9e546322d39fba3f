#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "files/cache.h"
#include "files/open_folder.h"
#include "files/representation.h"
#include "wharf/mounts.hpp"

namespace wharf::server {

/// Why there is no file for a path.
enum class NoFile : std::uint8_t {
  missing,
  folder,       ///< the path ends in '/', and what it names may be a folder, but without index
  needs_slash,  ///< a folder, named without its '/'
  unavailable   ///< the system cannot open it now
};

/// Reads what a mount serves from its folder, and checks whether it is still the same.
class FileLoader {
 public:
  /// `files` and `limits` live as long as this.
  FileLoader(OpenFolder folder, const Files& files, const FileLimits& limits);

  /// `path` is below the mount's prefix, percent-decoded, and starts with '/'; mount and path of the result are not set.
  [[nodiscard]] base::Result<std::unique_ptr<CachedFile>, NoFile> load(std::string_view path, const LoopMoment& at) const;

  /// Whether the path still stands for that file, and the file has not changed. Costs a system call in each turn of the loop.
  [[nodiscard]] bool is_current(CachedFile& file, const LoopMoment& at) const;
  /// Whether the ready-made ones are still the same. Checks once a second.
  [[nodiscard]] bool siblings_are_current(CachedFile& file, const LoopMoment& at) const;

  enum class Sibling : std::uint8_t {
    gone,  ///< or cannot be opened
    same,
    opened  ///< for the first time, or because it had changed
  };
  /// Checks whether a ready-made representation is open and unchanged; else opens it.
  [[nodiscard]] Sibling refresh(const CachedFile& file, Representation& sibling, const LoopMoment& at) const;

  /// Opens the folder with the mount's name anew if it is no longer the one that was opened: with `removed`, if that has been
  /// removed; with
  /// `replaced`, also if that only has another name now. False: it is still the same, or there is none; `why` then says in a few words what
  /// is in the way, if anything.
  enum class Renew : std::uint8_t { removed, replaced };
  bool renew(Renew where, std::string& why);

  /// Whether it was changed so long ago that another change would show.
  [[nodiscard]] bool is_settled(const FileIdentity& identity) const;

  /// The same folder, for other threads.
  [[nodiscard]] const std::shared_ptr<const OpenFolder>& folder() const { return folder_; }

 private:
  [[nodiscard]] std::string name_of(std::string_view path, std::size_t index) const;
  [[nodiscard]] const std::string* own_type_of(std::string_view name) const;
  [[nodiscard]] std::string_view type_of(std::string_view name) const;
  [[nodiscard]] std::string_view coding_of(const Representation& plain) const;
  [[nodiscard]] base::Result<OpenedFile, NoFile> open(std::string_view path, CachedFile& file) const;
  [[nodiscard]] std::optional<FileIdentity> sibling(const CachedFile& file, std::size_t coding) const;
  [[nodiscard]] bool is_worth_compressing(const Representation& plain) const;
  void fill(Representation& representation, OpenedFile opened) const;
  void add_codings(CachedFile& file, std::time_t now) const;

  std::shared_ptr<const OpenFolder> folder_;
  const Files& files_;
  const FileLimits& limits_;
};

}  // namespace wharf::server
