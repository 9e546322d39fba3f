#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "wharf/abi.h"
#include "wharf/config.hpp"

namespace wharf::server {

struct LoadedPlugin {
  const wharf_plugin* plugin;
  std::string warning;  ///< one line for the log, or nothing
};

/// Opens a plugin and checks everything that can be checked before its rows are used: the file is whole, it can be loaded, has the
/// one symbol, was built for this ABI number and needs nothing newer, lists rows, and its variables are its own. A plugin stays
/// loaded until the process ends, because its code may be in use anywhere by then. The error names the file and the reason.
base::Result<LoadedPlugin, Error> load_plugin(const std::string& file);

/// An empty text, or why the rows of a plugin cannot be used: another ABI number, a newer version, too small, no rows.
std::string check_plugin(const wharf_plugin& plugin);

/// The *.so files of a folder, sorted by name. The error names the folder and the reason.
base::Result<std::vector<std::string>, Error> list_plugins(const std::string& folder);

}  // namespace wharf::server
