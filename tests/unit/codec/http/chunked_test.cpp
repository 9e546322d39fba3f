#include "codec/http/chunked.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

// tests/wire/http_chunked.wire has the outcome of bodies, whole and cut at every place. Here is the rest.

namespace {

using namespace wharf::codec;
using State = ChunkedDecoder::State;

/// The outcome of bytes that are given all at once.
struct Outcome {
  State state = State::more;
  std::string body;
  std::size_t pieces = 0;
  std::size_t left = 0;
  HeadError error;
};

Outcome decode(std::string_view bytes, const ChunkLimits& limits = {}, Trailers trailers = Trailers::kept) {
  ChunkedDecoder decoder(limits, trailers);
  Outcome outcome;
  while ((outcome.state = decoder.next(bytes)) == State::data) {
    outcome.body += decoder.piece();
    ++outcome.pieces;
  }
  outcome.left = bytes.size();
  outcome.error = decoder.error();
  return outcome;
}

/// The status with which the last byte of `text`, and none before it, is refused; else 0.
int status_at_last_byte(std::string_view text, const ChunkLimits& limits = {}, Trailers trailers = Trailers::kept) {
  const Outcome before = decode(text.substr(0, text.size() - 1), limits, trailers);
  const Outcome all = decode(text, limits, trailers);
  const bool fails_there = before.state == State::more && all.state == State::failed && all.left == 1;
  return fails_there ? all.error.status : 0;
}

}  // namespace

TEST_CASE("http_chunked: pieces are views into the bytes given, and are not cut further") {
  const std::string text = "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\nnext";
  std::string_view rest = text;
  ChunkedDecoder decoder;
  REQUIRE(decoder.next(rest) == State::data);
  CHECK(decoder.piece().data() == text.data() + 3);
  CHECK(decoder.piece() == "hello");
  CHECK(rest.data() == text.data() + 8);
  REQUIRE(decoder.next(rest) == State::data);
  CHECK(decoder.piece() == ", world");
  CHECK(decoder.next(rest) == State::done);
  CHECK(decoder.piece().empty());
  CHECK(rest == "next");
  CHECK(decoder.trailers().empty());
}

TEST_CASE("http_chunked: no bytes are nothing new, wherever the decoder stands") {
  const std::string text = "3;a=\"\\b\"\r\nabc\r\n0\r\nx: y\r\n\r\n";
  ChunkedDecoder decoder;
  for (const char& c : text) {
    std::string_view none;
    CHECK(decoder.next(none) == State::more);
    std::string_view one(&c, 1);
    CHECK(decoder.next(one) != State::failed);
    CHECK(one.empty());
  }
  std::string_view none;
  CHECK(decoder.next(none) == State::done);
}

TEST_CASE("http_chunked: done and failed are for good and take nothing") {
  std::string_view rest = "0\r\n\r\n5\r\n";
  ChunkedDecoder decoder;
  REQUIRE(decoder.next(rest) == State::done);
  CHECK(decoder.next(rest) == State::done);
  CHECK(rest == "5\r\n");
  CHECK(decoder.error().status == 0);

  rest = "x5\r\nhello";
  ChunkedDecoder failed;
  REQUIRE(failed.next(rest) == State::failed);
  CHECK(rest == "x5\r\nhello");
  CHECK(failed.error().status == 400);
  rest = "0\r\n\r\n";
  CHECK(failed.next(rest) == State::failed);
  CHECK(rest.size() == 5);
  CHECK(failed.error().reason == "A chunk does not start with its size in hexadecimal digits.");
}

TEST_CASE("http_chunked: the data before a fault is handed out") {
  const Outcome outcome = decode("5\r\nhello\r\n5\r\nworld!\r\n");
  CHECK(outcome.state == State::failed);
  CHECK(outcome.body == "helloworld");
  CHECK(outcome.pieces == 2);
  CHECK(outcome.left == 3);
}

TEST_CASE("http_chunked: a fault in the line of a chunk is reported with the byte that shows it") {
  const std::string_view faults[] = {"\r",         "\n",
                                     " ",          "+",
                                     "-",          ";",
                                     "g",          std::string_view("\0", 1),
                                     "0x",         "5 \r",
                                     "5\t\r",      "5\n",
                                     "5,",         "5\r5",
                                     "5\r\r",      "00000000000000000",
                                     "5;\r",       "5;;",
                                     "5;=",        "5;\n",
                                     "5;a\n",      "5;a \r",
                                     "5;a b",      "5;a@",
                                     "5;a=\r",     "5;a=;",
                                     "5;a==",      "5;a=b=",
                                     "5;a=b\"",    "5;a=b \r",
                                     "5;a=b =",    "5;a=b c",
                                     "5;a=\"\r",   "5;a=\"\n",
                                     "5;a=\"\\\r", "5;a=\"\\\n",
                                     "5;a=\"\x7F", std::string_view("5;a=\"\0", 6),
                                     "5;a=\"\"b",  "5;a=\"\"=",
                                     "5;a=\"\"\""};
  for (const std::string_view text : faults) {
    CAPTURE(text);
    CHECK(status_at_last_byte(text) == 400);
  }
}

