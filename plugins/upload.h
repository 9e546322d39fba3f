#pragma once
/// The content of a form, as far as post-demo shows it: only the first bytes of each part are kept, however long it is.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text.h"
#include "upload_row.html.h"
#include "wharf/form.hpp"
#include "wharf/multipart.hpp"
#include "wharf/utf8.hpp"

namespace plugins {

/// The CRC-32 of gzip, PNG and zlib.crc32() (ISO/IEC 8802-3, section 3.2.9), fed piece by piece.
class Crc32 {
 public:
  void feed(std::string_view bytes) {
    for (const char c : bytes) state_ = table[(state_ ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (state_ >> 8U);
  }
  [[nodiscard]] std::uint32_t value() const { return ~state_; }

 private:
  static constexpr std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      entries[i] = i;
      for (int bit = 0; bit < 8; ++bit) entries[i] = (entries[i] & 1U) != 0 ? 0xEDB88320U ^ (entries[i] >> 1U) : entries[i] >> 1U;
    }
    return entries;
  }();

  std::uint32_t state_ = 0xFFFFFFFFU;
};

/// A field of a form, or a file.
struct UploadedPart {
  static constexpr std::size_t kept_bytes = 1024;
  static constexpr std::size_t kept_type = 100;
  static constexpr std::size_t shown_bytes = 32;  ///< if it is no text

  std::string name;
  std::optional<std::string> file_name = std::nullopt;  ///< nothing: it is no file
  std::string type = {};
  std::uint64_t size = 0;
  Crc32 crc = {};
  std::string beginning = {};

  void feed(std::string_view data) {
    size += data.size();
    crc.feed(data);
    beginning += data.substr(0, kept_bytes - beginning.size());
  }

  /// The beginning, if it is text without control characters; a code point that is cut off at its end is left out.
  [[nodiscard]] std::optional<std::string> text() const {
    std::string_view rest = beginning;
    while (!rest.empty()) {
      const wharf::Utf8Front front = wharf::utf8_front(rest);
      if (wharf::utf8_left(front.state) != 0 && size > beginning.size()) break;
      const auto first = static_cast<unsigned char>(rest.front());
      const bool printable = first >= ' ' ? first != 0x7F : first == '\n' || first == '\r' || first == '\t';
      if (front.state != wharf::Utf8State::boundary || !printable) return std::nullopt;
      rest.remove_prefix(front.size);
    }
    return beginning.substr(0, beginning.size() - rest.size());
  }

  [[nodiscard]] std::string hex() const { return hexadecimal(std::string_view(beginning).substr(0, shown_bytes)); }

  /// Eight digits.
  [[nodiscard]] std::string crc_text() const {
    std::string digits;
    for (int shift = 24; shift >= 0; shift -= 8) digits += static_cast<char>(crc.value() >> static_cast<unsigned>(shift) & 0xFFU);
    return hexadecimal(digits);
  }
};

/// All parts of a form, in the order sent. A handler for wharf::MultipartParser.
class Upload {
 public:
  void part(const wharf::MultipartPart& part) {
    parts_.push_back({part.name, part.file_name, part.type.substr(0, UploadedPart::kept_type)});
  }
  void part_data(std::string_view data) { parts_.back().feed(data); }
  void part_end() {}

  void add(const wharf::Parameter& parameter) { parts_.emplace_back(UploadedPart{parameter.name}).feed(parameter.value); }

  [[nodiscard]] const std::vector<UploadedPart>& parts() const { return parts_; }

  [[nodiscard]] std::string json() const {
    std::string text = "{\"parts\":[";
    for (const UploadedPart& part : parts_) ((text += &part == parts_.data() ? "\n" : ",\n") += json_of(part));
    return text += "\n]}\n";
  }

  /// Rows of a table: name, file, type, size, checksum, content.
  [[nodiscard]] std::string table_rows() const {
    std::string text;
    for (const UploadedPart& part : parts_) append_row(text, part);
    return text;
  }

 private:
  static std::string json_of(const UploadedPart& part) {
    std::string text = "{\"name\":" + json_string(part.name);
    if (part.file_name) text += ",\"file\":" + json_string(*part.file_name);
    if (!part.type.empty()) text += ",\"type\":" + json_string(part.type);
    text += ",\"size\":" + std::to_string(part.size) + ",\"crc32\":\"" + part.crc_text() + "\"";
    const std::optional<std::string> shown = part.text();
    return text += shown ? ",\"text\":" + json_string(*shown) + "}" : ",\"hex\":\"" + part.hex() + "\"}";
  }

  static void append_row(std::string& rows, const UploadedPart& part) {
    const auto escaped = [](std::string_view value) { return wharf::html_escape(utf8(value)); };
    const std::optional<std::string> shown = part.text();
    pages::UploadRowHtml{.name = escaped(part.name),
                         .file = escaped(part.file_name.value_or("")),
                         .type = escaped(part.type),
                         .size = std::to_string(part.size),
                         .sum = part.crc_text(),
                         .content = shown ? escaped(*shown) : "<code>" + part.hex() + "</code>"}
        .append_to(rows);
  }

  std::vector<UploadedPart> parts_;
};

}  // namespace plugins
