#include "codec/ws/short_payload.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <string>

#include "codec/ws/frame.h"

namespace {

using namespace wharf::codec;

constexpr MaskKey key{0x37, 0xFA, 0x21, 0x3D};

/// A payload of `size` bytes with a byte before and after it that must stay.
std::string fenced(std::size_t size) {
  std::string bytes(size + 2, 'x');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 37);
  return bytes;
}

bool unmask(char* payload, std::size_t size) { return unmask_short(payload, reinterpret_cast<const char*>(key.data()), size); }

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

TEST_CASE("short_payload: unmasking is apply_mask, and touches nothing else") {
  for (std::size_t size = 0; size < short_payload; ++size) {
    CAPTURE(size);
    std::string quick = fenced(size);
    std::string slow = quick;
    const bool said_ascii = unmask(quick.data() + 1, size);
    apply_mask(std::span(slow).subspan(1, size), key);
    CHECK(quick == slow);
    CHECK(said_ascii == is_ascii(std::string_view(slow).substr(1, size)));
  }
}

TEST_CASE("short_payload: copying copies, and touches nothing else") {
  for (std::size_t size = 0; size < short_payload; ++size) {
    CAPTURE(size);
    const std::string from = fenced(size);
    std::string to(size + 2, '!');
    CHECK(copy_short(to.data() + 1, from.data() + 1, size) == is_ascii(std::string_view(from).substr(1, size)));
    CHECK(to == "!" + from.substr(1, size) + "!");
  }
}

TEST_CASE("short_payload: a byte that is not ASCII is seen wherever it stands") {
  for (std::size_t size = 1; size < short_payload; ++size) {
    CAPTURE(size);
    std::string text(size, 'a');
    std::string copy(size, 'b');
    CHECK(copy_short(copy.data(), text.data(), size));
    apply_mask(text, key);
    CHECK(unmask(text.data(), size));
    for (std::size_t at = 0; at < size; ++at) {
      CAPTURE(at);
      std::string other(size, 'a');
      other[at] = '\x80';
      CHECK_FALSE(copy_short(copy.data(), other.data(), size));
      apply_mask(other, key);
      CHECK_FALSE(unmask(other.data(), size));
    }
  }
}
