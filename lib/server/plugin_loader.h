#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "wharf/abi.h"
#include "wharf/server.hpp"

namespace wharf::server {

/// Opens a plugin and checks everything that can be checked before its rows are used: it can be loaded, has the one symbol, was built
/// for this ABI number, lists rows. A plugin stays loaded until the process ends, because its code may be anywhere by then. The error
/// names the file and the reason.
base::Result<const wharf_plugin*, Error> load_plugin(const std::string& file);

/// An empty text, or why the rows of a plugin can not be used: another ABI number, too small, no rows.
std::string check_plugin(const wharf_plugin& plugin);

/// The *.so files of a folder, sorted by name. The error names the folder and the reason.
base::Result<std::vector<std::string>, Error> list_plugins(const std::string& folder);

}  // namespace wharf::server