TEST_CASE("http_chunked: a fault behind the data or in the trailer section is reported with the byte that shows it") {
  const std::string_view faults[] = {"1\r\na\n",    "1\r\na0",       "1\r\na\r\r",   "1\r\na\r0",     "0\r\n ",
                                     "0\r\n\t",     "0\r\n\n",       "0\r\n:",       "0\r\n\r0",      "0\r\n\r\r",
                                     "0\r\na\r",    "0\r\na\n",      "0\r\na ",      "0\r\na@",       "0\r\na:\n",
                                     "0\r\na: b\n", "0\r\na: b\x01", "0\r\na: b\r ", "0\r\na: b\r\n "};
  for (const std::string_view text : faults) {
    CAPTURE(text);
    CHECK(status_at_last_byte(text) == 400);
    CHECK(status_at_last_byte(text, {}, Trailers::dropped) == 400);
  }
}

TEST_CASE("http_chunked: the limit of the extensions of one line") {
  ChunkLimits limits;
  limits.extension = 6;
  CHECK(decode("1;a=\" \"\r\n", limits).state == State::more);
  CHECK(status_at_last_byte("1;a=\"  \"", limits) == 413);
  CHECK(status_at_last_byte("1;a    ;", limits) == 413);
  CHECK(status_at_last_byte("1;a=bcde", limits) == 413);
  CHECK(decode("1;a=bcd\r\nx\r\n1;a=bcd\r\nx\r\n0;a=bcd\r\n\r\n", limits).state == State::done);
  limits.extension = 0;
  CHECK(decode("1\r\nx\r\n0\r\n\r\n", limits).state == State::done);
  CHECK(status_at_last_byte("1;", limits) == 413);
}

TEST_CASE("http_chunked: the limit of the extensions of a body") {
  ChunkLimits limits;
  limits.extensions = 5;
  CHECK(decode("1;a\r\nx\r\n0;ab\r\n\r\n", limits).state == State::done);
  CHECK(status_at_last_byte("1;a\r\nx\r\n0;abc", limits) == 413);
  limits.extensions = 0;
  CHECK(status_at_last_byte("1;", limits) == 413);

  std::string bytes;
  for (int i = 0; i < 16; ++i) bytes += "1;" + std::string(1023, 'a') + "\r\nx\r\n";
  CHECK(decode(bytes + "0\r\n\r\n").state == State::done);
  CHECK(status_at_last_byte(bytes + "0;") == 413);
  CHECK(status_at_last_byte("1;" + std::string(1024, 'a')) == 413);
}

TEST_CASE("http_chunked: the limit of the trailer section") {
  ChunkLimits limits;
  limits.trailer = 12;
  for (const Trailers trailers : {Trailers::kept, Trailers::dropped}) {
    CHECK(decode("0\r\na: b\r\nc: d\r\n\r\n", limits, trailers).state == State::done);
    CHECK(status_at_last_byte("0\r\na: b\r\nc: de\r\n", limits, trailers) == 431);
    CHECK(status_at_last_byte("0\r\na:           ", limits, trailers) == 431);
    CHECK(status_at_last_byte("0\r\nabcdefghijklm", limits, trailers) == 431);
    CHECK(status_at_last_byte("0\r\na: b\r\nc: d\r\ne", limits, trailers) == 431);
  }
  limits.trailer = 0;
  CHECK(decode("0\r\n\r\n", limits).state == State::done);
  CHECK(status_at_last_byte("0\r\na", limits) == 431);
  CHECK(decode("0\r\nx:" + std::string(8188, 'y') + "\r\n\r\n").state == State::done);
  CHECK(status_at_last_byte("0\r\nx:" + std::string(8188, 'y') + "\r\na") == 431);
}

TEST_CASE("http_chunked: the limit of the fields of the trailer section") {
  ChunkLimits limits;
  limits.trailer_fields = 1;
  for (const Trailers trailers : {Trailers::kept, Trailers::dropped}) {
    CHECK(decode("0\r\na: b\r\n\r\n", limits, trailers).state == State::done);
    CHECK(status_at_last_byte("0\r\na: b\r\na", limits, trailers) == 431);
  }
  std::string bytes = "0\r\n";
  for (int i = 0; i < 32; ++i) bytes += "a:\r\n";
  CHECK(decode(bytes + "\r\n").state == State::done);
  CHECK(status_at_last_byte(bytes + "a") == 431);
}

