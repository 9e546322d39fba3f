#include "http/detect.h"

#include <string_view>
#include <utility>

#include "codec/opening.h"

namespace wharf::session {
namespace {

constexpr char handshake_record = 0x16;  // RFC 8446 section 5.1

}  // namespace

void Detect::start() {
  link_.read_at_most(codec::longest_opening);
  link_.set_deadline(link_.now() + parts_.time);
}

/// If nothing but TLS and HTTP/1 is here, the first byte tells them apart.
std::size_t Detect::input(std::span<char> bytes) {
  if (bytes.empty()) return 0;
  const bool begins_as_tls = parts_.tls && bytes.front() == handshake_record;
  const bool any = parts_.http2 || parts_.raw;
  const codec::Opening opening = begins_as_tls || any ? codec::opening_of({bytes.data(), bytes.size()}) : codec::Opening::http1;
  const SessionMaker* next = &parts_.http;
  switch (opening) {
    case codec::Opening::undecided:
      seen_ = begins_as_tls ? Seen::tls : Seen::text;
      link_.await_more();
      return 0;
    case codec::Opening::tls:
      if (parts_.tls) next = &parts_.tls;
      else if (parts_.raw) next = &parts_.raw;
      break;
    case codec::Opening::http2:
      if (parts_.http2) next = &parts_.http2;
      break;
    case codec::Opening::other:
      if (parts_.raw) next = &parts_.raw;
      break;
    case codec::Opening::http1: break;
  }
  go_on(*next);
  return 0;
}

void Detect::go_on(const SessionMaker& next) {
  if (auto session = next(link_)) link_.become(std::move(session));
  else link_.abort();
}

/// What has come goes to the one that can make the most of it.
void Detect::end_of_input() {
  if (seen_ == Seen::nothing && !parts_.raw) return link_.finish();
  const SessionMaker& rest = parts_.raw ? parts_.raw : parts_.http;
  go_on(seen_ == Seen::tls ? parts_.tls : rest);
}

/// A client that waits for the server to speak first speaks neither HTTP nor TLS.
void Detect::deadline() {
  if (parts_.raw && seen_ != Seen::tls) return go_on(parts_.raw);
  parts_.log.info(base::LogKind("connections that showed no protocol"), link_.address(), ": closed, ",
                  seen_ == Seen::nothing ? "nothing came" : "too little came to know what it speaks");
  if (parts_.counts != nullptr) add(parts_.counts->openings_refused);
  link_.finish();
}

}  // namespace wharf::session
