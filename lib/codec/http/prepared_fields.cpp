#include "codec/http/prepared_fields.h"

#include "base/ascii.h"

namespace wharf::codec {
namespace {

constexpr std::string_view colon = ": ";
constexpr std::string_view end_of_line = "\r\n";

}  // namespace

std::string_view PreparedFields::Part::lines() const {
  if (fields_ == nullptr || first_ >= fields_->places_.size()) return {};
  return std::string_view(fields_->lines_).substr(fields_->places_[first_].line);
}

std::string_view PreparedFields::Part::always() const {
  if (fields_ == nullptr || first_ >= fields_->always_) return {};
  const std::string_view all = lines();
  if (fields_->always_ == fields_->size()) return all;
  return all.substr(0, fields_->places_[fields_->always_].line - fields_->places_[first_].line);
}

bool PreparedFields::Part::replace(std::string_view name) const {
  for (std::size_t i = 0; fields_ != nullptr && first_ + i < fields_->always_; ++i)
    if (base::equal_ignoring_case((*this)[i].name, name)) return true;
  return false;
}

Field PreparedFields::Part::operator[](std::size_t index) const {
  const Place& place = fields_->places_[first_ + index];
  const std::size_t next = first_ + index + 1;
  const std::string_view lines = fields_->lines_;
  const std::size_t end = (next == fields_->size() ? lines.size() : fields_->places_[next].line) - end_of_line.size();
  const std::size_t value = place.line + place.name_size + colon.size();
  return {std::string_view(fields_->lower_case_).substr(place.lower_case, place.name_size), lines.substr(value, end - value)};
}

PreparedFields::PreparedFields(std::initializer_list<Field> fields) {
  for (const Field& field : fields) add(field.name, field.value);
}

void PreparedFields::add(std::string_view name, std::string_view value) {
  places_.push_back({static_cast<std::uint32_t>(lines_.size()), static_cast<std::uint32_t>(lower_case_.size()),
                     static_cast<std::uint32_t>(name.size())});
  for (const std::string_view part : {name, colon, value, end_of_line}) lines_ += part;
  for (const char c : name) lower_case_ += base::lower(c);
}

void PreparedFields::add_always(std::string_view name, std::string_view value) {
  add(name, value);
  always_ = size();
}

std::size_t PreparedFields::memory() const {
  return lines_.capacity() + lower_case_.capacity() + places_.capacity() * sizeof(Place);
}

}  // namespace wharf::codec
