#pragma once
/// A table of options as the options of a command line, and their --help.

#include <CLI/CLI.hpp>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wharf/options.hpp"

namespace command_line {

/// What a program says in --help instead of a table's `otherwise`, by the option's name, and what --version prints.
struct Texts {
  std::map<std::string_view, std::string> otherwise;
  std::string version;
};

/// A line of --help: a sentence, without the marks of a page.
template <class Owner>
std::string help_of(const wharf::options::Option<Owner>& option, const Texts& texts) {
  std::string help;
  for (const char c : option.about)
    if (c != '`') help += help.empty() && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (!option.page.empty()) help += " (docs/" + std::string(option.page.substr(0, option.page.find('#'))) + ")";
  if (std::holds_alternative<std::vector<std::string> Owner::*>(option.place)) help += "; may be given several times";
  const auto told = texts.otherwise.find(option.name);
  if (const std::string otherwise = told != texts.otherwise.end() ? told->second : std::string(option.otherwise);
      !otherwise.empty())
    help += ". Default: " + otherwise;
  return help;
}

inline std::string joined(std::span<const std::string_view> words, std::string_view comma, std::string_view last) {
  std::string all;
  for (const std::string_view& word : words) (all += all.empty() ? "" : &word == &words.back() ? last : comma) += word;
  return all;
}

/// Like "low or high", or "a number from 1 to 20".
template <class Owner>
std::string values_of(const wharf::options::Option<Owner>& option) {
  if (!option.words.empty()) return joined(option.words, ", ", " or ");
  const wharf::options::Range& range = option.range;
  std::string values = "a number";
  if (range.least != 0 || range.most != wharf::options::Range{}.most) values += " from " + std::to_string(range.least);
  if (range.most != wharf::options::Range{}.most) values += " to " + std::to_string(range.most);
  return range.zero == wharf::options::Zero::standard ? values + ", or 0 for the default" : values;
}

template <class Owner>
struct Adder {
  CLI::App& app;
  const wharf::options::Option<Owner>& option;
  Owner& owner;
  const Texts& texts;
  std::string flags;
  std::string help;

  void operator()(std::monostate /*nowhere*/) const {
    if (option.name == "help") app.set_help_flag(flags, help);
    if (option.name == "version") app.set_version_flag(flags, texts.version, help);
  }
  void operator()(bool Owner::*field) const { app.add_flag(flags, owner.*field, help); }
  void operator()(std::vector<std::string> Owner::*field) const {
    app.add_option(flags, owner.*field, help)->allow_extra_args(false);
  }
  void operator()(std::string Owner::*field) const {
    CLI::Option* const added = app.add_option(flags, owner.*field, help);
    if (!(owner.*field).empty()) added->capture_default_str();
  }
  /// A number or a word. It is read as options are everywhere else, not as CLI11 reads numbers.
  template <class Place>
  void operator()(const Place& /*place*/) const {
    const auto take = [&option = option, &owner = owner](const std::string& text) {
      if (!wharf::options::take(option, owner, text) || !wharf::options::is_in_range(option, owner))
        throw CLI::ValidationError("--" + std::string(option.name), "it takes " + values_of(option) + ", not '" + text + "'");
    };
    const auto number = *wharf::options::number_of(option, owner);
    app.add_option_function<std::string>(flags, take, help)
        ->type_name(option.words.empty() ? "NUMBER" : "{" + joined(option.words, ",", ",") + "}")
        ->default_str(option.words.empty() ? std::to_string(number) : std::string(option.words[static_cast<std::size_t>(number)]));
  }
};

/// `table` and `owner` must outlive the parsing.
template <class Owner, std::size_t size>
void add(CLI::App& app, const wharf::options::Option<Owner> (&table)[size], Owner& owner, const Texts& texts = {}) {
  for (const wharf::options::Option<Owner>& option : table) {
    const std::string letter = option.letter != '\0' ? std::string{'-', option.letter, ','} : std::string();
    std::visit(Adder<Owner>{app, option, owner, texts, letter + "--" + std::string(option.name), help_of(option, texts)},
               option.place);
  }
}

}  // namespace command_line
