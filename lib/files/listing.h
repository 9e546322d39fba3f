#pragma once
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http/prepared_fields.h"
#include "files/open_folder.h"

namespace wharf::server {

struct ListedName {
  std::string name;
  FileKind kind = FileKind::regular;  ///< or folder
  std::uint64_t size = 0;             ///< bytes, of a file
  std::time_t modified = 0;
};

/// The names of a folder that clients can request: of regular files and folders, or links to such that stay inside. Folders first,
/// then by the bytes of the names.
struct FolderNames {
  std::vector<ListedName> names;
  bool is_complete = true;  ///< false: there were more than `most`
};

/// Reads the names of `folder`, which has the name `name` ("", or ending in '/') in `root`; at most `most` of them.
FolderNames read_folder(const OpenFolder& root, base::Descriptor folder, const std::string& name, std::size_t most);

/// Whether the page leads to the folder above.
enum class Parent : std::uint8_t { none, shown };

/// An HTML page with links to all of them. `title` is the folder's path.
std::string listing_page(const FolderNames& names, std::string_view title, Parent parent);

/// The fields of a response with such a page.
const codec::PreparedFields& listing_fields();

/// The page's style, as a source of a Content-Security-Policy: other policies of the response must allow it too.
std::string_view listing_style();

}  // namespace wharf::server
