#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "base/descriptor.h"
#include "base/result.h"

namespace wharf::server {

/// Identifies the content of a file: equal as long as nobody has changed the file, as far as the system shows.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;     ///< bytes
  std::int64_t modified = 0;  ///< nanoseconds since 1970
  std::int64_t changed = 0;   ///< the same for changes of content, name, owner or mode

  bool operator==(const FileIdentity&) const = default;
};

enum class FileKind : std::uint8_t { none, regular, folder, other };

struct FileStatus {
  FileKind kind = FileKind::none;
  FileIdentity identity;
};

/// What a descriptor stands for.
FileStatus status_of(const base::Descriptor& file);

/// Absolute and without symbolic links; empty, with errno, if there is nothing of that path.
std::string real_path(const std::string& path);

struct OpenedFile {
  base::Descriptor file;
  FileIdentity identity;
};

enum class OpenFailure : std::uint8_t {
  missing,     ///< not there, not of the kind that was asked for, not readable, or not inside
  unavailable  ///< the system cannot open it now: no descriptors or memory left, a broken disk
};

/// A folder that is held open, and what can be reached in it: whatever others rename or link meanwhile, nothing outside it is
/// opened. Symbolic links are followed if they lead to a place inside, absolute ones too. Names are relative, without a segment
/// `..`; codec::safe_relative_path() has checked them before. Any thread may use it.
class OpenFolder {
 public:
  /// What keeps names inside: openat2() of Linux 5.6, if the kernel has it, or a walk from segment to segment.
  enum class Resolution : std::uint8_t { kernel, walk };

  /// `folder` may be a symbolic link. The error is a reason in a few words.
  static base::Result<OpenFolder, std::string> open(const std::string& folder, Resolution resolution = Resolution::kernel);

  /// Whether the folder itself has been removed, or cannot be reached any more.
  [[nodiscard]] bool removed() const;
  /// The folder that has its name now, the name it had without symbolic links. A link there is not followed, so that only somebody
  /// who may make folders can lead it elsewhere. The error is a reason in a few words.
  [[nodiscard]] base::Result<OpenFolder, std::string> open_again() const;
  [[nodiscard]] bool is_same_as(const OpenFolder& other) const;

  /// What the name stands for at the moment. It follows links wherever they lead: use it only to compare with what was opened.
  [[nodiscard]] FileStatus look(const std::string& name) const;

  /// A regular file, for reading. Never waits, as for the other end of a FIFO.
  [[nodiscard]] base::Result<OpenedFile, OpenFailure> open_file(const std::string& name) const;

  /// A folder, for reading its names; "" is the folder itself.
  [[nodiscard]] base::Result<base::Descriptor, OpenFailure> open_folder(const std::string& name) const;

  /// The same as look(), but none for names that lead outside.
  [[nodiscard]] FileStatus look_inside(const std::string& name) const;

 private:
  OpenFolder(base::Descriptor root, std::string path, Resolution resolution)
      : root_(std::move(root)), path_(std::move(path)), resolution_(resolution) {}

  [[nodiscard]] base::Result<base::Descriptor, OpenFailure> open_inside(const std::string& name, int flags) const;
  [[nodiscard]] base::Descriptor open_without_links(const std::string& name, int flags) const;
  [[nodiscard]] std::string without_links(const std::string& name) const;
  [[nodiscard]] std::string present_path() const;
  [[nodiscard]] std::string link_text() const;

  base::Descriptor root_;
  std::string path_;  // its name when it was opened: absolute, without symbolic links
  Resolution resolution_;
};

}  // namespace wharf::server
