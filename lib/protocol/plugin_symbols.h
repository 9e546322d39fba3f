#pragma once
#include <string>
#include <string_view>

namespace wharf::server {

/// Whether a linker name, C or C++, belongs to the compiler and its library alone. Plugins share those with everybody, which does
/// no harm: they are the same everywhere. A name with somebody else's type in it does not belong to them.
bool is_of_the_language(const std::string& symbol);

/// What the dynamic linker did with the names that a plugin exports. If the program, one of its libraries, or, for g++'s unique
/// variables, another plugin defines the same name, the linker takes that instead of the plugin's own.
struct TakenSymbols {
  std::string first;      ///< demangled; empty: none was taken
  std::string from;       ///< the file from which it is taken
  std::size_t count = 0;  ///< how many were taken
  /// `first` is a variable that is certainly not the same there: it has another size, or comes from Wharf's own headers, which make one for
  /// each plugin (before ABI 1.1 they did not hide it).
  bool differs = false;
};

/// Checks all names that a loaded object exports and looks up itself, except wharf_plugin_export. `library` is from dlopen().
TakenSymbols taken_symbols(void* library);

}  // namespace wharf::server
