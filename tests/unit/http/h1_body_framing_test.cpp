#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "http/h1_body.h"
#include "link/memory_link.h"

// The framing of bodies, for both roles of HTTP/1.

namespace {

using namespace wharf;
using session::Delimiting;
using session::IncomingBody;

codec::AnswerFraming framing(codec::AnswerBody body, std::uint64_t length = 0) { return {body, length, {}}; }

/// What a body makes of these bytes, cut at `at`: its pieces, how it ended, and what it left.
std::string read_all(IncomingBody& body, std::string_view bytes, std::size_t at) {
  std::string text;
  std::string kept;
  IncomingBody::State state = IncomingBody::State::more;
  for (const std::string_view part : {bytes.substr(0, at), bytes.substr(at)}) {
    kept += part;
    std::string_view rest = kept;
    std::string_view piece;
    while ((state = body.next(rest, piece)) == IncomingBody::State::piece) {
      CHECK_FALSE(piece.empty());
      text += piece;
    }
    kept = rest;
  }
  constexpr std::array<std::string_view, 4> names{"more", "piece", "done", "failed"};
  return text + ", " + std::string(names.at(static_cast<std::size_t>(state))) + ", " + kept;
}

}  // namespace

TEST_CASE("h1 body: each framing of a response, cut at every place") {
  struct Case {
    codec::AnswerFraming framing;
    std::string_view bytes;
    std::string_view expected;
  };
  for (const Case& each : {
           Case{framing(codec::AnswerBody::none), "next", ", done, next"},
           Case{framing(codec::AnswerBody::length), "next", ", done, next"},
           Case{framing(codec::AnswerBody::length, 5), "hellonext", "hello, done, next"},
           Case{framing(codec::AnswerBody::length, 5), "hell", "hell, more, "},
           Case{framing(codec::AnswerBody::chunked), "3\r\nabc\r\n2;e\r\nde\r\n0\r\nExpires: 1\r\n\r\nnext", "abcde, done, next"},
           Case{framing(codec::AnswerBody::chunked), "0\r\n\r\n", ", done, "},
           Case{framing(codec::AnswerBody::chunked), "3\r\nab", "ab, more, "},
           Case{framing(codec::AnswerBody::chunked), "3\r\nabcX", "abc, failed, X"},
           Case{framing(codec::AnswerBody::until_close), "hello and next", "hello and next, more, "},
           Case{framing(codec::AnswerBody::until_close), "", ", more, "},
       }) {
    CAPTURE(each.bytes);
    for (std::size_t at = 0; at <= each.bytes.size(); ++at) {
      IncomingBody body;
      body.begin(each.framing, {});
      CHECK(body.until_close() == (each.framing.body == codec::AnswerBody::until_close));
      CHECK(read_all(body, each.bytes, at) == each.expected);
      CHECK(body.done() == (each.expected.find("done") != each.expected.npos));
      if (body.until_close()) CHECK(body.left() == 0);
    }
  }
}

TEST_CASE("h1 body: one after the other, whatever the one before was") {
  IncomingBody body;
  CHECK(body.done());
  for (int i = 0; i < 2; ++i) {
    body.begin(framing(codec::AnswerBody::chunked), {});
    CHECK(body.in_chunks());
    CHECK(body.left() == 0);
    CHECK(read_all(body, "2\r\nab\r\n0\r\n\r\n", 4) == "ab, done, ");
    CHECK_FALSE(body.in_chunks());
    codec::RequestHead head;
    head.body = codec::BodyFraming::chunked;
    body.begin(head, {});
    CHECK(read_all(body, "2\r\nab\r\n0\r\nX-T: 1\r\n\r\n", 9) == "ab, done, ");
    body.begin(head, {});
    CHECK(read_all(body, "2\r\nabX", 4) == "ab, failed, X");
    CHECK(body.error().status == 400);
    body.begin(framing(codec::AnswerBody::until_close), {});
    CHECK(read_all(body, "abc", 1) == "abc, more, ");
    head.body = codec::BodyFraming::length;
    head.content_length = 3;
    body.begin(head, {});
    CHECK(body.left() == 3);
    CHECK(read_all(body, "abcd", 1) == "abc, done, d");
    head.body = codec::BodyFraming::none;
    body.begin(head, {});
    CHECK(body.done());
    body.begin(framing(codec::AnswerBody::length, 3), {});
    CHECK(read_all(body, "a", 1) == "a, more, ");  // the next one knows nothing of that
  }
}

TEST_CASE("h1 body: a trailer field that belongs in the head fails a request, and is dropped from a response") {
  constexpr std::string_view bytes = "0\r\nContent-Length: 3\r\n\r\n";
  IncomingBody body;
  codec::RequestHead head;
  head.body = codec::BodyFraming::chunked;
  body.begin(head, {});
  CHECK(read_all(body, bytes, 0).find("failed") != std::string::npos);
  body.begin(framing(codec::AnswerBody::chunked), {});
  CHECK(read_all(body, bytes, 0) == ", done, ");
}

TEST_CASE("h1 body: outgoing pieces, small and large, with each delimiting") {
  for (const auto& each :
       {std::pair{"1", 0x1}, std::pair{"3fff", 0x3fff}, std::pair{"4000", 0x4000}, std::pair{"186a0", 0x186a0}}) {
    const std::string piece(static_cast<std::size_t>(each.second), 'a');
    const std::string chunk = base::concat(each.first, "\r\n", piece, "\r\n");
    for (const Delimiting delimiting : {Delimiting::length, Delimiting::chunks, Delimiting::close}) {
      base::ChunkPool pool;
      const session::OutputLimits limits;
      const base::Time now{1'000'000};
      session::MemoryLink link(pool, limits, now);
      session::append_piece(link.out(), delimiting, piece);
      session::write_piece(link, delimiting, piece);
      session::append_end(link.out(), delimiting);
      link.run();
      const bool in_chunks = delimiting == Delimiting::chunks;
      CHECK(link.take() == (in_chunks ? chunk + chunk + "0\r\n\r\n" : piece + piece));
    }
  }
}
