/// reverse-echo: answers every message with its reverse. Text is reversed by code point, so that it stays valid UTF-8; binary by
/// byte.

#include <algorithm>
#include <string>
#include <string_view>

#include "wharf/protocol.hpp"
#include "wharf/utf8.hpp"

namespace {

/// Received text is valid UTF-8: a code point is a first byte and the continuation bytes behind it.
std::string reversed_text(std::string_view text) {
  std::string reversed;
  reversed.reserve(text.size());
  for (std::size_t end = text.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && wharf::utf8_continues(text[begin])) --begin;
    reversed.append(text.substr(begin, end - begin));
    end = begin;
  }
  return reversed;
}

struct ReverseEcho {
  wharf::Peer peer;

  void message(wharf::Kind kind, std::string_view data) {
    const bool is_text = kind == wharf::Kind::text;
    peer.log(wharf::Level::info, (is_text ? "text: " : "binary: ") + std::string(data.substr(0, 80)));
    peer.send(kind, is_text ? reversed_text(data) : std::string(data.rbegin(), data.rend()));
  }
};

}  // namespace

WHARF_EXPORT(wharf::protocol<ReverseEcho>("reverse-echo"))
