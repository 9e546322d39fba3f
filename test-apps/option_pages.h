#pragma once
/// Tables of options in pages of Markdown: the cells for an option's default and for what it is are written from the options
/// themselves. All else in a row belongs to the author of the page.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wharf/options.hpp"

namespace option_pages {

/// An option as a page shows it.
struct Entry {
  std::string owner;  ///< the struct; empty: the command line
  std::string name;
  char letter = '\0';
  std::string standard;   ///< its default
  std::string otherwise;  ///< what that number means
  std::string about;      ///< with `code` and [links](of.md)

  [[nodiscard]] std::string key() const { return owner.empty() ? "--" + name : owner + "::" + name; }
};

/// 1,024
inline std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

/// A number with the largest unit that it is a whole number of.
inline std::string with_unit(std::int64_t number, wharf::options::Unit unit) {
  using wharf::options::Unit;
  constexpr std::int64_t kibi = 1024;
  constexpr std::int64_t mebi = kibi * kibi;
  constexpr std::int64_t second = 1'000;
  constexpr std::int64_t minute = 60 * second;
  const auto whole = [number](std::int64_t of) { return number >= of && number % of == 0; };
  switch (unit) {
    case Unit::bytes:
      if (whole(mebi)) return grouped(number / mebi) + " MiB";
      return whole(kibi) ? grouped(number / kibi) + " KiB" : grouped(number) + (number == 0 ? "" : " bytes");
    case Unit::bytes_a_second: return grouped(number) + " bytes a second";
    case Unit::milliseconds:
      if (whole(minute) && number >= 5 * minute) return grouped(number / minute) + " min";
      return whole(second) || number == 0 ? grouped(number / second) + " s" : grouped(number) + " ms";
    case Unit::number: return std::to_string(number);
    default: return grouped(number);
  }
}

template <class Owner>
std::string standard_of(const wharf::options::Option<Owner>& option, const Owner& fresh) {
  using wharf::options::Unit;
  if (option.unit == Unit::word) return std::string(option.words[static_cast<std::size_t>(*number_of(option, fresh))]);
  if (option.unit == Unit::flag || std::holds_alternative<std::monostate>(option.place)) return {};
  if (const auto number = number_of(option, fresh)) return with_unit(*number, option.unit);
  if (!option.otherwise.empty()) return std::string(option.otherwise);
  const auto* const field = std::get_if<std::string Owner::*>(&option.place);
  return field != nullptr && !(fresh.**field).empty() ? fresh.**field : "none";
}

template <class Owner>
std::string about_of(const wharf::options::Option<Owner>& option) {
  std::string about(option.about);
  if (!option.page.empty())
    about += ", see [" + std::string(option.page.substr(0, option.page.find('.'))) + "](" + std::string(option.page) + ")";
  if (std::holds_alternative<std::vector<std::string> Owner::*>(option.place)) about += "; may be given several times";
  return about;
}

/// The entries of a table; the defaults are what `fresh` has.
template <class Owner, std::size_t size>
void add(std::vector<Entry>& entries, std::string_view owner, const wharf::options::Option<Owner> (&table)[size],
         const Owner& fresh = {}) {
  for (const wharf::options::Option<Owner>& option : table)
    entries.push_back({std::string(owner), std::string(option.name), option.letter, standard_of(option, fresh),
                       number_of(option, fresh) ? std::string(option.otherwise) : std::string(), about_of(option)});
}

/// One page. In a table with a column `long`, the rows are options of the command line; if the first head is "field of `wharf::X`"
/// or "`wharf::X`", they are fields of X. Otherwise `X::field` in the first cell names one, and a plain `field` after it another of
/// X.
class Page {
 public:
  Page(const std::vector<Entry>& entries, std::string_view text) : entries_(entries) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      take_line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  /// The keys of the entries that have a row here.
  [[nodiscard]] const std::set<std::string>& found() const { return found_; }
  /// One line for each row of the command line that names no option.
  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }

 private:
  using Cells = std::vector<std::string>;

