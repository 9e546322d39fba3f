#pragma once
/// What a mount of files serves, and how much of it is kept in memory.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace wharf {

/// What a path that ends in '/' gets if its folder has no index.
enum class Listing : std::uint8_t {
  off,  ///< 404
  on    ///< a page that names the files and folders in it, without those whose name begins with a dot
};

/// Whether name.br, name.zst or name.gz is sent for name, with Content-Encoding, to clients that accept it. Such a file counts if
/// it was changed in the same second as name or later.
enum class Precompressed : std::uint8_t { off, on };

/// Whether files of compressible types are compressed with gzip for clients that accept it, and the result is kept in memory.
enum class OnTheFly : std::uint8_t { off, on };

/// What the entity tag of a file is made of.
enum class EntityTags : std::uint8_t {
  by_inode,  ///< its size, the times of the last changes of its content and status, and its number in the file system
  /// Its size and, in whole seconds, the time of the last change of its content: the same for copies of it on several machines.
  /// Until FileLimits::settling after a change the tag holds more, since another change in that second would not show; and if the
  /// time is the first second of 1970 or the next, as in package stores that keep no times, it is by_inode.
  by_time_and_size
};

/// The files of a folder, below a URL prefix. Nothing outside the folder is served, not even through symbolic links, and nothing
/// whose name in the URL begins with a dot. The folder is opened once: if another takes its place under the same name, the old one
/// is served on until it is removed, or until Server::reopen_logs().
struct Files {
  std::string folder;
  std::vector<std::string> index{"index.html"};  ///< what a path that ends in '/' serves: the first that exists
  /// Media types by extension, in lower case and without the dot; they go before those that are known anyway.
  std::map<std::string, std::string, std::less<>> types{};
  std::string cache_control{};  ///< the value of Cache-Control; empty: no such field
  Listing listing = Listing::off;
  Precompressed ready_made = Precompressed::on;
  OnTheFly compression = OnTheFly::on;
  std::size_t compress_from = 1024;           ///< bytes of a file that is worth compressing
  std::size_t compress_to = 8 * 1024 * 1024;  ///< bytes of the longest such file
  EntityTags etag = EntityTags::by_inode;
  std::size_t listed = 10'000;  ///< names in a folder that a listing looks at; the others are not shown
};

/// What all file mounts of one loop keep together.
struct FileLimits {
  std::size_t cached_bytes = 16 * 1024 * 1024;  ///< of memory, for short files and compressed ones
  std::size_t cached_files = 4096;              ///< paths
  std::size_t short_file = 64 * 1024;           ///< bytes of a file that is kept in memory; of longer ones the descriptor is kept
  std::size_t open_files = 64;                  ///< descriptors kept open while no response needs them
  std::size_t jobs = 8;                         ///< files being compressed and folders being listed on other threads
  std::size_t jobs_of_mount = 3;                ///< of these for one mount, so that a hanging disk leaves threads to the others
  std::size_t waiting_listings = 32;            ///< listings that wait for one of these; beyond it: 503 with Retry-After
  std::size_t kept_listings = 64;               ///< pages that list folders, kept for as long as the folder is the same,
  std::size_t kept_listing_bytes = 8 * 1024 * 1024;  ///< and their bytes
  std::chrono::milliseconds unused{60'000};          ///< without a request, a file is dropped after this time
  /// A file that was changed less than this time ago, or in the future, is read anew in each turn of the loop: another change might
  /// not show in its times.
  std::chrono::milliseconds settling{2'000};
};

}  // namespace wharf
