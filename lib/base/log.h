#pragma once
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/clock.h"

namespace wharf::base {

/// How much is said, in the order of the test server's -d option. A level includes those before it.
enum class LogLevel : std::uint8_t { quiet, error, warn, info, debug };

/// "error", "warn"...; the names that -d takes.
std::string_view name_of(LogLevel level);

inline void append_text(std::string& text, std::string_view part) { text += part; }
template <std::integral Number>
void append_text(std::string& text, Number number) {
  char digits[24];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// The parts, strings and whole numbers, one after the other.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string text;
  (append_text(text, parts), ...);
  return text;
}

/// The kind of a line; lines of one kind and level have a limited rate. Every line that peers can cause has a kind:
/// log.info(LogKind("bad frames"), ...). A line without one comes from the program, or its operator.
class LogKind {
 public:
  enum class Cause : std::uint8_t { program, peers };

  LogKind() = default;
  /// The name is part of "12 more lines about bad frames were suppressed".
  consteval explicit LogKind(const char* name) : name_(name), cause_(Cause::peers) {}
  /// Lines that a protocol writes itself.
  static LogKind of_protocol(std::string_view name) {
    LogKind kind;
    kind.name_ = name;
    return kind;
  }

  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] Cause cause() const { return cause_; }

 private:
  std::string_view name_;
  Cause cause_ = Cause::program;
};

/// How many lines of one kind and level come in a second; 0: no limit.
struct LogPace {
  std::size_t peers = 20;
  std::size_t program = 1000;
  std::function<Time()> now;  ///< the clock; nullptr: the system's, which is steady
};

/// One server's log. Any thread may write at any time, and so may the sink. One thread at a time calls the sink, without a lock:
/// lines that arise during the call, on other threads or in the sink itself, wait, and the thread that called the sink hands them
/// over. So only the thread that calls a sink waits for it, and no line is handed over inside another.
///
/// A line is one line, whatever its parts are: printable() escapes the whole of it. A line that is not handed over is counted, and
/// the number is logged as soon as possible. A sink may log a line about a line that it was handed; what it logs about that one is
/// lost.
class Log {
 public:
  using Sink = std::function<void(LogLevel, std::string_view)>;

  static constexpr std::size_t longest_line = 4000;        ///< bytes; with the level's name it goes through a pipe undivided
  static constexpr std::size_t most_waiting = 256 * 1024;  ///< bytes of lines that wait for the sink

  Log(LogLevel most, Sink sink, LogPace pace = {});
  /// Says how many lines were suppressed, if that was not said yet.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  [[nodiscard]] bool enabled(LogLevel level) const { return level != LogLevel::quiet && level <= most_; }

  template <class... Parts>
  void write(LogLevel level, LogKind kind, const Parts&... parts) noexcept {
    if (!enabled(level)) return;
    try {
      if (admits(level, kind)) enter(level, concat(parts...));
    } catch (...) {  // there is no memory for it
      count_lost();
    }
    hand_over();
  }
  template <class First, class... Parts>
  requires(!std::is_same_v<First, LogKind>) void write(LogLevel level, const First& first, const Parts&... parts) noexcept {
    write(level, LogKind(), first, parts...);
  }
  template <class... Parts>
  void error(const Parts&... parts) noexcept {
    write(LogLevel::error, parts...);
  }
  template <class... Parts>
  void warn(const Parts&... parts) noexcept {
    write(LogLevel::warn, parts...);
  }
  template <class... Parts>
  void info(const Parts&... parts) noexcept {
    write(LogLevel::info, parts...);
  }
  template <class... Parts>
  void debug(const Parts&... parts) noexcept {
    write(LogLevel::debug, parts...);
  }

 private:
  struct Entry {
    LogLevel level;
    unsigned depth;  // 0; 1 if the sink wrote it while it was handed a line
    std::string text;
  };
  struct Rate {
    Time began{};
    std::size_t lines = 0;
    std::uint64_t suppressed = 0;
  };
  using RateName = std::pair<std::string, LogLevel>;

  bool admits(LogLevel level, LogKind kind);
  void enter(LogLevel level, const std::string& text);
  void queue(LogLevel level, unsigned depth, std::string text);
  void queue_suppressed(const RateName& name, Rate& rate);
  void queue_lost() noexcept;
  void count_lost() noexcept;
  void hand_over() noexcept;
  [[nodiscard]] bool in_sink() const { return handing_over_ && sink_thread_ == std::this_thread::get_id(); }

  LogLevel most_;
  Sink sink_;
  LogPace pace_;

  std::mutex mutex_;  // guards what follows, and is not held while the sink is called
  std::map<RateName, Rate> rates_;
  std::deque<Entry> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t lost_ = 0;
  bool sink_lines_lost_ = false;
  bool sink_lines_told_ = false;  // said only once, because the sink may log something about that, too
  bool handing_over_ = false;
  std::thread::id sink_thread_;
  unsigned depth_ = 0;  // of the line that is being handed over
};

/// Makes a peer's bytes safe for a log line. Well-formed UTF-8 stays, except control characters, those that end a line or paragraph
/// in Unicode, and those that change the direction of text; these, and all other bytes, become \xHH. Takes the first `most` bytes,
/// not cut inside a code point, and adds "..." if there are more. A text that has been through it stays as it is.
std::string printable(std::string_view bytes, std::size_t most = 120);

/// The size of the code point at the front of `bytes` (not empty) if it is well-formed and printable() leaves it alone; else 0.
std::size_t harmless_code_point(std::string_view bytes);

}  // namespace wharf::base
