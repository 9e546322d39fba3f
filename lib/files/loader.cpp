#include "files/loader.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <utility>

#include "base/ascii.h"
#include "codec/http/media_type.h"
#include "codec/http/target.h"
#include "files/body.h"

namespace wharf::server {
namespace {

constexpr base::Time siblings_known{1'000};
constexpr std::string_view identity_coding = "identity";
constexpr std::array<char, 2> gzip_magic{'\x1F', '\x8B'};  // RFC 1952 section 2.3.1

/// In whole seconds: programs that compress or copy files may not keep more of their times.
bool is_older(const FileIdentity& made, const FileIdentity& original) {
  constexpr std::int64_t second = 1'000'000'000;
  return made.modified / second < original.modified / second;
}

struct Coding {
  std::string_view name;
  std::string_view suffix;
};
/// In the order of preference.
constexpr std::array<Coding, 3> codings{{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}};

std::int64_t wall_clock() {
  using std::chrono::nanoseconds;
  return std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool ends_in_slash(std::string_view path) { return path.ends_with('/'); }

const Representation* find_sibling(const CachedFile& file, std::string_view coding) {
  const auto found = std::find_if(file.coded.begin(), file.coded.end(),
                                  [coding](const Representation& each) { return each.coding == coding && !each.is_made_here(); });
  return found != file.coded.end() ? &*found : nullptr;
}

}  // namespace

FileLoader::FileLoader(OpenFolder folder, const Files& files, const FileLimits& limits)
    : folder_(std::make_shared<const OpenFolder>(std::move(folder))), files_(files), limits_(limits) {}

base::Result<std::unique_ptr<CachedFile>, NoFile> FileLoader::load(std::string_view path, const LoopMoment& at) const {
  auto file = std::make_unique<CachedFile>();
  auto opened = open(path, *file);
  if (!opened) return base::Failure{opened.error()};
  fill(file->plain, std::move(*opened));
  file->plain.type = type_of(file->plain.name);
  file->plain.coding = coding_of(file->plain);
  file->plain.checked = at.turn;
  file->siblings_seen = at.now;
  const std::time_t clock = std::time(nullptr);
  add_codings(*file, clock);
  describe(file->plain, file->coded.empty() ? Varies::no : Varies::yes, files_, clock);
  return file;
}

/// Sets the index and the name.
base::Result<OpenedFile, NoFile> FileLoader::open(std::string_view path, CachedFile& file) const {
  const std::optional<std::string> safe = codec::safe_relative_path(path);
  if (!safe) return base::Failure{NoFile::missing};
  const std::size_t choices = ends_in_slash(path) ? files_.index.size() : 1;
  for (file.index = 0; file.index < choices; ++file.index) {
    file.plain.name = name_of(path, file.index);
    auto opened = folder_->open_file(file.plain.name);
    if (opened) return std::move(*opened);
    if (opened.error() == OpenFailure::unavailable) return base::Failure{NoFile::unavailable};
  }
  if (ends_in_slash(path)) return base::Failure{NoFile::folder};
  return base::Failure{folder_->look_inside(*safe).kind == FileKind::folder ? NoFile::needs_slash : NoFile::missing};
}

/// The path is safe.
std::string FileLoader::name_of(std::string_view path, std::size_t index) const {
  std::string name(path.substr(1));
  if (ends_in_slash(path)) name += files_.index[index];
  return name;
}

const std::string* FileLoader::own_type_of(std::string_view name) const {
  const std::size_t dot = name.find_last_of("./");
  if (files_.types.empty() || dot == std::string_view::npos || name[dot] != '.') return nullptr;
  std::string extension(name.substr(dot + 1));
  std::transform(extension.begin(), extension.end(), extension.begin(), base::lower);
  const auto found = files_.types.find(extension);
  return found != files_.types.end() ? &found->second : nullptr;
}

std::string_view FileLoader::type_of(std::string_view name) const {
  const std::string* const own = own_type_of(name);
  return own != nullptr ? std::string_view(*own) : codec::media_type(name);
}

/// The coding of the extension, if the content has it and the mount has no type of its own for the extension. Clients that do not
/// accept it get it too: there is nothing else to send, and a client that asks for such a name knows what to do with it.
std::string_view FileLoader::coding_of(const Representation& plain) const {
  const std::string_view coding = codec::content_coding(plain.name);
  if (coding != "gzip" || own_type_of(plain.name) != nullptr) return identity_coding;
  std::array<char, 2> begin{};
  if (plain.held == Representation::Held::bytes) plain.bytes->copy(begin.data(), begin.size());
  else read_at(plain.file->get(), 0, begin.data(), begin.size());
  return begin == gzip_magic ? coding : identity_coding;
}

bool FileLoader::is_settled(const FileIdentity& identity) const {
  const std::int64_t changed = std::max(identity.changed, identity.modified);
  return std::chrono::milliseconds((wall_clock() - changed) / 1'000'000) >= limits_.settling;
}

/// A short file is read; it stays open if it changed during the reading, or ended early, so that no mixture is kept.
void FileLoader::fill(Representation& representation, OpenedFile opened) const {
  representation.identity = opened.identity;
  representation.settled = is_settled(opened.identity);
  if (opened.identity.size <= limits_.short_file) {
    std::string bytes(static_cast<std::size_t>(opened.identity.size), '\0');
    const std::size_t got = read_at(opened.file.get(), 0, bytes.data(), bytes.size());
    if (got == bytes.size() && status_of(opened.file).identity == opened.identity) {
      representation.held = Representation::Held::bytes;
      representation.bytes = Shared<std::string>(std::move(bytes));
      representation.file = {};
      return;
    }
  }
  representation.held = Representation::Held::file;
  representation.file = Shared<base::Descriptor>(std::move(opened.file));
  representation.bytes = {};
}

void FileLoader::add_codings(CachedFile& file, std::time_t now) const {
  if (file.plain.is_coded()) return;
  for (std::size_t i = 0; i < codings.size(); ++i) {
    const std::optional<FileIdentity> found = sibling(file, i);
    const bool makes = !found && codings[i].name == "gzip" && is_worth_compressing(file.plain);
    if (!found && !makes) continue;
    Representation& added = file.coded.emplace_back();
    added.coding = codings[i].name;
    added.type = file.plain.type;
    added.identity = found.value_or(file.plain.identity);
    added.settled = file.plain.settled;
    if (found) (added.name = file.plain.name) += codings[i].suffix;
    else describe(added, Varies::yes, files_, now);
  }
}

std::optional<FileIdentity> FileLoader::sibling(const CachedFile& file, std::size_t coding) const {
  if (files_.ready_made == Precompressed::off) return std::nullopt;
  std::string name = file.plain.name;
  const FileStatus found = folder_->look(name += codings[coding].suffix);
  if (found.kind != FileKind::regular || is_older(found.identity, file.plain.identity)) return std::nullopt;
  return found.identity;
}

bool FileLoader::is_worth_compressing(const Representation& plain) const {
  return files_.compression == OnTheFly::on && plain.identity.size >= files_.compress_from &&
         plain.identity.size <= files_.compress_to && codec::is_compressible(plain.type);
}

/// look() follows links wherever they lead, but the outcome has to be the very file that was opened inside the folder.
bool FileLoader::is_current(CachedFile& file, const LoopMoment& at) const {
  if (file.plain.checked == at.turn) return true;
  if (!file.plain.settled) return false;
  for (std::size_t earlier = 0; earlier < file.index; ++earlier)
    if (folder_->look(name_of(file.path, earlier)).kind == FileKind::regular) return false;
  const FileStatus found = folder_->look(file.plain.name);
  if (found.kind != FileKind::regular || found.identity != file.plain.identity) return false;
  file.plain.checked = at.turn;
  return true;
}

bool FileLoader::siblings_are_current(CachedFile& file, const LoopMoment& at) const {
  if (files_.ready_made == Precompressed::off || file.plain.is_coded() || at.now - file.siblings_seen < siblings_known) return true;
  for (std::size_t i = 0; i < codings.size(); ++i)
    if (sibling(file, i).has_value() != (find_sibling(file, codings[i].name) != nullptr)) return false;
  file.siblings_seen = at.now;
  return true;
}

FileLoader::Sibling FileLoader::refresh(const CachedFile& file, Representation& sibling, const LoopMoment& at) const {
  if (sibling.checked == at.turn) return Sibling::same;
  const bool is_open = sibling.held != Representation::Held::nothing;
  if (is_open && sibling.settled && folder_->look(sibling.name).identity == sibling.identity) {
    sibling.checked = at.turn;
    return Sibling::same;
  }
  auto opened = folder_->open_file(sibling.name);
  if (!opened || is_older(opened->identity, file.plain.identity)) return Sibling::gone;
  fill(sibling, std::move(*opened));
  sibling.checked = at.turn;
  describe(sibling, Varies::yes, files_, std::time(nullptr));
  return Sibling::opened;
}

bool FileLoader::renew(Renew where, std::string& why) {
  if (where == Renew::removed && !folder_->removed()) return false;
  auto found = folder_->open_again();
  if (!found) why = found.error();
  if (!found || found->is_same_as(*folder_)) return false;
  folder_ = std::make_shared<const OpenFolder>(std::move(*found));
  return true;
}

}  // namespace wharf::server
