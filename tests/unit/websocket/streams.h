#pragma once
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/websocket.hpp"

namespace wharf::test {

using namespace wharf::websocket;
using Type = Event::Type;

struct Seen {
  Type type;
  std::string payload;
  std::uint16_t code = 0;
  Error error = Error::none;
  Part part = Part::whole;
  bool operator==(const Seen&) const = default;
};

/// All that the input holds, without the final `more`.
inline std::vector<Seen> feed(Stream& stream, std::string input) {
  std::vector<Seen> seen;
  for (std::span<char> rest(input);;) {
    const Event event = stream.next(rest);
    if (event.type == Type::more) {
      CHECK(rest.empty());
      return seen;
    }
    seen.push_back({event.type, std::string(event.view()), event.code, event.error, event.part});
  }
}

inline Agreement compressing(bool keeps_context = false) {
  Agreement agreement;
  agreement.compressed = true;
  agreement.server_keeps_context = agreement.client_keeps_context = keeps_context;
  agreement.server_window_bits = agreement.client_window_bits = 12;
  agreement.compress_from = 8;
  return agreement;
}

inline Role other(Role role) { return role == Role::server ? Role::client : Role::server; }

/// The first byte and the payload as they are: a server's frame.
inline std::string plain(unsigned first, std::string_view payload) {
  std::string frame{static_cast<char>(first), static_cast<char>(payload.size())};
  return frame.append(payload);
}

}  // namespace wharf::test
