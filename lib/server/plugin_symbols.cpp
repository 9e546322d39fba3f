#include "server/plugin_symbols.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

namespace wharf::server {
namespace {

using Symbol = ElfW(Sym);

struct Free {
  void operator()(char* text) const { std::free(text); }
};

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, Free> text(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status));
  return status == 0 && text ? std::string(text.get()) : symbol;
}

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// What may begin a name in the demangled text of a symbol of the language: namespaces of its library, types, and other such words.
bool is_word_of_the_language(std::string_view word) {
  static constexpr auto words = std::to_array<std::string_view>(
      {"std",      "__gnu_cxx", "__cxxabiv1", "void",     "bool",   "char", "char8_t",  "char16_t", "char32_t",
       "wchar_t",  "signed",    "unsigned",   "short",    "int",    "long", "__int128", "float",    "double",
       "const",    "volatile",  "operator",   "new",      "delete", "true", "false",    "lambda",   "auto",
       "decltype", "declval",   "nullptr",    "noexcept", "abi",    "cxx11"});
  return std::find(words.begin(), words.end(), word) != words.end() || std::isdigit(static_cast<unsigned char>(word.front())) != 0;
}

/// Leaves out what the demangler says of symbols that are made for a class or a variable.
std::string_view without_purpose(std::string_view text) {
  for (const std::string_view start : {"guard variable for ", "vtable for ", "VTT for ", "construction vtable for ",
                                       "typeinfo for ", "typeinfo name for ", "non-virtual thunk to ", "virtual thunk to "})
    if (text.starts_with(start)) return text.substr(start.size());
  return text;
}

/// The symbols of an object as the dynamic linker has them in memory.
class SymbolTable {
 public:
  explicit SymbolTable(const link_map& object) : bias_(object.l_addr) {
    for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_SYMTAB) symbols_ = at<Symbol>(entry->d_un.d_ptr);
      else if (entry->d_tag == DT_STRTAB) strings_ = at<char>(entry->d_un.d_ptr);
      else if (entry->d_tag == DT_GNU_HASH) count_ = counted(at<std::uint32_t>(entry->d_un.d_ptr));
      else if (entry->d_tag == DT_HASH && count_ == 0) count_ = at<std::uint32_t>(entry->d_un.d_ptr)[1];
    }
  }

  [[nodiscard]] std::span<const Symbol> symbols() const { return {symbols_, symbols_ != nullptr ? count_ : 0}; }
  [[nodiscard]] std::string name(const Symbol& symbol) const { return strings_ + symbol.st_name; }
  [[nodiscard]] const void* place(const Symbol& symbol) const { return pointer<void>(bias_ + symbol.st_value); }

 private:
  template <class T>
  static const T* pointer(std::uintptr_t address) {
    return reinterpret_cast<const T*>(address);  // NOLINT(performance-no-int-to-ptr): the loader's tables are of numbers
  }
  /// Some systems leave the addresses as they are in the file.
  template <class T>
  [[nodiscard]] const T* at(std::uintptr_t address) const {
    return pointer<T>(address < bias_ ? address + bias_ : address);
  }

  /// The table of GNU hashes tells no number of symbols: the last one is the end of the last chain.
  static std::size_t counted(const std::uint32_t* table) {
    const std::uint32_t bucket_count = table[0];
    const std::uint32_t first = table[1];
    const std::size_t filter_words = std::size_t{table[2]} * sizeof(ElfW(Addr)) / sizeof(std::uint32_t);
    const std::uint32_t* buckets = table + 4 + filter_words;
    const std::uint32_t* chains = buckets + bucket_count;
    std::uint32_t last = bucket_count > 0 ? *std::max_element(buckets, chains) : 0;
    if (last < first) return first;
    while ((chains[last - first] & 1U) == 0) ++last;
    return last + std::size_t{1};
  }

  std::uintptr_t bias_;
  const Symbol* symbols_ = nullptr;
  const char* strings_ = "";
  std::size_t count_ = 0;
};

unsigned binding(const Symbol& symbol) { return ELF64_ST_BIND(symbol.st_info); }
bool is_variable(const Symbol& symbol) { return ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT; }

bool is_shown(const Symbol& symbol) {
  const bool function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
  return symbol.st_shndx != SHN_UNDEF && (function || is_variable(symbol)) && ELF64_ST_VISIBILITY(symbol.st_other) == STV_DEFAULT;
}

/// Where the definition is that everybody uses; nullptr: there is no other than the plugin's.
const void* used(void* library, const Symbol& symbol, const std::string& name) {
  const void* of_program = dlsym(RTLD_DEFAULT, name.c_str());
  return of_program == nullptr && binding(symbol) == STB_GNU_UNIQUE ? dlsym(library, name.c_str()) : of_program;
}

}  // namespace

bool is_of_the_language(const std::string& symbol) {
  if (!symbol.starts_with("_Z")) return symbol.starts_with('_');  // reserved names, such as _init and _end
  const std::string whole = demangled(symbol);
  const std::string_view text = without_purpose(whole);
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word_char(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && is_word_char(text[at])) ++at;
    const std::string_view before = text.substr(0, begin);
    const bool begins_name = !before.ends_with("::") && !before.ends_with("::~");
    if (begins_name && !is_word_of_the_language(text.substr(begin, at - begin))) return false;
  }
  return true;
}

TakenSymbols taken_symbols(void* library) {
  TakenSymbols taken;
  link_map* object = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &object) != 0) return taken;
  const SymbolTable table(*object);
  for (const Symbol& symbol : table.symbols()) {
    if (!is_shown(symbol)) continue;
    const std::string name = table.name(symbol);
    if (name == "wharf_plugin_export" || is_of_the_language(name)) continue;
    const void* place = used(library, symbol, name);
    Dl_info there{};
    void* entry = nullptr;
    if (place == nullptr || place == table.place(symbol) || dladdr1(place, &there, &entry, RTLD_DL_SYMENT) == 0) continue;
    const auto* other = static_cast<const Symbol*>(entry);
    const bool of_headers = name.starts_with("_ZN5wharf") || name.starts_with("_ZZN5wharf");
    const bool differs =
        is_variable(symbol) && other != nullptr && is_variable(*other) && (of_headers || other->st_size != symbol.st_size);
    ++taken.count;
    if (taken.first.empty() || (differs && !taken.differs)) {
      taken.first = demangled(name);
      taken.from = there.dli_fname != nullptr ? there.dli_fname : "the program";
    }
    taken.differs = taken.differs || differs;
  }
  return taken;
}

}  // namespace wharf::server
