#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace wharf::server {

/// What shows that a file is another one, or has other bytes. Symbolic links are followed; nothing but zeros: there is none.
struct FileState {
  std::uint64_t device = 0;
  std::uint64_t number = 0;  // of the inode
  std::int64_t size = 0;
  std::int64_t modified = 0;  // nanoseconds
  std::int64_t changed = 0;   // likewise, and nobody can set it

  friend auto operator<=>(const FileState&, const FileState&) = default;
};

/// By the name of the file.
using FileStates = std::map<std::string, FileState>;

/// Asks the system about each.
FileStates states_of(const std::vector<std::string>& files);

}  // namespace wharf::server
