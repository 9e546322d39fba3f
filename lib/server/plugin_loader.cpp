#include "server/plugin_loader.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>

namespace wharf::server {
namespace {

Error refused(const std::string& file, std::string_view reason) {
  return {"plugin '" + file + "' is refused: " + std::string(reason)};
}

/// What dlopen says starts with the file's name; one naming is enough.
std::string loader_message(const std::string& file) {
  const char* said = dlerror();
  std::string_view text = said != nullptr ? said : "unknown reason";
  if (text.starts_with(file + ": ")) text.remove_prefix(file.size() + 2);
  return std::string(text);
}

struct Unload {
  void operator()(void* library) const { dlclose(library); }
};

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

base::Result<const wharf_plugin*, Error> load_plugin(const std::string& file) {
  // A name without a slash would be looked for in the system's library folders.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  std::unique_ptr<void, Unload> library(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!library) return base::Failure{refused(file, "it cannot be loaded: " + loader_message(path))};
  const auto* plugin = static_cast<const wharf_plugin*>(dlsym(library.get(), "wharf_plugin_export"));
  if (plugin == nullptr)
    return base::Failure{refused(file, "it is not a wharf plugin: it exports no symbol wharf_plugin_export (see WHARF_EXPORT)")};
  if (const std::string fault = check_plugin(*plugin); !fault.empty()) return base::Failure{refused(file, fault)};
  static_cast<void>(library.release());
  return plugin;
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
