#include "fuzz/promise.h"
#include "wharf/multipart.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Input: seven bytes that say where to cut, one for the boundary and the limits, then a body of multipart/form-data. Whatever
// the cuts, the outcome is the same; without limits it is that of a parser that sees the whole body; and what a browser
// would write of these bytes, as data or as a name, comes back.

namespace {

using namespace wharf;

constexpr std::size_t control_bytes = 8;
constexpr std::string_view boundaries[] = {"x", "AaB03x", "----",
                                           "0123456789012345678901234567890123456789012345678901234567890123456789"};

struct Part {
  MultipartPart head;
  std::string data;
  bool ended = false;
};

/// Keeps what it is told, and checks that it is told in order.
struct Collector {
  MultipartLimits limits;
  std::vector<Part> parts = {};

  void part(const MultipartPart& head) {
    require(parts.empty() || parts.back().ended, "a part begins when the one before has ended");
    require(parts.size() < limits.parts, "the limit of parts holds");
    require(head.name.size() <= limits.name, "the limit of a name holds");
    require(head.file_name.value_or("").size() <= limits.file_name, "the limit of a file's name holds");
    require(head.type.size() < limits.part_head, "the limit of a head holds");
    for (const std::string& name : {head.name, head.file_name.value_or("")})
      for (const char c : name)
        require((c & ~0x1F) != 0 ? c != 0x7F : c == '\t' || c == '\r' || c == '\n', "a name holds no control character");
    const std::string base = base_name(head.file_name.value_or(""));
    require(base.find_first_of("/\\") == std::string::npos && base != "..", "a base name leads nowhere");
    parts.push_back({head, "", false});
  }
  void part_data(std::string_view data) {
    require(!parts.empty() && !parts.back().ended && !data.empty(), "data are of a part");
    parts.back().data += data;
    require(parts.back().data.size() <= limits.part_size, "the limit of a part holds");
  }
  void part_end() {
    require(!parts.empty() && !parts.back().ended, "a part ends once");
    parts.back().ended = true;
  }
};

struct Outcome {
  std::vector<Part> parts;
  MultipartError error;
};

Outcome parse(std::string_view body, std::string_view boundary, const MultipartLimits& limits, const std::uint8_t* cuts) {
  MultipartParser parser(boundary, limits);
  Collector collector{limits};
  std::size_t at = 0;
  for (std::size_t i = 0; at < body.size() && parser.error() == MultipartError::none; ++i) {
    const std::size_t size = cuts == nullptr ? body.size() : std::min<std::size_t>(body.size() - at, 1U + cuts[i % 7U] % 61U);
    const auto copy = std::make_unique<char[]>(size);
    body.copy(copy.get(), size, at);
    const bool fed = parser.feed({copy.get(), size}, collector);
    require(fed == (parser.error() == MultipartError::none), "feed() tells whether there is an error");
    at += size;
  }
  const bool finished = parser.finish();
  require(finished == (parser.error() == MultipartError::none), "finish() tells whether there is an error");
  if (finished) require(collector.parts.empty() || collector.parts.back().ended, "the last part has ended");
  require(parser.reason() != "unknown error", "an error has a sentence");
  return {std::move(collector.parts), parser.error()};
}

void require_same(const std::vector<Part>& parts, const std::vector<Part>& others, const char* what) {
  require(parts.size() == others.size(), what);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& a = parts[i];
    const Part& b = others[i];
    require(a.head.name == b.head.name && a.head.file_name == b.head.file_name && a.head.type == b.head.type, what);
    require(a.data == b.data && a.ended == b.ended, what);
  }
}

struct Section {
  std::string_view head;  ///< its fields, each with CRLF
  std::string_view data;
};

/// The texts between the delimiters, found with find() in the whole text. Ill-formed: not closed, or a delimiter goes on.
struct Sections {
  bool well_formed = false;
  std::vector<Section> list = {};
};

void skip_padding(std::string_view& text) { text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size())); }

/// `text` is the body behind a CRLF.
Sections sections_of(std::string_view text, std::string_view delimiter) {
  Sections sections;
  for (std::size_t at = text.find(delimiter); at != std::string_view::npos; at = text.find(delimiter)) {
    text.remove_prefix(at + delimiter.size());
    const bool closing = text.starts_with("--");
    if (closing) text.remove_prefix(2);
    skip_padding(text);
    sections.well_formed = closing && (text.empty() || text.starts_with("\r\n"));
    const std::size_t end = text.find("\r\n\r\n");
    if (closing || !text.starts_with("\r\n") || end == std::string_view::npos) return sections;
    const std::string_view head = text.substr(2, end);
    text.remove_prefix(end + 2);
    const std::size_t next = text.find(delimiter);
    sections.list.push_back({head, next == std::string_view::npos || next < 2 ? std::string_view() : text.substr(2, next - 2)});
  }
  return sections;
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

/// A quoted string in which nothing has to be decoded.
bool take_plain(std::string_view& text, std::string& value) {
  const std::size_t end = text.find('"', 1);
  if (!text.starts_with('"') || end == std::string_view::npos) return false;
  value = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < '\x7F' && c != '\\' && c != '%'; });
}

