#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/http/chunked.h"
#include "wire/wire_case.h"

namespace {

using wharf::codec::ChunkedDecoder;
using wharf::codec::ChunkLimits;

ChunkLimits limits_of(const WireCase& wire_case) {
  ChunkLimits limits;
  for (const auto& [name, value] : wire_case.settings) {
    if (name == "extension") limits.extension = std::stoul(value);
    if (name == "extensions") limits.extensions = std::stoul(value);
    if (name == "trailer") limits.trailer = std::stoul(value);
    if (name == "trailer_fields") limits.trailer_fields = std::stoul(value);
  }
  return limits;
}

std::vector<std::string> log_of(const ChunkedDecoder& decoder, ChunkedDecoder::State state, const std::string& rest) {
  std::vector<std::string> log;
  if (state == ChunkedDecoder::State::failed) {
    log.push_back("error " + std::to_string(decoder.error().status) + " " + in_quotes(decoder.error().reason));
    log.push_back("at " + in_quotes(rest.substr(0, 1)));
    return log;
  }
  if (state == ChunkedDecoder::State::more) return {"more"};
  for (const auto& [name, value] : decoder.trailers()) log.push_back("trailer " + in_quotes(name) + " " + in_quotes(value));
  log.emplace_back("done");
  if (!rest.empty()) log.push_back("rest " + in_quotes(rest));
  return log;
}

/// Each piece of input lies in memory of its own that is no longer than it, so that a sanitizer notices a read beyond it or after
/// it was freed. The bytes that are left when the body has ended, or failed, are put together.
std::vector<std::string> run_chunked(const WireCase& wire_case, const std::vector<std::string_view>& pieces) {
  ChunkedDecoder decoder(limits_of(wire_case));
  ChunkedDecoder::State state = ChunkedDecoder::State::more;
  std::string body;
  std::string rest;
  bool promises_kept = true;  // of next(), and of its pieces
  for (const std::string_view piece : pieces) {
    const auto copy = std::make_unique<char[]>(piece.size());
    piece.copy(copy.get(), piece.size());
    std::string_view bytes(copy.get(), piece.size());
    while ((state = decoder.next(bytes)) == ChunkedDecoder::State::data) {
      promises_kept &= !decoder.piece().empty() && decoder.piece().data() + decoder.piece().size() == bytes.data();
      body += decoder.piece();
    }
    promises_kept &= decoder.piece().empty() && (state != ChunkedDecoder::State::more || bytes.empty());
    rest += bytes;
  }
  CHECK(promises_kept);
  std::vector<std::string> log;
  const bool brief = wire_case.settings.contains("log");
  if (!body.empty()) log.push_back(brief ? "body of " + std::to_string(body.size()) + " bytes" : "body " + in_quotes(body));
  for (std::string& line : log_of(decoder, state, rest)) log.push_back(std::move(line));
  return log;
}

}  // namespace

TEST_CASE("chunked bodies on the wire, whole and cut at every place") { check_wire_cases("http_chunked.wire", 150, run_chunked); }
