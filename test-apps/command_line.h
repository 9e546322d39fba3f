#pragma once
/// A table of options as the options of a command line, and their --help.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
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
  template <class Value>
  void operator()(Value Owner::*field) const {
    CLI::Option* const added = app.add_option(flags, owner.*field, help);
    if (option.unit != wharf::options::Unit::text || Value{} != owner.*field) added->capture_default_str();
    const wharf::options::Range& range = option.range;
    if (range != wharf::options::Range{}) added->check(CLI::Range(static_cast<int>(range.least), static_cast<int>(range.most)));
  }
  void operator()(std::vector<std::string> Owner::*field) const {
    app.add_option(flags, owner.*field, help)->allow_extra_args(false);
  }
  void operator()(std::chrono::milliseconds Owner::*field) const {
    const auto take = [field, &owner = owner](std::uint32_t time) { owner.*field = std::chrono::milliseconds(time); };
    app.add_option_function<std::uint32_t>(flags, take, help)->default_str(std::to_string((owner.*field).count()));
  }
  void operator()(const wharf::options::Choice<Owner>& chosen) const {
    const auto take = [&option = option, &owner = owner](const std::string& word) { wharf::options::take(option, owner, word); };
    app.add_option_function<std::string>(flags, take, help)
        ->default_str(std::string(option.words[chosen.get(owner)]))
        ->check(CLI::IsMember(std::vector<std::string>(option.words.begin(), option.words.end())));
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
