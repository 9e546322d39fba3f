/// wharf-option-pages [--check] PAGE...: writes into the tables of the pages what the options themselves say. With --check nothing
/// is written, and a page that differs is a fault. An option without a row in any page is a fault too. Each fault is a line on
/// stdout, and the status is then 1.

#include "option_pages.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <string_view>
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

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> names(arguments + 1, arguments + count);
  const bool writes = std::erase(names, "--check") == 0;
  const std::vector<option_pages::Entry> entries = all_entries();
  std::set<std::string> found;
  int status = 0;
  const auto fault = [&status](std::string_view where, std::string_view what) {
    std::cout << where << ": " << what << '\n';
    status = 1;
  };
  for (const std::string& name : names) {
    std::ifstream file(name);
    const std::string before((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const option_pages::Page page(entries, before);
    found.insert(page.found().begin(), page.found().end());
    for (const std::string& line : page.faults()) fault(name, line);
    if (page.text() == before) continue;
    if (writes) std::ofstream(name) << page.text();
    else fault(name, "differs from what wharf-option-pages writes");
  }
  for (const option_pages::Entry& entry : entries)
    if (!found.contains(entry.key())) fault(entry.key(), "no page has a row for it");
  return status;
}
