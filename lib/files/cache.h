#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "files/representation.h"
#include "wharf/mounts.hpp"

namespace wharf::server {

class FileMount;

/// What a path of a mount stands for: a file, and its other codings.
struct CachedFile {
  const FileMount* mount = nullptr;
  std::string path;             ///< below the mount's prefix, percent-decoded
  std::size_t index = 0;        ///< which of the mount's index names the file has, if the path ends in '/'
  base::Time siblings_seen{0};  ///< when ready-made ones were last looked for
  Representation plain;
  std::vector<Representation> coded;  ///< in the order of preference

  std::string chosen_for;  ///< a value of Accept-Encoding, or empty,
  std::size_t chosen = 0;  ///< and what it chose: a place in `coded`, or its size for `plain`

  /// What it costs.
  struct Weight {
    std::size_t bytes = 0;
    std::size_t descriptors = 0;
  };
  [[nodiscard]] Weight weigh() const;

  /// The cache's own.
  struct Place {
    CachedFile* older = nullptr;
    CachedFile* newer = nullptr;
    base::Time used{0};
    Weight weight;
  };
  Place place;
};

/// The files that the mounts of one loop keep, those used last, within FileLimits. Outlives its mounts.
class FileCache {
 public:
  explicit FileCache(const FileLimits& limits = {});
  ~FileCache();
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  /// It becomes the one used last; the mount has to check whether it is still the same in the folder. nullptr: not known. Valid
  /// until the next call of one of the functions below.
  CachedFile* find(const FileMount& mount, std::string_view path, base::Time now);
  /// The same, but it does not count as used.
  [[nodiscard]] CachedFile* peek(const FileMount& mount, std::string_view path);
  /// Adds it, in place of one of the same mount and path; others are dropped if there is no room.
  CachedFile& keep(std::unique_ptr<CachedFile> file, base::Time now);
  /// What it holds has changed; others are dropped if there is no room.
  void weigh_again(CachedFile& file);
  void drop(CachedFile& file);
  void drop_all(const FileMount& mount);
  /// Closes the files that no response needs, to free their descriptors.
  void drop_open();
  /// Drops what was not used for FileLimits::unused. The functions above do so too; if nobody calls them for a while, this keeps a
  /// deleted file from staying open.
  void drop_unused(base::Time now);

  [[nodiscard]] const FileLimits& limits() const { return limits_; }
  [[nodiscard]] std::size_t size() const { return files_.size(); }
  [[nodiscard]] std::size_t bytes() const { return total_.bytes; }
  [[nodiscard]] std::size_t descriptors() const { return total_.descriptors; }

 private:
  struct Key {
    const FileMount* mount;
    std::string_view path;  // the file's own, or that of a search
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>()(key.path) ^ (reinterpret_cast<std::uintptr_t>(key.mount) >> 4U);
    }
  };
  /// In the order of their use.
  struct Line {
    CachedFile* oldest = nullptr;
    CachedFile* newest = nullptr;
    void add(CachedFile& file);
    void remove(CachedFile& file);
  };

  Line& line_of(const CachedFile& file) { return file.place.weight.descriptors > 0 ? open_ : in_memory_; }
  void count(CachedFile& file);
  void discount(CachedFile& file);
  void make_room(const CachedFile& but);

  FileLimits limits_;
  base::Time unused_;
  std::unordered_map<Key, std::unique_ptr<CachedFile>, Hash> files_;
  Line in_memory_;
  Line open_;  // those that hold descriptors
  CachedFile::Weight total_;
};

}  // namespace wharf::server
