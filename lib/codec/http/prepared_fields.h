#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http/request_head.h"

namespace wharf::codec {

/// Fields that are made ready once and sent with many responses: as lines of HTTP/1.1 (RFC 9112 section 5), and as pairs with names
/// in lower case (RFC 9113 section 8.2.1). They are not looked at: whoever adds them has checked them.
class PreparedFields {
 public:
  /// Some of them, in their order up to the last. Valid until they change or go.
  class Part {
   public:
    Part() = default;
    /// Without the first ones.
    Part(const PreparedFields& fields, std::size_t first = 0)  // NOLINT(google-explicit-constructor): all of them are a part too
        : fields_(&fields), first_(first) {}

    /// For HTTP/1.1, each with its CRLF.
    [[nodiscard]] std::string_view lines() const;
    [[nodiscard]] std::size_t size() const { return fields_ == nullptr ? 0 : fields_->size() - first_; }
    /// Those of add_always(), in the same form.
    [[nodiscard]] std::string_view always() const;
    [[nodiscard]] bool replaces() const { return fields_ != nullptr && first_ < fields_->always_; }  ///< whether there are any
    /// Whether one of those has that name, which is then of no other field of the response.
    [[nodiscard]] bool replace(std::string_view name) const;
    /// For HTTP/2: the name is in lower case.
    [[nodiscard]] Field operator[](std::size_t index) const;

   private:
    const PreparedFields* fields_ = nullptr;
    std::size_t first_ = 0;
  };

  PreparedFields() = default;
  PreparedFields(std::initializer_list<Field> fields);

  void add(std::string_view name, std::string_view value);
  /// Of the response that leaves HTTP for something else too (RFC 9110 section 7.8). Before any other field.
  void add_always(std::string_view name, std::string_view value);
  /// How many of those there are.
  [[nodiscard]] std::size_t always() const { return always_; }
  /// How many there are.
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  /// Bytes that are allocated.
  [[nodiscard]] std::size_t memory() const;

 private:
  struct Place {
    std::uint32_t line;        // where its line begins, in lines_
    std::uint32_t lower_case;  // where its name begins, in lower_case_
    std::uint32_t name_size;
  };

  std::string lines_;
  std::string lower_case_;  // the names, one behind the other
  std::vector<Place> places_;
  std::size_t always_ = 0;  // the first so many
};

}  // namespace wharf::codec
