#pragma once
#include <string>
#include <string_view>

namespace wharf::server {

/// Whether a name as the linker knows it, C or C++, belongs to the compiler and its library alone. Plugins share those with everybody,
/// which does no harm: they are the same everywhere. It does not belong to them where a type of somebody else's is a part of it.
bool is_of_the_language(const std::string& symbol);

/// What the dynamic linker did with the names that a plugin shows. Where the program, or a library of its, or in the case of g++'s unique
/// variables another plugin, defines the same name, it takes that instead of the plugin's own.
struct TakenSymbols {
  std::string first;      ///< as a person writes it; empty: none was taken
  std::string from;       ///< the file that it is taken from
  std::size_t count = 0;  ///< how many were
  /// `first` is a variable that is certainly not the same there: it has another size, or is of Wharf's own headers, which make one for each
  /// plugin (before ABI 1.1 they did not hide it).
  bool differs = false;
};

/// Looks at all that a loaded object shows and looks up itself, but for its wharf_plugin_export. `library` is from dlopen().
TakenSymbols taken_symbols(void* library);

}  // namespace wharf::server
