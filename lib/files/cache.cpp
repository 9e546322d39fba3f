#include "files/cache.h"

#include <algorithm>
#include <utility>

namespace wharf::server {
namespace {

constexpr std::size_t bytes_of_a_map_entry = 64;

template <class Each>
void for_each_representation(const CachedFile& file, Each&& each) {
  each(file.plain);
  for (const Representation& representation : file.coded) each(representation);
}

}  // namespace

CachedFile::Weight CachedFile::weigh() const {
  Weight weight;
  weight.bytes = sizeof *this + bytes_of_a_map_entry + path.capacity() + chosen_for.capacity() +
                 (coded.capacity() - coded.size()) * sizeof(Representation);
  for_each_representation(*this, [&](const Representation& each) {
    weight.bytes += sizeof each + each.name.capacity() + each.etag.capacity() + each.fields.memory();
    if (each.held == Representation::Held::bytes) weight.bytes += each.bytes->capacity();
    if (each.held == Representation::Held::file) ++weight.descriptors;
  });
  return weight;
}

// ---- FileCache::Line ----

void FileCache::Line::add(CachedFile& file) {
  file.place.older = newest;
  file.place.newer = nullptr;
  (newest != nullptr ? newest->place.newer : oldest) = &file;
  newest = &file;
}

void FileCache::Line::remove(CachedFile& file) {
  (file.place.older != nullptr ? file.place.older->place.newer : oldest) = file.place.newer;
  (file.place.newer != nullptr ? file.place.newer->place.older : newest) = file.place.older;
}

// ---- FileCache ----

FileCache::FileCache(const FileLimits& limits)
    : limits_(limits), unused_(std::clamp<base::Time>(limits.unused, base::Time{0}, std::chrono::hours(24 * 365))) {}

FileCache::~FileCache() = default;

CachedFile* FileCache::find(const FileMount& mount, std::string_view path, base::Time now) {
  if (open_.oldest != nullptr && now - open_.oldest->place.used >= unused_) drop_unused(now);
  const auto found = files_.find({&mount, path});
  if (found == files_.end()) return nullptr;
  CachedFile& file = *found->second;
  file.place.used = now;
  Line& line = line_of(file);
  if (line.newest != &file) {
    line.remove(file);
    line.add(file);
  }
  return &file;
}

CachedFile* FileCache::peek(const FileMount& mount, std::string_view path) {
  const auto found = files_.find({&mount, path});
  return found != files_.end() ? found->second.get() : nullptr;
}

CachedFile& FileCache::keep(std::unique_ptr<CachedFile> file, base::Time now) {
  drop_unused(now);
  if (const auto known = files_.find({file->mount, file->path}); known != files_.end()) drop(*known->second);
  CachedFile& kept = *file;
  kept.place.used = now;
  files_.emplace(Key{kept.mount, kept.path}, std::move(file));
  count(kept);
  make_room(kept);
  return kept;
}

void FileCache::weigh_again(CachedFile& file) {
  discount(file);
  count(file);
  make_room(file);
}

void FileCache::drop(CachedFile& file) {
  discount(file);
  files_.erase(files_.find({file.mount, file.path}));
}

void FileCache::drop_all(const FileMount& mount) {
  for (Line* line : {&in_memory_, &open_}) {
    for (CachedFile* file = line->oldest; file != nullptr;) {
      CachedFile* const next = file->place.newer;
      if (file->mount == &mount) drop(*file);
      file = next;
    }
  }
}

void FileCache::drop_open() {
  while (open_.oldest != nullptr) drop(*open_.oldest);
}

void FileCache::drop_unused(base::Time now) {
  for (Line* line : {&in_memory_, &open_})
    while (line->oldest != nullptr && now - line->oldest->place.used >= unused_) drop(*line->oldest);
}

void FileCache::count(CachedFile& file) {
  file.place.weight = file.weigh();
  total_.bytes += file.place.weight.bytes;
  total_.descriptors += file.place.weight.descriptors;
  line_of(file).add(file);
}

void FileCache::discount(CachedFile& file) {
  line_of(file).remove(file);
  total_.bytes -= file.place.weight.bytes;
  total_.descriptors -= file.place.weight.descriptors;
}

/// The one used last stays, whatever it holds. Files with descriptors are dropped only to free descriptors, as long as others are
/// left.
void FileCache::make_room(const CachedFile& but) {
  const auto oldest = [&but](const Line& line) { return line.oldest != &but ? line.oldest : but.place.newer; };
  while (total_.descriptors > limits_.open_files) {
    CachedFile* const file = oldest(open_);
    if (file == nullptr) break;
    drop(*file);
  }
  while (total_.bytes > limits_.cached_bytes || files_.size() > limits_.cached_files) {
    CachedFile* file = oldest(in_memory_);
    if (file == nullptr) file = oldest(open_);
    if (file == nullptr) break;
    drop(*file);
  }
}

}  // namespace wharf::server
