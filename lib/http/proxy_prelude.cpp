#include "http/proxy_prelude.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/ascii.h"
#include "codec/http/head_writer.h"

namespace wharf::session {
namespace {

constexpr base::LogKind wrong_headers("PROXY headers that are not taken");

/// Whoever it is may speak HTTP.
void append_refusal(base::OutQueue& out) {
  constexpr std::string_view sentence = "Only the balancers that this server knows may begin with a PROXY header.\n";
  codec::ResponseHead head(400);
  head.field("Content-Type", "text/plain; charset=utf-8");
  head.content_length(sentence.size());
  head.field("Connection", "close");
  out.append(std::move(head).finish());
  out.append(sentence);
}

}  // namespace

ProxyPrelude::ProxyPrelude(Link& link, const ProxyParts& parts) : link_(link), parts_(parts) {
  const base::PeerAddress& address = link.peer().address;
  const bool is_known = std::ranges::any_of(parts.balancers, [&](const auto& network) { return network.contains(address); });
  peer_ = is_known ? Peer::balancer : Peer::stranger;
}

/// So that little is kept of a header that comes in pieces.
void ProxyPrelude::start() {
  link_.read_at_most(std::max(parts_.most, codec::proxy_header_front));
  link_.set_deadline(link_.now() + parts_.time);
}

std::size_t ProxyPrelude::input(std::span<char> bytes) {
  if (bytes.empty()) return 0;
  seen_ = Seen::some;
  return peer_ == Peer::balancer ? read_header({bytes.data(), bytes.size()}) : look_for_none(bytes);
}

std::size_t ProxyPrelude::read_header(std::string_view bytes) {
  const codec::ProxyHeaderResult result = codec::read_proxy_header(bytes, parts_.most);
  switch (result.state) {
    case codec::ProxyHeaderResult::State::more: link_.await_more(); return 0;
    case codec::ProxyHeaderResult::State::failed: refuse(result.reason); return bytes.size();
    case codec::ProxyHeaderResult::State::done: break;
  }
  heed(result.header);
  go_on();
  return result.size;
}

void ProxyPrelude::heed(const codec::ProxyHeader& header) {
  if (header.command == codec::ProxyHeader::Command::local) return;
  if (header.source.known()) link_.set_peer(header.source);
  link_.set_proxied(server::Shared(ProxyFacts{base::concat(header.version), header.destination.text(), std::string(header.values),
                                              header.client == codec::ProxyHeader::Client::by_tls}));
}

void ProxyPrelude::go_on() {
  if (auto next = parts_.next(link_)) link_.become(std::move(next));
  else link_.abort();
}

std::size_t ProxyPrelude::look_for_none(std::span<char> bytes) {
  switch (codec::looks_like_proxy_header({bytes.data(), bytes.size()})) {
    case codec::LooksLikeProxyHeader::no: go_on(); return 0;
    case codec::LooksLikeProxyHeader::maybe: link_.await_more(); return 0;
    case codec::LooksLikeProxyHeader::yes: break;
  }
  parts_.log.info(wrong_headers, link_.address(), ": refused, it sent a PROXY header and is none of the balancers of this door");
  count(&OpeningCounts::proxy_refused);
  append_refusal(link_.out());
  link_.finish();
  return bytes.size();
}

/// A balancer learns from the end of the connection that something is wrong; there is nobody to read a response.
void ProxyPrelude::refuse(std::string_view why) {
  parts_.log.info(wrong_headers, link_.address(), ": closed, its PROXY header is not taken: ", why);
  count(&OpeningCounts::proxy_refused);
  link_.finish();
}

/// A balancer that connects and closes only looks whether somebody is there.
void ProxyPrelude::end_of_input() {
  if (seen_ == Seen::nothing) return link_.finish();
  if (peer_ == Peer::stranger) return go_on();
  refuse("the connection ended within it");
}

void ProxyPrelude::deadline() {
  if (peer_ == Peer::balancer) return refuse("it took too long");
  parts_.log.info(base::LogKind("connections that showed no protocol"), link_.address(), ": closed, nothing came");
  count(&OpeningCounts::openings_refused);
  link_.finish();
}

void ProxyPrelude::count(std::atomic<std::uint64_t> OpeningCounts::*which) const {
  if (parts_.counts != nullptr) add(parts_.counts->*which);
}

}  // namespace wharf::session
