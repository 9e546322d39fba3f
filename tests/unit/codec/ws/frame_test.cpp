#include "codec/ws/frame.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>
#include <vector>

#include "codec/variants.h"

namespace {

using namespace wharf::codec;

constexpr MaskKey key{0x37, 0xFA, 0x21, 0x3D};

std::string header(Opcode opcode, bool final_fragment, std::uint64_t size) {
  std::string out(10, '~');
  out.resize(write_frame_header(out.data(), opcode, final_fragment, size));
  return out;
}

std::string masked_header(Opcode opcode, bool final_fragment, std::uint64_t size) {
  std::string out(max_frame_header, '~');
  out.resize(write_masked_frame_header(out.data(), opcode, final_fragment, size, key));
  return out;
}

std::string bytes(std::initializer_list<unsigned> values) {
  std::string text;
  for (const unsigned value : values) text += static_cast<char>(value);
  return text;
}

std::string masked_slowly(std::string payload, std::uint64_t offset) {
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ key[(offset + i) % 4]);
  return payload;
}

std::string counted(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(i * 7 + i / 256);
  return text;
}

}  // namespace

TEST_CASE("ws_frame: headers take the shortest form of the length") {
  CHECK(header(Opcode::text, true, 0) == bytes({0x81, 0}));
  CHECK(header(Opcode::binary, true, 125) == bytes({0x82, 125}));
  CHECK(header(Opcode::binary, true, 126) == bytes({0x82, 126, 0, 126}));
  CHECK(header(Opcode::binary, true, 0x1234) == bytes({0x82, 126, 0x12, 0x34}));
  CHECK(header(Opcode::binary, true, 65535) == bytes({0x82, 126, 0xFF, 0xFF}));
  CHECK(header(Opcode::binary, true, 65536) == bytes({0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}));
  CHECK(header(Opcode::binary, true, 0x0123456789ABCDEF) == bytes({0x82, 127, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}));
}

TEST_CASE("ws_frame: opcodes and the final bit") {
  CHECK(header(Opcode::text, false, 1) == bytes({0x01, 1}));
  CHECK(header(Opcode::continuation, false, 1) == bytes({0x00, 1}));
  CHECK(header(Opcode::continuation, true, 1) == bytes({0x80, 1}));
  CHECK(header(Opcode::close, true, 2) == bytes({0x88, 2}));
  CHECK(header(Opcode::ping, true, 0) == bytes({0x89, 0}));
  CHECK(header(Opcode::pong, true, 5) == bytes({0x8A, 5}));
}

TEST_CASE("ws_frame: a masked header ends with the key") {
  CHECK(masked_header(Opcode::text, true, 5) == bytes({0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D}));
  CHECK(masked_header(Opcode::continuation, false, 300) == bytes({0x00, 0xFE, 0x01, 0x2C, 0x37, 0xFA, 0x21, 0x3D}));
  CHECK(masked_header(Opcode::binary, true, 65536) == bytes({0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0x37, 0xFA, 0x21, 0x3D}));
}

TEST_CASE("ws_frame: the masked Hello of RFC 6455 section 5.7") {
  std::string payload = "Hello";
  apply_mask(payload, key);
  CHECK(payload == bytes({0x7F, 0x9F, 0x4D, 0x51, 0x58}));
  apply_mask(payload, key);
  CHECK(payload == "Hello");
}

TEST_CASE("ws_frame: masking is right for every size, offset and alignment, and touches nothing else") {
  for (std::size_t size = 0; size <= 200; ++size) {
    for (std::uint64_t offset = 0; offset < 9; ++offset) {
      for (std::size_t shift = 0; shift < 9; ++shift) {
        const std::string plain = counted(size);
        std::string room = std::string(shift, '<') + plain + ">>>>>>>>";
        apply_mask(std::span(room).subspan(shift, size), key, offset);
        if (room != std::string(shift, '<') + masked_slowly(plain, offset) + ">>>>>>>>")
          FAIL_CHECK(size << " " << offset << " " << shift);
      }
    }
  }
  std::string large = counted(100'003);
  apply_mask(large, key, 2);
  CHECK(large == masked_slowly(counted(100'003), 2));
}

TEST_CASE("ws_frame: every way of masking does so at every size and alignment, and touches nothing else") {
  const auto mask = std::bit_cast<std::uint32_t>(key);
  for (const MaskVariant& variant : mask_variants()) {
    CAPTURE(variant.name);
    for (std::size_t size = 0; size <= 200; ++size) {
      const std::string plain = counted(size);
      const std::string masked = masked_slowly(plain, 0);
      for (const unsigned shift : {0U, 1U, 2U, 3U, 8U, 15U, 31U}) {
        std::string room = std::string(shift, '<') + plain + ">>>>>>>>";
        variant.apply(std::span(room).subspan(shift, size), mask);
        if (room != std::string(shift, '<') + masked + ">>>>>>>>") FAIL_CHECK(size << " " << shift);
      }
    }
  }
}

TEST_CASE("ws_frame: masking a payload in pieces is masking it whole, beyond 4 GiB too") {
  const std::uint64_t far = 0x2'0000'0003;
  for (std::size_t cut = 0; cut <= 70; ++cut) {
    std::string payload = counted(70);
    apply_mask(std::span(payload).first(cut), key, far);
    apply_mask(std::span(payload).subspan(cut), key, far + cut);
    CHECK(payload == masked_slowly(counted(70), far));
  }
}

TEST_CASE("ws_frame: which close codes may be sent (RFC 6455 section 7.4)") {
  std::vector<unsigned> first_of_each_run;  // and the first after it
  bool before = false;
  for (unsigned code = 0; code <= 65535; ++code) {
    const bool now = is_sendable_close_code(static_cast<std::uint16_t>(code));
    if (now != before) first_of_each_run.push_back(code);
    before = now;
  }
  CHECK(first_of_each_run == std::vector<unsigned>{1000, 1004, 1007, 1015, 3000, 5000});
}
