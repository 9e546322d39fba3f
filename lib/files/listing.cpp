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

#include "base/ascii.h"
#include "base/log.h"

namespace wharf::server {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

/// The page has no other style or script than this, and says so to the browser by its SHA-256.
constexpr std::string_view style =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th{text-align:left}"
    "td,th{padding:.2rem .6rem;border-bottom:1px solid #8884}"
    "td:nth-child(n+2),th:nth-child(n+2){text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "td:first-child{overflow-wrap:anywhere}"
    ":root{color-scheme:light dark}";

void append_text(std::string& page, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&': page += "&amp;"; break;
      case '<': page += "&lt;"; break;
      case '>': page += "&gt;"; break;
      case '"': page += "&quot;"; break;
      case '\'': page += "&#39;"; break;
      default: page += c;
    }
  }
}

/// One segment of a path (RFC 3986 section 3.3), where only unreserved characters stay as they are.
void append_segment(std::string& page, std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_letter = base::lower(c) >= 'a' && base::lower(c) <= 'z';
    if (is_letter || base::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') page += c;
    else ((page += '%') += digits[byte >> 4U]) += digits[byte & 15U];
  }
}

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
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&time, &parts) == nullptr || std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &parts) == 0) return {};
  return text.data();
}

/// What no URL of ours can name, and what no answer would serve, is left out.
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

void append_row(std::string& page, const ListedName& listed) {
  const bool is_folder = listed.kind == FileKind::folder;
  const std::string_view slash = is_folder ? "/" : "";
  page += "<tr><td><a href=\"./";
  append_segment(page, listed.name);
  (page += slash) += "\">";
  append_text(page, listed.name);
  ((page += slash) += "</a></td><td>") += is_folder ? "" : size_text(listed.size);
  ((page += "</td><td>") += time_text(listed.modified)) += "</td></tr>\n";
}

}  // namespace

std::string_view listing_lines() {
  static const std::string lines = base::concat(
      "Content-Type: text/html; charset=utf-8\r\n"
      "Content-Security-Policy: default-src 'none'; style-src ",
      listing_style,
      "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
      "X-Content-Type-Options: nosniff\r\n");
  return lines;
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
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
  append_text(page, title);
  ((page += "</title>\n<style>") += style) += "</style>\n</head>\n<body>\n<h1>";
  append_text(page, title);
  page +=
      "</h1>\n<table>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Size</th>"
      "<th scope=\"col\">Changed (UTC)</th></tr></thead>\n<tbody>\n";
  if (parent == Parent::shown) page += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
  for (const ListedName& listed : names.names) append_row(page, listed);
  page += "</tbody>\n</table>\n";
  if (!names.is_complete) page += "<p>There are more names in this folder than are shown.</p>\n";
  return page += "</body>\n</html>\n";
}

}  // namespace wharf::server
