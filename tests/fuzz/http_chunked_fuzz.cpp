#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "codec/http/chunked.h"
#include "fuzz/promise.h"

// Input: eight bytes that say where to cut and which limits apply, then what a peer sends as a chunked body. Whatever the cuts,
// the outcome is the same and keeps its promises. Then the same bytes as a body: written in chunks and read again.

namespace {

using namespace wharf::codec;
using State = ChunkedDecoder::State;

constexpr std::size_t control_bytes = 8;

ChunkLimits limits_from(std::uint8_t choice) {
  if (choice < 0x80) return {};
  return {choice % 16U, choice % 32U, choice % 64U, choice % 4U};
}

/// What came out, as text, so that two can be compared; `body` apart.
struct Outcome {
  std::string body;
  std::string end;
  std::size_t used = 0;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void check_end(const ChunkedDecoder& decoder, State state, const ChunkLimits& limits) {
  if (state == State::failed) {
    const int status = decoder.error().status;
    require(status == 400 || status == 413 || status == 431, "a status that the header names");
    require(!decoder.error().reason.empty(), "an error has a reason");
  }
  if (state != State::done) return;
  require(decoder.error().status == 0, "done is no error");
  require(decoder.trailers().size() <= limits.trailer_fields, "the limit of fields holds");
  std::size_t size = 0;
  for (const auto& [name, value] : decoder.trailers()) {
    require(wharf::base::is_token(name), "a trailer's name is a token");
    require(wharf::base::trim(value).size() == value.size(), "a trailer's value is trimmed");
    for (const char c : value) require((c & ~0x1F) != 0 ? c != 0x7F : c == '\t', "a trailer's value holds no control character");
    require(!wharf::base::equal_ignoring_case(name, "transfer-encoding"), "no trailer frames");
    require(!wharf::base::equal_ignoring_case(name, "content-length"), "no trailer frames");
    size += name.size() + value.size() + 3;
  }
  require(size <= limits.trailer, "the limit of the trailer section holds");
}

/// `cuts` null: all at once. Each piece lies in memory of its own that is no longer than it.
Outcome decode(std::string_view bytes, const ChunkLimits& limits, const std::uint8_t* cuts) {
  ChunkedDecoder decoder(limits);
  Outcome outcome;
  State state = State::more;
  for (std::size_t i = 0; outcome.used < bytes.size() && state == State::more; ++i) {
    const std::size_t wanted = cuts == nullptr ? bytes.size() : 1U + cuts[i % (control_bytes - 1)] % 61U;
    const std::size_t size = std::min(bytes.size() - outcome.used, wanted);
    const auto copy = std::make_unique<char[]>(size);
    bytes.copy(copy.get(), size, outcome.used);
    std::string_view rest(copy.get(), size);
    while ((state = decoder.next(rest)) == State::data) {
      require(!decoder.piece().empty(), "a piece is not empty");
      require(decoder.piece().data() >= copy.get() && decoder.piece().end() == rest.begin(), "a piece is what was taken last");
      outcome.body += decoder.piece();
    }
    require(decoder.piece().empty(), "a piece is there after data alone");
    require(state != State::more || rest.empty(), "more means that all was taken");
    outcome.used += size - rest.size();
    const std::size_t left = rest.size();
    require(decoder.next(rest) == state && rest.size() == left, "the end is for good, and no bytes change nothing");
  }
  check_end(decoder, state, limits);
  outcome.end = std::to_string(static_cast<int>(state)) + " " + std::to_string(decoder.error().status) + " ";
  outcome.end += decoder.error().reason;
  for (const auto& [name, value] : decoder.trailers()) ((outcome.end += "\n" + name) += ":") += value;
  return outcome;
}

/// In chunks as long as the cuts say.
std::string encode(std::string_view body, const std::uint8_t* cuts) {
  std::string bytes;
  for (std::size_t i = 0; !body.empty(); ++i) {
    const std::size_t size = std::min<std::size_t>(body.size(), 1U + cuts[i % (control_bytes - 1)] * 3U);
    char line[max_chunk_header];
    const std::size_t length = write_chunk_header(line, size);
    require(length >= 3 && length <= max_chunk_header, "the line before a chunk has its length");
    ((bytes.append(line, length)) += body.substr(0, size)) += "\r\n";
    body.remove_prefix(size);
  }
  return bytes += last_chunk;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const ChunkLimits limits = limits_from(data[control_bytes - 1]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);
  const Outcome whole = decode(bytes, limits, nullptr);
  require(whole == decode(bytes, limits, data), "the outcome does not depend on the cuts");
  require(whole.body.size() <= bytes.size() && whole.used <= bytes.size(), "no more comes out than went in");

  const std::string encoded = encode(bytes, data);
  ChunkLimits none{0, 0, 0, 0};
  const Outcome back = decode(encoded + "rest", none, data);
  require(back.body == bytes && back.used == encoded.size(), "a body that was written is read again");
  require(back.end.starts_with(std::to_string(static_cast<int>(State::done))), "a body that was written ends");
  return 0;
}
