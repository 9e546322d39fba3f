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

/// What a path of a mount stands for: a file, and the same in other codings.
struct CachedFile {
  const FileMount* mount = nullptr;
  std::string path;             ///< below the mount's prefix, percent-decoded
  std::size_t index = 0;        ///< which of the mount's index names the file has, where the path ends in '/'
  base::Time siblings_seen{0};  ///< when it was last looked for ready-made ones
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

/// The files that the mounts of one loop keep at hand, those used last, within FileLimits. Outlives its mounts.
class FileCache {
 public:
  explicit FileCache(const FileLimits& limits = {});
  ~FileCache();
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  /// It becomes the one used last; whether it is still so in the folder is for the mount to say. nullptr: not known. Valid until the next
  /// call of another of the functions below.
  CachedFile* find(const FileMount& mount, std::string_view path, base::Time now);
  /// The same, but it counts as no use.
  [[nodiscard]] CachedFile* peek(const FileMount& mount, std::string_view path);
  /// Adds it, in place of one of the same mount and path; others go where there is no more room.
  CachedFile& keep(std::unique_ptr<CachedFile> file, base::Time now);
  /// What it holds has changed; others go where there is no more room.
  void weigh_again(CachedFile& file);
  void drop(CachedFile& file);
  void drop_all(const FileMount& mount);
  /// Closes what is open without an answer that needs it, for the sake of something else.
  void drop_open();
  /// Lets go of what was not used for so long as FileLimits::unused says. The functions above do so too; where nobody calls them for a
  /// while, this keeps a file that has been deleted from staying open.
  void drop_unused(base::Time now);

  [[nodiscard]] const FileLimits& limits() const { return limits_; }
  [[nodiscard]] std::size_t size() const { return files_.size(); }
  [[nodiscard]] std::size_t bytes() const { return total_.bytes; }
  [[nodiscard]] std::size_t descriptors() const { return total_.descriptors; }

 private:
  struct Key {
    const FileMount* mount;
    std::string_view path;  // the file's own, or of a question
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
