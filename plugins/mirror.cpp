/// lws-mirror-protocol: everybody in a room, the speaker included, gets what one client says as text, all in the same order. The
/// URL names the room, like /?mirror=harbour: at most 64 bytes, percent-decoded, '+' is a space; without a name it is the room "".
/// Binary messages are closed with 1003.
///
/// A client that does not read pauses the speakers; one that takes nothing for 3 s is cut. A room spans all loops of a virtual host,
/// and all virtual hosts that have the same value of option `group`. Option `rooms`: how many there may be at once, 1 to 100000, 1000
/// if not given; more are refused with 503.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "options.h"
#include "room.h"
#include "wharf/protocol.hpp"

namespace {

constexpr std::size_t longest_name = 64;
constexpr std::size_t most_waiting = 64 * 1024 * 1024;

int hexadecimal_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hexadecimal_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hexadecimal_digit(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

/// The text behind the first `mirror=` of a query like a=b&mirror=harbour. Nothing if that cannot be a name.
std::optional<std::string> room_name(std::string_view query) {
  constexpr std::string_view key = "mirror=";
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    if (field.starts_with(key)) {
      auto name = percent_decoded(field.substr(key.size()));
      return name && name->size() <= longest_name ? name : std::nullopt;
    }
    query.remove_prefix(field.size() < query.size() ? field.size() + 1 : field.size());
  }
  return std::string();
}

/// The rooms that somebody is in.
class Rooms {
 public:
  bool has_room_for(const std::string& name, std::size_t most) {
    const std::lock_guard lock(mutex_);
    std::erase_if(rooms_, [](const auto& entry) { return entry.second.expired(); });
    return rooms_.size() < most || rooms_.contains(name);
  }
  std::shared_ptr<plugins::Room> at(const std::string& name) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<plugins::Room>& known = rooms_[name];
    std::shared_ptr<plugins::Room> room = known.lock();
    if (room == nullptr) known = room = std::make_shared<plugins::Room>(most_waiting);
    return room;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<plugins::Room>> rooms_;
};

struct Mirror : plugins::Member<Mirror> {
  struct Shared {
    explicit Shared(wharf::Scope scope)
        : rooms(plugins::in_group_of<Rooms>(scope)), most(plugins::number_option(scope, "rooms", 1000, {1, 100'000})) {}
    std::shared_ptr<Rooms> rooms;
    std::size_t most;
  };

  Mirror(wharf::Peer its_peer, Shared& its_shared) : Member(its_peer), shared(its_shared) {}

  static int accept(const wharf::Request& request, Shared& shared) {
    const auto name = room_name(request.query());
    if (!name) return 400;
    return shared.rooms->has_room_for(*name, shared.most) ? 0 : 503;
  }

  void opened(const wharf::Request& request) { enter(shared.rooms->at(room_name(request.query()).value())); }

  void message(wharf::Kind kind, std::string_view data) {
    if (kind != wharf::Kind::text) {
      leave();
      return peer.close(1003, "lws-mirror-protocol takes text");
    }
    room().say(std::make_shared<const std::string>(data));
    let_others_keep_up();
  }

  Shared& shared;
};

}  // namespace

WHARF_EXPORT(wharf::protocol<Mirror>("lws-mirror-protocol"))
