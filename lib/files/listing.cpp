#include "files/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "codec/http/date.h"
#include "listing.html.h"
#include "listing_incomplete.html.h"
#include "listing_parent.html.h"
#include "listing_row.html.h"
#include "wharf/form.hpp"

namespace wharf::server {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

std::string size_text(std::uint64_t size) {
  constexpr std::array<const char*, 6> units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (size < 1024) return std::to_string(size) + " B";
  double value = static_cast<double>(size) / 1024;
  std::size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < units.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
  return text.data();
}

std::string time_text(std::time_t time) {
  std::string text;
  codec::append_time(text, "%Y-%m-%d %H:%M", time);
  return text;
}

/// Leaves out names that no URL of ours can have, and what no response would serve.
std::optional<ListedName> look_at(const OpenFolder& root, int folder, const std::string& folder_name, const char* name) {
  const std::string_view text = name;
  if (text.starts_with('.') || text.find('\\') != std::string_view::npos) return std::nullopt;
  struct stat found {};
  if (::fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  ListedName listed{name, FileKind::regular, static_cast<std::uint64_t>(found.st_size), found.st_mtim.tv_sec};
  if (S_ISLNK(found.st_mode)) {
    const FileStatus target = root.look_inside(folder_name + name);
    listed.kind = target.kind;
    listed.size = target.identity.size;
    listed.modified = static_cast<std::time_t>(target.identity.modified / 1'000'000'000);
  } else if (S_ISDIR(found.st_mode)) {
    listed.kind = FileKind::folder;
  } else if (!S_ISREG(found.st_mode)) {
    return std::nullopt;
  }
  if (listed.kind != FileKind::regular && listed.kind != FileKind::folder) return std::nullopt;
  return listed;
}

void append_row(std::string& rows, const ListedName& listed) {
  const bool is_folder = listed.kind == FileKind::folder;
  pages::ListingRowHtml{.segment = percent_encode(listed.name),
                        .slash = is_folder ? "/" : "",
                        .name = html_escape(listed.name),
                        .size = is_folder ? std::string() : size_text(listed.size),
                        .changed = time_text(listed.modified)}
      .append_to(rows);
}

}  // namespace

std::string_view listing_style() { return pages::ListingHtml::style_hashes; }

const codec::PreparedFields& listing_fields() {
  static const codec::PreparedFields fields{
      {"Content-Type", "text/html; charset=utf-8"},
      {"Content-Security-Policy", base::concat("default-src 'none'; style-src ", pages::ListingHtml::style_hashes,
                                               "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")},
      {"X-Content-Type-Options", "nosniff"}};
  return fields;
}

FolderNames read_folder(const OpenFolder& root, base::Descriptor folder, const std::string& name, std::size_t most) {
  FolderNames found;
  const std::unique_ptr<DIR, CloseFolder> stream(::fdopendir(folder.get()));
  if (!stream) return found;
  const int number = folder.release();
  for (std::size_t looked_at = 0;; ++looked_at) {
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    if (looked_at == most + 2) {  // "." and ".." are in every folder
      found.is_complete = false;
      break;
    }
    if (auto listed = look_at(root, number, name, entry->d_name)) found.names.push_back(std::move(*listed));
  }
  std::sort(found.names.begin(), found.names.end(), [](const ListedName& a, const ListedName& b) {
    if (a.kind != b.kind) return a.kind == FileKind::folder;
    return a.name < b.name;
  });
  return found;
}

std::string listing_page(const FolderNames& names, std::string_view title, Parent parent) {
  std::string rows(parent == Parent::shown ? pages::ListingParentHtml::text : std::string_view());
  for (const ListedName& listed : names.names) append_row(rows, listed);
  return pages::ListingHtml{.title = html_escape(title),
                            .rows = rows,
                            .note = names.is_complete ? std::string_view() : pages::ListingIncompleteHtml::text}
      .text();
}

}  // namespace wharf::server
