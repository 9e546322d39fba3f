#include "protocol/plugin_symbols.h"

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
#include <set>
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

/// Words that may begin a name in the demangled text of a symbol of the language: namespaces of its library, types, and the like.
bool is_word_of_the_language(std::string_view word) {
  static constexpr auto words = std::to_array<std::string_view>(
      {"std",      "__gnu_cxx", "__cxxabiv1", "void",     "bool",   "char", "char8_t",  "char16_t", "char32_t",
       "wchar_t",  "signed",    "unsigned",   "short",    "int",    "long", "__int128", "float",    "double",
       "const",    "volatile",  "operator",   "new",      "delete", "true", "false",    "lambda",   "auto",
       "decltype", "declval",   "nullptr",    "noexcept", "abi",    "cxx11"});
  return std::find(words.begin(), words.end(), word) != words.end() || std::isdigit(static_cast<unsigned char>(word.front())) != 0;
}

/// Removes the demangler's words about symbols that are made for a class or a variable.
std::string_view without_purpose(std::string_view text) {
  for (const std::string_view start : {"guard variable for ", "vtable for ", "VTT for ", "construction vtable for ",
                                       "typeinfo for ", "typeinfo name for ", "non-virtual thunk to ", "virtual thunk to "})
    if (text.starts_with(start)) return text.substr(start.size());
  return text;
}

/// The symbols that the dynamic linker looks up for an object, as they lie in memory.
class Lookups {
 public:
  explicit Lookups(const link_map& object) : bias_(object.l_addr) {
    for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
      const auto value = static_cast<std::uintptr_t>(entry->d_un.d_val);
      switch (entry->d_tag) {
        case DT_SYMTAB: symbols_ = at<Symbol>(value); break;
        case DT_STRTAB: strings_ = at<char>(value); break;
        case DT_RELA: with_addend_.begin = value; break;
        case DT_RELASZ: with_addend_.size = value; break;
        case DT_REL: plain_.begin = value; break;
        case DT_RELSZ: plain_.size = value; break;
        case DT_JMPREL: calls_.begin = value; break;
        case DT_PLTRELSZ: calls_.size = value; break;
        case DT_PLTREL: calls_have_addend_ = value == DT_RELA; break;
        default: break;
      }
    }
  }

  /// Each symbol once. If the object exports a symbol and does not look it up, it uses its own, whoever else has it.
  [[nodiscard]] std::set<const Symbol*> symbols() const {
    std::set<const Symbol*> found;
    if (symbols_ == nullptr) return found;
    collect<ElfW(Rela)>(with_addend_, found);
    collect<ElfW(Rel)>(plain_, found);
    if (calls_have_addend_) collect<ElfW(Rela)>(calls_, found);
    else collect<ElfW(Rel)>(calls_, found);
    return found;
  }
  [[nodiscard]] std::string name(const Symbol& symbol) const { return strings_ + symbol.st_name; }
  [[nodiscard]] const void* place(const Symbol& symbol) const { return pointer<void>(bias_ + symbol.st_value); }

 private:
  struct Table {
    std::uintptr_t begin = 0;
    std::size_t size = 0;  ///< bytes
  };

  template <class T>
  static const T* pointer(std::uintptr_t address) {
    return reinterpret_cast<const T*>(address);  // NOLINT(performance-no-int-to-ptr): the loader's tables have numbers
  }
  /// Some systems keep the addresses as they are in the file.
  template <class T>
  [[nodiscard]] const T* at(std::uintptr_t address) const {
    return pointer<T>(address < bias_ ? address + bias_ : address);
  }

  template <class Relocation>
  void collect(const Table& table, std::set<const Symbol*>& found) const {
    constexpr int type_bits = sizeof(void*) == 8 ? 32 : 8;
    for (const Relocation& each : std::span(at<Relocation>(table.begin), table.size / sizeof(Relocation)))
      found.insert(symbols_ + (each.r_info >> type_bits));
  }

  std::uintptr_t bias_;
  const Symbol* symbols_ = nullptr;
  const char* strings_ = "";
  Table with_addend_;
  Table plain_;
  Table calls_;
  bool calls_have_addend_ = true;
};

unsigned binding(const Symbol& symbol) { return ELF64_ST_BIND(symbol.st_info); }
bool is_variable(const Symbol& symbol) { return ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT; }

bool is_shown(const Symbol& symbol) {
  const bool function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
  return symbol.st_shndx != SHN_UNDEF && (function || is_variable(symbol)) && ELF64_ST_VISIBILITY(symbol.st_other) == STV_DEFAULT;
}

/// The definition that everybody uses; nullptr: there is only the plugin's.
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
  const Lookups lookups(*object);
  for (const Symbol* const each : lookups.symbols()) {
    const Symbol& symbol = *each;
    if (!is_shown(symbol)) continue;
    const std::string name = lookups.name(symbol);
    if (name == "wharf_plugin_export" || is_of_the_language(name)) continue;
    const void* place = used(library, symbol, name);
    Dl_info there{};
    void* entry = nullptr;
    if (place == nullptr || place == lookups.place(symbol) || dladdr1(place, &there, &entry, RTLD_DL_SYMENT) == 0) continue;
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