TEST_CASE("http_chunked: trailer fields are the decoder's own, and move with it") {
  ChunkedDecoder decoder;
  {
    const std::string text = "0\r\nServer-Timing:\t a;dur=1  \r\nx-y-z:\r\n\r\n";
    std::string_view rest = text;
    REQUIRE(decoder.next(rest) == State::done);
  }
  const ChunkedDecoder moved = std::move(decoder);
  REQUIRE(moved.trailers().size() == 2);
  CHECK(moved.trailers()[0].name == "Server-Timing");
  CHECK(moved.trailers()[0].value == "a;dur=1");
  CHECK(moved.trailers()[1].name == "x-y-z");
  CHECK(moved.trailers()[1].value.empty());
}

TEST_CASE("http_chunked: fields that belong in the head are refused in the trailer section, by their names alone") {
  const std::string_view names[] = {"Content-Length",
                                    "TRANSFER-ENCODING",
                                    "Trailer",
                                    "TE",
                                    "Connection",
                                    "Keep-Alive",
                                    "Proxy-Connection",
                                    "Upgrade",
                                    "Host",
                                    "Max-Forwards",
                                    "Authorization",
                                    "Proxy-Authorization",
                                    "WWW-Authenticate",
                                    "Proxy-Authenticate",
                                    "Cookie",
                                    "Set-Cookie",
                                    "Cache-Control",
                                    "Pragma",
                                    "Expect",
                                    "Range",
                                    "If-Match",
                                    "If-None-Match",
                                    "If-Modified-Since",
                                    "If-Unmodified-Since",
                                    "If-Range",
                                    "Age",
                                    "Date",
                                    "Expires",
                                    "Location",
                                    "Retry-After",
                                    "Vary",
                                    "Warning",
                                    "Content-Encoding",
                                    "Content-Type",
                                    "content-range"};
  for (const std::string_view name : names) {
    CAPTURE(name);
    CHECK(status_at_last_byte("0\r\na: b\r\n" + std::string(name) + ":") == 400);
    CHECK(decode("0\r\n" + std::string(name) + ": b\r\n\r\n", {}, Trailers::dropped).state == State::done);
    CHECK(decode("0\r\n" + std::string(name) + "s: b\r\n\r\n").state == State::done);
  }
  for (const char* name : {"ETag", "Digest", "Server-Timing", "Authentication-Info", "grpc-status", "Content", "T"}) {
    CAPTURE(name);
    CHECK(decode("0\r\n" + std::string(name) + ": b\r\n\r\n").state == State::done);
  }
}

TEST_CASE("http_chunked: of trailers that are dropped nothing is kept, wherever they are cut") {
  const std::string text = "3\r\nabc\r\n0\r\nExpires:  x y \r\nETag:\r\nContent-Length: 7\r\n\r\nnext";
  for (std::size_t at = 0; at <= text.size(); ++at) {
    CAPTURE(at);
    ChunkedDecoder decoder({}, Trailers::dropped);
    std::string body;
    std::string_view rest;
    State state = State::more;
    for (const std::string_view part : {std::string_view(text).substr(0, at), std::string_view(text).substr(at)}) {
      rest = part;
      while ((state = decoder.next(rest)) == State::data) body += decoder.piece();
    }
    CHECK(state == State::done);
    CHECK(rest == std::string_view("next").substr(at > text.size() - 4 ? at + 4 - text.size() : 0));
    CHECK(body == "abc");
    CHECK(decoder.trailers().empty());
  }
}

TEST_CASE("http_chunked: the largest chunk is begun, and nothing is kept of it") {
  const std::string begin = "FFFFffffFFFFffff\r\n" + std::string(100'000, 'x');
  ChunkedDecoder decoder;
  std::string_view rest = begin;
  REQUIRE(decoder.next(rest) == State::data);
  CHECK(decoder.piece().size() == 100'000);
  CHECK(decoder.next(rest) == State::more);
  std::string_view line_end = "\r\n0\r\n\r\n";
  CHECK(decoder.next(line_end) == State::data);
  CHECK(line_end.empty());
}

TEST_CASE("http_chunked: a decoder is small") { CHECK(sizeof(ChunkedDecoder) <= 13 * sizeof(std::uint64_t)); }

TEST_CASE("http_chunked: the line before a chunk is written and read again") {
  char line[max_chunk_header + 1];
  const auto written = [&line](std::uint64_t size) {
    std::memset(line, '#', sizeof line);
    const std::size_t length = write_chunk_header(line, size);
    CHECK(line[length] == '#');
    return std::string(line, length);
  };
  CHECK(written(1) == "1\r\n");
  CHECK(written(0x1F4) == "1f4\r\n");
  CHECK(written(4096) == "1000\r\n");
  CHECK(written(UINT64_MAX) == "ffffffffffffffff\r\n");
  CHECK(written(UINT64_MAX).size() == max_chunk_header);
  for (const std::size_t size : {1U, 9U, 10U, 15U, 16U, 255U, 4095U, 65'537U}) {
    const std::string body(size, 'y');
    const Outcome outcome = decode(written(size) + body + "\r\n" + std::string(last_chunk));
    CHECK(outcome.state == State::done);
    CHECK(outcome.body == body);
    CHECK(outcome.pieces == 1);
  }
}
