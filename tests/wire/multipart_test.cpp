#include "wharf/multipart.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "wire/wire_case.h"

namespace {

using wharf::MultipartLimits;
using wharf::MultipartParser;
using wharf::MultipartPart;

/// The log of a body: data that come in several pieces are one event.
class Log {
 public:
  explicit Log(const WireCase& wire_case) : settings_(wire_case.settings) {}

  bool part(const MultipartPart& part) {
    std::string event = "part " + in_quotes(part.name);
    if (part.file_name) event += " file " + in_quotes(*part.file_name);
    if (!part.type.empty()) event += " type " + in_quotes(part.type);
    add(event);
    return allows("part");
  }
  bool part_data(std::string_view data) {
    CHECK(!data.empty());
    data_ += data;
    return allows("data");
  }
  bool part_end() {
    add("end");
    return allows("end");
  }

  void add(const std::string& event) {
    const bool brief = settings_.contains("log");
    if (!data_.empty()) events_.push_back("data " + (brief ? std::to_string(data_.size()) + " bytes" : in_quotes(data_)));
    data_.clear();
    events_.push_back(event);
  }
  [[nodiscard]] const std::vector<std::string>& events() const { return events_; }

 private:
  [[nodiscard]] bool allows(const std::string& what) const {
    const auto refused = settings_.find("refuse");
    return refused == settings_.end() || refused->second != what;
  }

  const std::map<std::string, std::string>& settings_;
  std::vector<std::string> events_;
  std::string data_;
};

MultipartLimits limits_of(const WireCase& wire_case) {
  MultipartLimits limits;
  for (const auto& [name, value] : wire_case.settings) {
    if (name == "parts") limits.parts = std::stoul(value);
    if (name == "part_head") limits.part_head = std::stoul(value);
    if (name == "part_head_fields") limits.part_head_fields = std::stoul(value);
    if (name == "name") limits.name = std::stoul(value);
    if (name == "file_name") limits.file_name = std::stoul(value);
    if (name == "part_size") limits.part_size = std::stoul(value);
    if (name == "body_size") limits.body_size = std::stoul(value);
  }
  return limits;
}

/// Each piece is in memory of its own, no longer than it, that is freed after the call.
std::vector<std::string> run_multipart(const WireCase& wire_case, const std::vector<std::string_view>& pieces) {
  const auto type = wire_case.settings.find("content_type");
  const std::string content_type = type == wire_case.settings.end() ? "multipart/form-data; boundary=AaB03x" : type->second;
  const std::optional<std::string> boundary = MultipartParser::boundary(content_type);
  if (!boundary) return {"no boundary"};
  MultipartParser parser(*boundary, limits_of(wire_case));
  Log log(wire_case);
  bool good = true;
  for (const std::string_view piece : pieces) {
    const auto copy = std::make_unique<char[]>(piece.size());
    piece.copy(copy.get(), piece.size());
    const bool fed = parser.feed({copy.get(), piece.size()}, log);
    CHECK((good || !fed));
    good = fed;
  }
  const bool finished = parser.finish();
  CHECK((good || !finished));
  log.add(finished ? "done" : "error " + std::to_string(parser.status()) + " " + in_quotes(parser.reason()));
  return log.events();
}

}  // namespace

TEST_CASE("bodies of multipart/form-data on the wire, whole and cut at every place") {
  check_wire_cases("multipart.wire", 110, run_multipart);
}