  void take_line(std::string_view line) {
    ++number_;
    const std::optional<Cells> cells = cells_of(line);
    if (!cells) head_.reset();
    else if (!head_) head_ = *cells;
    else if (column("default") && write_row(*cells)) return;
    (text_ += line) += '\n';
  }

  /// Of a row; a `|` in code separates nothing.
  static std::optional<Cells> cells_of(std::string_view line) {
    if (!line.starts_with('|') || !line.ends_with('|')) return std::nullopt;
    Cells cells;
    std::string cell;
    bool in_code = false;
    for (const char c : line.substr(1)) {
      if (c == '`') in_code = !in_code;
      if (c != '|' || in_code) {
        cell += c;
        continue;
      }
      const std::size_t first = std::min(cell.find_first_not_of(' '), cell.size());
      cells.push_back(cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
      cell.clear();
    }
    return cells;
  }

  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const {
    const auto found = std::find(head_->begin(), head_->end(), name);
    return found != head_->end() ? std::optional(static_cast<std::size_t>(found - head_->begin())) : std::nullopt;
  }

  [[nodiscard]] const Entry* find(std::string_view key) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [key](const Entry& each) { return each.key() == key; });
    return found != entries_.end() ? &*found : nullptr;
  }

  /// The pieces in `code`.
  static std::vector<std::string> code_in(std::string_view cell) {
    std::vector<std::string> found;
    for (std::size_t begin = cell.find('`'); begin != std::string_view::npos; begin = cell.find('`', begin)) {
      const std::size_t end = std::min(cell.find('`', begin + 1), cell.size());
      found.emplace_back(cell.substr(begin + 1, end - begin - 1));
      begin = std::min(end + 1, cell.size());
    }
    return found;
  }

  [[nodiscard]] std::vector<const Entry*> named_in(const Cells& cells) {
    std::vector<const Entry*> named;
    if (const auto at = column("long")) {
      for (const std::string& name : code_in(cells[*at])) {
        named.push_back(find(name));
        if (named.back() == nullptr) faults_.push_back("line " + std::to_string(number_) + ": there is no option " + name);
      }
    } else {
      const std::vector<std::string> heads = code_in(head_->front());
      constexpr std::string_view space = "wharf::";
      std::string owner = !heads.empty() && heads[0].starts_with(space) ? heads[0].substr(space.size()) : std::string();
      for (const std::string& name : code_in(cells[0])) {
        const std::size_t colons = name.rfind("::");
        if (colons != std::string::npos) owner = name.substr(0, colons);
        named.push_back(find(owner + "::" + name.substr(colons != std::string::npos ? colons + 2 : 0)));
      }
    }
    std::erase(named, nullptr);
    return named;
  }

  static void join(std::string& all, std::string_view separator, std::string_view text) {
    if (!text.empty()) (all += all.empty() ? "" : separator) += text;
  }

  bool write_row(Cells cells) {
    const std::vector<const Entry*> named = cells.size() == head_->size() ? named_in(cells) : std::vector<const Entry*>();
    if (named.empty()) return false;
    const auto what = column("what");
    std::string standards;
    std::string abouts;
    for (const Entry* const entry : named) {
      found_.insert(entry->key());
      const std::string otherwise = entry->otherwise.empty() ? std::string() : ": " + entry->otherwise;
      join(standards, what ? ", " : "; ", entry->standard + (what ? "" : " " + entry->about) + otherwise);
      if (what) join(abouts, "; ", entry->about);
    }
    if (what) cells[*what] = abouts;
    cells[*column("default")] = standards;
    if (const auto letter = column("short"))
      cells[*letter] = named[0]->letter != '\0' ? std::string{'`', '-', named[0]->letter, '`'} : std::string();
    for (const std::string& cell : cells) (text_ += cell.empty() ? "|" : "| ") += cell.empty() ? " " : cell + " ";
    text_ += "|\n";
    return true;
  }

  const std::vector<Entry>& entries_;
  std::size_t number_ = 0;
  std::optional<Cells> head_;  // of the table that the line is in
  std::string text_;
  std::set<std::string> found_;
  std::vector<std::string> faults_;
};

}  // namespace option_pages
