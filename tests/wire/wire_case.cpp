#include "wire/wire_case.h"

#include <doctest/doctest.h>

#include <cctype>
#include <fstream>
#include <stdexcept>

#ifndef WHARF_WIRE_FOLDER
#define WHARF_WIRE_FOLDER "tests/wire"
#endif

namespace {

/// Reads the operand of one `in` line.
class Notation {
 public:
  explicit Notation(std::string_view text) : text_(text) {}

  std::string bytes() {
    std::string all;
    for (skip_space(); !text_.empty(); skip_space()) {
      std::size_t count = 1;
      if (text_.starts_with("repeat ")) {
        text_.remove_prefix(7);
        count = number();
        skip_space();
      }
      const std::string item = text_.starts_with('"') ? string() : std::string(1, hex_byte());
      for (std::size_t i = 0; i < count; ++i) all += item;
    }
    return all;
  }

 private:
  void skip_space() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }
  std::size_t number() {
    std::size_t used = 0;
    const std::size_t value = std::stoul(std::string(text_), &used);
    text_.remove_prefix(used);
    return value;
  }
  char hex_byte() {
    if (text_.size() < 2 || !std::isxdigit(static_cast<unsigned char>(text_[0])) ||
        !std::isxdigit(static_cast<unsigned char>(text_[1])))
      throw std::runtime_error("expected two hexadecimal digits");
    const char byte = static_cast<char>(std::stoi(std::string(text_.substr(0, 2)), nullptr, 16));
    text_.remove_prefix(2);
    return byte;
  }
  std::string string() {
    std::string value;
    for (text_.remove_prefix(1); !text_.starts_with('"');) {
      if (text_.empty()) throw std::runtime_error("a string without its closing quote");
      const char c = text_.front();
      text_.remove_prefix(1);
      value += c == '\\' ? escape() : c;
    }
    text_.remove_prefix(1);
    return value;
  }
  char escape() {
    if (text_.empty()) throw std::runtime_error("a string that ends in a backslash");
    const char c = text_.front();
    text_.remove_prefix(1);
    switch (c) {
      case 'r': return '\r';
      case 'n': return '\n';
      case 't': return '\t';
      case '0': return '\0';
      case 'x': return hex_byte();
      default: return c;
    }
  }

  std::string_view text_;
};

bool take_word(std::string_view& line, std::string_view word) {
  if (!line.starts_with(word)) return false;
  line.remove_prefix(word.size());
  return true;
}

void read_line(std::string_view line, WireCase& into) {
  if (take_word(line, "set ")) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) throw std::runtime_error("`set` takes a name and a value");
    into.settings[std::string(line.substr(0, space))] = line.substr(space + 1);
  } else if (take_word(line, "in ")) {
    into.input += Notation(line).bytes();
  } else if (take_word(line, "out ")) {
    into.events.emplace_back(line);
  } else {
    throw std::runtime_error("a line starts with ##, set, in, out or #");
  }
}

/// One text, so that a failure shows the difference.
std::string joined(const std::vector<std::string>& events) {
  std::string text;
  for (const std::string& event : events) text += event + "\n";
  return text;
}

bool is_worth_a_split(std::size_t at, std::size_t size) { return size <= 4096 || at < 64 || size - at < 64 || at % 97 == 0; }

}  // namespace

std::vector<WireCase> load_wire_cases(const std::string& name) {
  const std::string file = WHARF_WIRE_FOLDER "/" + name;
  std::ifstream in(file);
  if (!in) throw std::runtime_error(file + ": cannot be read");
  std::vector<WireCase> cases;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string where = file + ":" + std::to_string(++number);
    if (line.starts_with("## ")) {
      cases.push_back({where, line.substr(3), {}, {}, {}});
      continue;
    }
    if (line.empty() || line.starts_with('#')) continue;
    try {
      if (cases.empty()) throw std::runtime_error("a line before the first ## title");
      read_line(line, cases.back());
    } catch (const std::exception& error) {
      throw std::runtime_error(where + ": " + error.what());
    }
  }
  return cases;
}

void check_at_every_split(const WireCase& wire_case, const WireRun& run) {
  INFO(wire_case.where << " " << wire_case.name);
  const std::string_view input = wire_case.input;
  const std::string expected = joined(wire_case.events);
  CHECK(joined(run(wire_case, {input})) == expected);
  for (std::size_t at = 1; at < input.size(); ++at) {
    if (!is_worth_a_split(at, input.size())) continue;
    INFO("split at " << at);
    const std::string events = joined(run(wire_case, {input.substr(0, at), input.substr(at)}));
    CHECK(events == expected);
    if (events != expected) return;
  }
  std::vector<std::string_view> bytes;
  for (std::size_t at = 0; at < input.size(); ++at) bytes.push_back(input.substr(at, 1));
  INFO("byte by byte");
  CHECK(joined(run(wire_case, bytes)) == expected);
}

std::string in_quotes(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') text += "\\r";
    else if (c == '\n') text += "\\n";
    else if (c == '\t') text += "\\t";
    else if (c == '"' || c == '\\') (text += '\\') += c;
    else if (byte >= 0x20 && byte < 0x7F) text += c;
    else ((text += "\\x") += digits[byte >> 4]) += digits[byte & 15];
  }
  return text + '"';
}

void check_wire_cases(const std::string& name, std::size_t at_least, const WireRun& run) {
  const std::vector<WireCase> cases = load_wire_cases(name);
  CHECK(cases.size() >= at_least);
  for (const WireCase& wire_case : cases) check_at_every_split(wire_case, run);
}
