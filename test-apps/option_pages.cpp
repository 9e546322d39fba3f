/// wharf-option-pages [--check] PAGE...: writes into the tables of the pages what the options themselves say. With --check nothing
/// is written, and a page that differs is a fault. An option without a row in any page is a fault too, and so is a page that cannot
/// be read or written. Each fault is a line on stdout, and the status is then 1; 2 means wrong usage.

#include "option_pages.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "program_options.h"
#include "wharf/options.hpp"

namespace {

/// The library's own choice.
wharf::Compression standard_compression() {
  constexpr wharf::StandardCompression standard;
  return {.context = wharf::Compression::Context::shared,
          .window_bits = standard.window_bits,
          .memory_level = standard.memory_level,
          .level = standard.level,
          .compress_from = standard.from_shared,
          .messages = wharf::Compression::Messages::worthwhile};
}

std::vector<option_pages::Entry> all_entries() {
  namespace options = wharf::options;
  std::vector<option_pages::Entry> entries;
  option_pages::add(entries, "", program_options::table);
  option_pages::add(entries, "Limits", options::of_limits);
  option_pages::add(entries, "FileLimits", options::of_file_limits);
  option_pages::add(entries, "Files", options::of_files);
  option_pages::add(entries, "Proxy", options::of_proxy);
  option_pages::add(entries, "Compression", options::of_compression, standard_compression());
  const auto from =
      std::find_if(entries.begin(), entries.end(), [](const auto& each) { return each.key() == "Compression::compress_from"; });
  constexpr wharf::StandardCompression standard;
  from->standard =
      std::to_string(standard.from_shared) + " with shared, " + std::to_string(standard.from_dedicated) + " with dedicated";
  return entries;
}

/// nullopt: it is no file, or cannot be read.
std::optional<std::string> content_of(const std::string& name) {
  std::error_code error;
  std::ifstream file;
  if (std::filesystem::is_regular_file(name, error)) file.open(name);
  if (!file.is_open()) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> names(arguments + 1, arguments + count);
  const bool writes = std::erase(names, "--check") == 0;
  if (names.empty() || std::any_of(names.begin(), names.end(), [](const std::string& name) { return name.starts_with('-'); })) {
    std::cerr << "usage: wharf-option-pages [--check] PAGE...\n";
    return 2;
  }
  const std::vector<option_pages::Entry> entries = all_entries();
  std::set<std::string> found;
  int status = 0;
  const auto fault = [&status](std::string_view where, std::string_view what) {
    std::cout << where << ": " << what << '\n';
    status = 1;
  };
  for (const std::string& name : names) {
    const std::optional<std::string> before = content_of(name);
    if (!before) {
      fault(name, "cannot be read");
      continue;
    }
    const option_pages::Page page(entries, *before);
    found.insert(page.found().begin(), page.found().end());
    for (const std::string& line : page.faults()) fault(name, line);
    if (page.text() == *before) continue;
    if (!writes) fault(name, "differs from what wharf-option-pages writes");
    else if (!(std::ofstream(name) << page.text() << std::flush)) fault(name, "cannot be written");
  }
  for (const option_pages::Entry& entry : entries)
    if (!found.contains(entry.key())) fault(entry.key(), "no page has a row for it");
  return status;
}
