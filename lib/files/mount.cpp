#include "files/mount.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <span>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/http/accept.h"
#include "codec/http/conditions.h"
#include "codec/http/target.h"

namespace wharf::server {
namespace {

/// Up to this many bytes, compressing takes less time than handing the work to another thread.
constexpr std::size_t compressed_at_once = 16 * 1024;
/// Longer values of Accept-Encoding are parsed each time.
constexpr std::size_t longest_remembered = 128;

constexpr std::string_view allowed = "GET, HEAD, OPTIONS";

/// The methods of RFC 9110 section 9.3 and RFC 5789 that no file accepts. CONNECT does not come here.
bool is_known_method(std::string_view method) {
  constexpr std::array<std::string_view, 5> known{"DELETE", "PATCH", "POST", "PUT", "TRACE"};
  return std::find(known.begin(), known.end(), method) != known.end();
}

session::Response not_found() { return session::text_response(404, "There is nothing here."); }

session::Response unavailable() {
  session::Response response = session::text_response(503, "The file cannot be opened now.");
  response.fields.emplace_back("Retry-After", "1");
  return response;
}

session::Response listings_crowded() {
  session::Response response = session::text_response(503, "Too many folders are being listed.");
  response.fields.emplace_back("Retry-After", "1");
  return response;
}

std::string check_folder(const std::string& folder) {
  const std::string cannot = "cannot serve files from '" + folder + "': ";
  struct stat status {};
  const std::string path = real_path(folder);
  if (path.empty() || ::stat(path.c_str(), &status) != 0 || ::faccessat(AT_FDCWD, path.c_str(), R_OK | X_OK, AT_EACCESS) != 0)
    return cannot + std::strerror(errno) + "; name a folder that exists and can be read";
  return S_ISDIR(status.st_mode) ? std::string() : cannot + "it is not a folder";
}

/// Redirects to the same path with a slash at its end. It cannot name another host: a path with several slashes at its front is not
/// served.
session::Response moved_to_slash(const codec::RequestHead& head) {
  if (head.path.substr(0, 2).find_first_of("/\\", 1) != std::string_view::npos) return not_found();
  std::string location = base::concat(head.path, "/");
  if (!head.query.empty()) (location += '?') += head.query;
  session::Response response = session::text_response(301, "The folder's path ends in a slash.");
  response.fields.emplace_back("Location", std::move(location));
  return response;
}

}  // namespace

// ---- LoopFiles ----

/// The clock is not enough: many turns can begin within a millisecond, and a change after one has to show in the next.
LoopMoment LoopFiles::moment(base::Time now) const {
  return {now, outside_ == nullptr ? static_cast<std::uint64_t>(now.count()) + 1 : outside_->turn()};
}

// ---- Setting up ----

std::string FileMount::check(const Files& files) {
  if (std::string fault = check_folder(files.folder); !fault.empty()) return fault;
  for (const std::string& name : files.index)
    if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
      return "'" + name + "' is no name of an index file";
  for (const auto& [extension, type] : files.types)
    if (type.empty() || !base::is_field_value(type)) return "the media type for '" + extension + "' is no value of a field";
  if (!base::is_field_value(files.cache_control)) return "cache_control has a line break or another control character";
  return {};
}

Files FileMount::resolved(Files files) {
  if (std::string path = real_path(files.folder); !path.empty()) files.folder = std::move(path);
  return files;
}

base::Result<std::unique_ptr<FileMount>, std::string> FileMount::open(const Files& files, LoopFiles& shared,
                                                                      OpenFolder::Resolution resolution) {
  if (std::string fault = check(files); !fault.empty()) return base::Failure{std::move(fault)};
  auto folder = OpenFolder::open(files.folder, resolution);
  if (!folder) return base::Failure{"cannot serve files from '" + files.folder + "': " + folder.error()};
  return std::unique_ptr<FileMount>(new FileMount(std::move(*folder), files, shared));
}

FileMount::FileMount(OpenFolder folder, Files files, LoopFiles& shared)
    : files_(std::move(files)), shared_(shared), loader_(std::move(folder), files_, shared.cache.limits()) {}

FileMount::~FileMount() {
  shared_.jobs.forget(*this);
  shared_.cache.drop_all(*this);
  shared_.listings.drop_all(*this);
}

// ---- Requests ----

void FileMount::serve(session::Exchange& exchange, std::string_view path) {
  const codec::RequestHead& head = exchange.request();
  const std::string_view method = head.method;
  if (method == "GET" || method == "HEAD") return serve_file(exchange, FileRequest(head), path, Compress::may);
  if (method != "OPTIONS" && !is_known_method(method))
    return exchange.respond(session::text_response(501, "This method is not known here."));
  session::Response response;
  if (method == "OPTIONS") response.status = 204;
  else response = session::text_response(405, "Only GET, HEAD and OPTIONS are answered here.");
  response.fields.emplace_back("Allow", allowed);
  exchange.respond(std::move(response));
}

void FileMount::serve_file(session::Exchange& exchange, const FileRequest& request, std::string_view path, Compress compress) {
  CachedFile* const file = current(exchange, request, path);
  if (file == nullptr) return;
  if (request.accept_encodings == 0 || file->coded.empty()) return answer_with_file(exchange, request, file->plain);
  const Representation& chosen = choose(exchange, request, *file);
  const bool is_to_be_made = chosen.held == Representation::Held::nothing;
  if (is_to_be_made && compress == Compress::never) return answer_with_file(exchange, request, file->plain);
  if (is_to_be_made) return compress_first(exchange, request, *file, chosen);
  answer_with_file(exchange, request, chosen);
}

/// From the cache if that is what the folder holds, else read now. nullptr: there is none, and the exchange has its response.
CachedFile* FileMount::current(session::Exchange& exchange, const FileRequest& request, std::string_view path) {
  const LoopMoment at = shared_.moment(exchange.now());
  CachedFile* const known = shared_.cache.find(*this, path, at.now);
  if (known == nullptr) return load(exchange, path, at);
  if (loader_.is_current(*known, at) && (request.accept_encodings == 0 || loader_.siblings_are_current(*known, at))) return known;
  shared_.cache.drop(*known);
  return load(exchange, path, at);
}

CachedFile* FileMount::load(session::Exchange& exchange, std::string_view path, const LoopMoment& at) {
  auto loaded = loader_.load(path, at);
  if (!loaded && loaded.error() == NoFile::unavailable && shared_.cache.descriptors() > 0) {
    shared_.cache.drop_open();
    loaded = loader_.load(path, at);
  }
  if (std::string why; !loaded && loaded.error() != NoFile::unavailable && renew(FileLoader::Renew::removed, why))
    loaded = loader_.load(path, at);
  if (loaded) {
    (*loaded)->mount = this;
    (*loaded)->path = path;
    return &shared_.cache.keep(std::move(*loaded), at.now);
  }
  switch (loaded.error()) {
    case NoFile::missing: exchange.respond(not_found()); break;
    case NoFile::folder: list(exchange, path); break;
    case NoFile::needs_slash: exchange.respond(moved_to_slash(exchange.request())); break;
    case NoFile::unavailable: exchange.respond(unavailable()); break;
  }
  return nullptr;
}

/// Forgets all that is known of the old folder.
bool FileMount::renew(FileLoader::Renew where, std::string& why) {
  if (!loader_.renew(where, why)) return false;
  shared_.cache.drop_all(*this);
  shared_.listings.drop_all(*this);
  return true;
}

std::string FileMount::look_again() {
  std::string why;
  renew(FileLoader::Renew::replaced, why);
  return why.empty() ? why : "cannot serve files from '" + files_.folder + "': " + why;
}

// ---- Content codings ----

/// The representation that Accept-Encoding asks for; it is ready, or has to be compressed here.
const Representation& FileMount::choose(session::Exchange& exchange, const FileRequest& request, CachedFile& file) {
  const LoopMoment at = shared_.moment(exchange.now());
  for (;;) {
    const std::size_t place = place_of_choice(exchange.request(), request, file);
    if (place == file.coded.size()) return file.plain;
    if (file.coded[place].is_made_here()) return file.coded[place];
    const FileLoader::Sibling found = loader_.refresh(file, file.coded[place], at);
    if (found == FileLoader::Sibling::gone) forget_coding(file, place);
    if (found == FileLoader::Sibling::opened) shared_.cache.weigh_again(file);
    if (found != FileLoader::Sibling::gone) return file.coded[place];
  }
}

std::size_t FileMount::place_of_choice(const codec::RequestHead& head, const FileRequest& request, CachedFile& file) {
  const std::string_view asked = request.accept_encoding;
  const bool is_remembered = request.accept_encodings == 1 && !asked.empty() && asked.size() <= longest_remembered;
  if (is_remembered && asked == file.chosen_for) return file.chosen;
  std::array<std::string_view, 4> offered;
  std::size_t count = 0;
  for (const Representation& each : file.coded) offered[count++] = each.coding;
  offered[count++] = file.plain.coding;
  const auto coding = codec::choose_coding(head, std::span(offered).first(count));
  const auto found = std::find_if(file.coded.begin(), file.coded.end(),
                                  [&coding](const Representation& each) { return coding && each.coding == *coding; });
  const auto place = static_cast<std::size_t>(found - file.coded.begin());
  if (is_remembered) {
    file.chosen_for = asked;
    file.chosen = place;
  }
  return place;
}

void FileMount::forget_coding(CachedFile& file, std::size_t place) {
  file.coded.erase(file.coded.begin() + static_cast<std::ptrdiff_t>(place));
  file.chosen_for.clear();
  shared_.cache.weigh_again(file);
}

/// The response comes when that is done. While other threads are busy, it is the file as it is.
void FileMount::compress_first(session::Exchange& exchange, const FileRequest& request, const CachedFile& file,
                               const Representation& wanted) {
  if (answer_conditions(exchange, request, wanted)) return;
  const std::string key = file.path + wanted.etag;
  if (shared_.jobs.join(*this, key, exchange)) return;
  const bool here = !shared_.jobs.has_threads() || file.plain.size() <= compressed_at_once;
  auto job = here || shared_.jobs.has_room(*this) ? CompressJob::make(*this, file, wanted, shared_.cache.limits()) : nullptr;
  if (!job) return answer_with_file(exchange, request, file.plain);
  if (here) FileJobs::run_here(*job, exchange);
  else shared_.jobs.start(*this, key, std::move(job), exchange);
}

void FileMount::serve_uncompressed(session::Exchange& exchange, std::string_view path) {
  serve_file(exchange, FileRequest(exchange.request()), path, Compress::never);
}

void FileMount::compressed(std::string_view path, const Representation& made) {
  CachedFile* const file = shared_.cache.peek(*this, path);
  if (file == nullptr || file->plain.identity != made.identity) return;
  const auto found =
      std::find_if(file->coded.begin(), file->coded.end(), [](const Representation& each) { return each.is_made_here(); });
  if (found == file->coded.end()) return;
  if (made.held == Representation::Held::nothing)
    return forget_coding(*file, static_cast<std::size_t>(found - file->coded.begin()));
  found->held = made.held;
  found->bytes = made.bytes;
  shared_.cache.weigh_again(*file);
}

// ---- Folders ----

void FileMount::list(session::Exchange& exchange, std::string_view path) {
  if (files_.listing == Listing::off || loader_.folder()->removed()) return exchange.respond(not_found());
  auto folder = loader_.folder()->open_folder(std::string(path.substr(1)));
  if (!folder) return exchange.respond(folder.error() == OpenFailure::missing ? not_found() : unavailable());
  if (answer_conditions(exchange)) return;
  const base::Time now = exchange.now();
  const FileIdentity identity = status_of(*folder).identity;
  if (auto page = shared_.listings.find(*this, path, identity, now)) return answer_with_listing(exchange, std::move(page));
  if (shared_.jobs.join(*this, path, exchange)) return;
  const bool has_thread = shared_.jobs.has_room(*this) || shared_.jobs.may_wait();
  if (shared_.jobs.has_threads() && !has_thread) return exchange.respond(listings_crowded());
  auto title = codec::percent_decode(exchange.request().path);
  auto job = std::make_unique<ListingJob>(
      *this,
      ListedFolder{loader_.folder(), std::move(*folder), std::string(path), title.value_or(std::string(path)), files_.listed},
      KeptListings::Page{identity, loader_.is_settled(identity), now, {}});
  if (has_thread) shared_.jobs.start(*this, path, std::move(job), exchange);
  else FileJobs::run_here(*job, exchange);
}

void FileMount::listed(std::string_view path, KeptListings::Page page) { shared_.listings.keep(*this, path, std::move(page)); }

}  // namespace wharf::server