/// A head as simple as most are; false for any other.
bool read_simple(std::string_view head, MultipartPart& part) {
  if (!take(head, "Content-Disposition: form-data; name=") || !take_plain(head, part.name)) return false;
  std::string file_name;
  if (take(head, "; filename=")) {
    if (!take_plain(head, file_name)) return false;
    part.file_name = file_name;
  }
  if (!take(head, "\r\n")) return false;
  if (take(head, "Content-Type: a/b\r\n")) part.type = "a/b";
  return head.empty();
}

void check_against_whole(std::string_view body, std::string_view boundary, const Outcome& outcome) {
  const std::string text = "\r\n" + std::string(body);
  const Sections sections = sections_of(text, "\r\n--" + std::string(boundary));
  const std::vector<Section>& list = sections.list;
  const bool accepted = outcome.error == MultipartError::none;
  if (accepted) require(sections.well_formed && list.size() == outcome.parts.size(), "what is accepted has delimiters");
  bool simple = sections.well_formed;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (accepted) require(list[i].data == outcome.parts[i].data, "data are what stands between the delimiters");
    MultipartPart part;
    if (!read_simple(list[i].head, part)) simple = false;
    else if (accepted)
      require(part.name == outcome.parts[i].head.name && part.file_name == outcome.parts[i].head.file_name &&
                  part.type == outcome.parts[i].head.type,
              "a simple head is read as it is written");
  }
  if (simple) require(accepted, "what is simple is accepted");
}

/// As the WHATWG's HTML standard has it, section 4.10.21.8.
std::string as_browsers_write(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '"') text += "%22";
    else if (c == '\r') text += "%0D";
    else if (c == '\n') text += "%0A";
    else text += c;
  }
  return text;
}

void check_written(std::string_view bytes, std::string_view boundary, const std::uint8_t* cuts) {
  const std::string delimiter = "\r\n--" + std::string(boundary);
  if (("\r\n" + std::string(bytes)).find(delimiter) != std::string::npos) return;
  const bool is_name = std::none_of(bytes.begin(), bytes.end(), [](char c) {
    return c == '\\' || c == '%' || c == '\x7F' || (c >= '\0' && c < ' ' && c != '\t' && c != '\r' && c != '\n');
  });
  const std::string name(is_name ? bytes : "a");
  const std::string body = delimiter.substr(2) + "\r\nContent-Disposition: form-data; name=\"" + as_browsers_write(name) +
                           "\"\r\nContent-Type: a/b\r\n\r\n" + std::string(bytes) + delimiter + "--\r\n";
  const std::size_t enough = body.size();
  const Outcome outcome = parse(body, boundary, {.part_head = enough, .name = enough, .part_size = bytes.size()}, cuts);
  require(outcome.error == MultipartError::none, "what is written well is accepted");
  require_same(outcome.parts, {{{name, std::nullopt, "a/b"}, std::string(bytes), true}}, "what is written comes back");
}

MultipartLimits limits_from(std::uint8_t choice) {
  if (choice < 0x80) return {};
  return {.parts = choice % 3U,
          .part_head = 32U + choice % 64U,
          .part_head_fields = choice % 4U,
          .name = choice % 5U,
          .file_name = choice % 7U,
          .part_size = choice % 11U,
          .body_size = 64U + choice};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);
  const std::string_view boundary = boundaries[data[control_bytes - 1] % 4U];
  const MultipartLimits limits = limits_from(data[control_bytes - 1]);
  const Outcome whole = parse(bytes, boundary, limits, nullptr);
  const Outcome cut = parse(bytes, boundary, limits, data);
  require(whole.error == cut.error, "the error does not depend on the cuts");
  require_same(whole.parts, cut.parts, "the parts do not depend on the cuts");
  if (bytes.size() < 8192) {
    const MultipartLimits none{.parts = size, .part_head = size, .part_head_fields = size, .name = size, .file_name = size};
    check_against_whole(bytes, boundary, parse(bytes, boundary, none, data));
  }
  check_written(bytes, boundary, data);
  if (const auto found = MultipartParser::boundary(bytes)) {
    require(!found->empty() && found->size() <= 70 && !found->ends_with(' '), "a boundary is one");
    require(found->find_first_of("\r\n\"") == std::string::npos, "a boundary can stand on a line");
    require(MultipartParser(*found).error() == MultipartError::none, "a boundary that is found can be used");
  }
  return 0;
}
