/// chat-protocol: a chat room. Each message is text, a command and its arguments, divided by single spaces:
///
///     client                      server
///     join NAME                   welcome NAME, then the last things said, then who is here: to the client alone
///     say TEXT                    said SECONDS NAME TEXT         to all, the speaker included
///     to NAME TEXT                private SECONDS FROM TO TEXT   to both
///     rename NAME                 renamed OLD NEW                to all
///     who                         here NAME NAME ...
///                                 joined NAME, left NAME         to all
///                                 error TEXT                     what was wrong with a message; nothing else happens
///
/// A NAME has 1 to 32 bytes without spaces and control characters, a TEXT 1 to 2,000 bytes and may have spaces and line breaks.
/// SECONDS count from 1970. All get everything in the same order. A member that does not read pauses the speakers; one that takes
/// nothing for 3 s is cut.
///
/// The room spans all loops of a virtual host, and all virtual hosts that have the same value of option `group`. Option `history`: how
/// many of the last things said a newcomer gets, 0 to 1000, 50 if not given. Option `most`: members at once, 1 to 100000, 1000 if not
/// given.

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "options.h"
#include "room.h"
#include "wharf/protocol.hpp"

namespace {

using plugins::Room;

constexpr std::size_t longest_name = 32;
constexpr std::size_t longest_text = 2000;
constexpr std::size_t longest_message = 64 * 1024;     // a message that is too long gets an error up to here; beyond it, 1009
constexpr std::size_t most_waiting = 8 * 1024 * 1024;  // enough for history and names

Room::Text text_of(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

/// The first word of `text`, which loses it with the space behind it.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

bool is_name(std::string_view text) {
  const auto is_visible = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7F; };
  return !text.empty() && text.size() <= longest_name && std::all_of(text.begin(), text.end(), is_visible);
}

std::string seconds() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(since_1970).count());
}

/// The room with the names of its members. `mutex` is held for every use of them.
struct Hall {
  std::mutex mutex;
  std::shared_ptr<Room> room = std::make_shared<Room>(most_waiting);
  std::map<std::string, Room::Place, std::less<>> members;
  std::deque<Room::Text> history;

  [[nodiscard]] Room::Text who() const {
    std::string line = "here";
    for (const auto& [name, seat] : members) line += " " + name;
    return text_of(std::move(line));
  }
};

struct Chat : plugins::Member<Chat> {
  struct Shared {
    explicit Shared(wharf::Scope scope)
        : hall(plugins::in_group_of<Hall>(scope)),
          history(plugins::number_option(scope, "history", 50, {0, 1000})),
          most(plugins::number_option(scope, "most", 1000, {1, 100'000})) {}
    std::shared_ptr<Hall> hall;
    std::size_t history;
    std::size_t most;
  };

  Chat(wharf::Peer its_peer, Shared& its_shared) : Member(its_peer), shared(its_shared), hall(*its_shared.hall) {}
  Chat(const Chat&) = delete;
  Chat& operator=(const Chat&) = delete;
  ~Chat() {
    if (!is_in()) return;
    const std::lock_guard lock(hall.mutex);
    hall.members.erase(name);
    leave();
    hall.room->say(text_of("left " + name));
  }

  void message(wharf::Kind kind, std::string_view data) {
    const std::string problem = kind == wharf::Kind::text ? obey(data) : "this protocol is text";
    if (!problem.empty()) peer.send_text("error " + problem);
    if (is_in()) let_others_keep_up();
  }

  /// Does what the message says. Returns what was wrong, or nothing.
  std::string obey(std::string_view rest) {
    const std::string_view command = take_word(rest);
    const std::lock_guard lock(hall.mutex);
    if (command == "join") return join(rest);
    if (!is_in()) return "say who you are first: join NAME";
    if (command == "say") return say(rest);
    if (command == "to") return say_to(rest);
    if (command == "rename") return rename(rest);
    if (command != "who") return "there are the commands join, say, to, rename and who";
    hall.room->say_to(seat(), hall.who());
    return {};
  }

  std::string join(std::string_view wanted) {
    if (is_in()) return "you are here already, as " + name;
    if (hall.members.size() >= shared.most) return "the room is full";
    if (std::string problem = problem_of_name(wanted); !problem.empty()) return problem;
    name = wanted;
    enter(hall.room);
    hall.members.emplace(name, seat());
    hall.room->say_to(seat(), text_of("welcome " + name));
    for (const Room::Text& said : hall.history) hall.room->say_to(seat(), said);
    hall.room->say_to(seat(), hall.who());
    hall.room->say(text_of("joined " + name));
    return {};
  }

  std::string say(std::string_view text) {
    if (std::string problem = problem_of_text(text); !problem.empty()) return problem;
    const Room::Text said = text_of("said " + seconds() + " " + name + " " + std::string(text));
    hall.room->say(said);
    hall.history.push_back(said);
    while (hall.history.size() > shared.history) hall.history.pop_front();
    return {};
  }

  std::string say_to(std::string_view text) {
    const auto found = hall.members.find(take_word(text));
    if (found == hall.members.end()) return "nobody of that name is here";
    if (std::string problem = problem_of_text(text); !problem.empty()) return problem;
    const Room::Text said = text_of("private " + seconds() + " " + name + " " + found->first + " " + std::string(text));
    hall.room->say_to(found->second, said);
    if (found->second != seat()) hall.room->say_to(seat(), said);
    return {};
  }

  std::string rename(std::string_view wanted) {
    if (std::string problem = problem_of_name(wanted); !problem.empty()) return problem;
    hall.members.erase(name);
    hall.room->say(text_of("renamed " + name + " " + std::string(wanted)));
    name = wanted;
    hall.members.emplace(name, seat());
    return {};
  }

  [[nodiscard]] std::string problem_of_name(std::string_view wanted) const {
    if (!is_name(wanted)) return "a name has 1 to 32 bytes, without spaces and control characters";
    return hall.members.contains(wanted) ? "somebody else has that name" : std::string();
  }
  static std::string problem_of_text(std::string_view text) {
    return !text.empty() && text.size() <= longest_text ? std::string() : "a text has 1 to 2000 bytes";
  }

  Shared& shared;
  Hall& hall;
  std::string name;
};

}  // namespace

WHARF_EXPORT(wharf::protocol<Chat>("chat-protocol").message_limit(longest_message))
