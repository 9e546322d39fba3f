#include "protocol/plugin_loader.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>

#include "base/descriptor.h"
#include "protocol/elf_file.h"
#include "protocol/plugin_symbols.h"

namespace wharf::server {
namespace {

Error refused(const std::string& file, std::string_view reason) {
  return {"plugin '" + file + "' is refused: " + std::string(reason)};
}

/// A message of dlopen() starts with the file's name, which is left out here.
std::string loader_message(const std::string& file) {
  const char* said = dlerror();
  std::string_view text = said != nullptr ? said : "unknown reason";
  if (text.starts_with(file + ": ")) text.remove_prefix(file.size() + 2);
  return std::string(text);
}

/// A file that is read without waiting: opening a named pipe would wait for its writer.
class File {
 public:
  explicit File(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) {}
  [[nodiscard]] bool is_open() const { return static_cast<bool>(descriptor_); }
  [[nodiscard]] bool describe(struct stat& facts) const { return fstat(descriptor_.get(), &facts) == 0; }
  /// Fewer bytes if the file ends there.
  [[nodiscard]] std::string read(std::uint64_t offset, std::size_t size) const {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = pread(descriptor_.get(), bytes.data() + have, size - have, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }

 private:
  base::Descriptor descriptor_;
};

/// An empty text, or why the dynamic loader must not be called: it would wait, or end the process.
std::string check_file(const std::string& path) {
  const File file(path);
  struct stat facts {};
  if (!file.is_open() || !file.describe(facts)) return {};  // the loader will say why
  if (!S_ISREG(facts.st_mode)) return "it is not a regular file";
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  const auto table = codec::find_segments(file.read(0, codec::elf_head_size), size);
  if (!table) return std::string(message(table.error()));
  const std::string bytes = file.read(table->offset, table->size);
  if (bytes.size() < table->size) return std::string(message(codec::ElfFault::cut_short));
  if (const auto end = codec::check_segments(bytes, size); !end) return std::string(message(end.error()));
  return {};
}

struct Unload {
  void operator()(void* library) const { dlclose(library); }
};

constexpr const char* advice = "build it with -fvisibility=hidden (docs/plugin-abi.md)";

std::string abi_text(std::uint32_t minor) { return std::to_string(WHARF_ABI_NUMBER) + "." + std::to_string(minor); }

}  // namespace

std::string check_plugin(const wharf_plugin& plugin) {
  if (plugin.abi != WHARF_ABI_NUMBER)
    return "it was built for ABI " + std::to_string(plugin.abi) + ", this server has ABI " + std::to_string(WHARF_ABI_NUMBER) +
           "; rebuild it against the installed headers";
  if (plugin.size < offsetof(wharf_plugin, rows) + sizeof plugin.rows) return "its wharf_plugin_export is too small";
  // ABI 1.0 had no minor number.
  const std::uint32_t least =
      plugin.size >= offsetof(wharf_plugin, least_minor) + sizeof plugin.least_minor ? plugin.least_minor : 0;
  if (least > WHARF_ABI_MINOR)
    return "it needs ABI " + abi_text(least) + ", this server has ABI " + abi_text(WHARF_ABI_MINOR) +
           "; update the server, or build the plugin against the server's headers";
  if (plugin.row_count == 0 || plugin.rows == nullptr) return "it lists no protocol rows";
  return {};
}

base::Result<LoadedPlugin, Error> load_plugin(const std::string& file) {
  // The loader would look for a name without a slash in the system's library folders.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  if (const std::string fault = check_file(path); !fault.empty())
    return base::Failure{refused(file, "it cannot be loaded: " + fault)};
  std::unique_ptr<void, Unload> library(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!library) return base::Failure{refused(file, "it cannot be loaded: " + loader_message(path))};
  const auto* plugin = static_cast<const wharf_plugin*>(dlsym(library.get(), "wharf_plugin_export"));
  if (plugin == nullptr)
    return base::Failure{refused(file, "it is not a wharf plugin: it exports no symbol wharf_plugin_export (see WHARF_EXPORT)")};
  if (const std::string fault = check_plugin(*plugin); !fault.empty()) return base::Failure{refused(file, fault)};
  const TakenSymbols taken = taken_symbols(library.get());
  if (taken.differs)
    return base::Failure{
        refused(file, "its variable '" + taken.first + "' would be another one, that of '" + taken.from + "'; " + advice)};
  static_cast<void>(library.release());
  if (taken.count == 0) return LoadedPlugin{plugin, {}};
  return LoadedPlugin{plugin, "plugin '" + file + "' gets '" + taken.first + "' of '" + taken.from + "' instead of its own" +
                                  (taken.count > 1 ? ", and " + std::to_string(taken.count - 1) + " more" : "") + "; " + advice};
}

base::Result<std::vector<std::string>, Error> list_plugins(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> files;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".so") files.push_back(entry->path().string());
  if (error)
    return base::Failure{
        Error{"cannot look for plugins in '" + folder + "': " + error.message() + "; name a folder that can be read"}};
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace wharf::server
