#pragma once
#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

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

/// One server's log. write() may be called from any thread; the sink is called by one thread at a time.
class Log {
 public:
  using Sink = std::function<void(LogLevel, std::string_view)>;

  Log(LogLevel most, Sink sink) : most_(most), sink_(std::move(sink)) {}

  [[nodiscard]] bool enabled(LogLevel level) const { return level != LogLevel::quiet && level <= most_; }

  template <class... Parts>
  void write(LogLevel level, const Parts&... parts) {
    if (!enabled(level)) return;
    hand_over(level, concat(parts...));
  }
  template <class... Parts>
  void error(const Parts&... parts) {
    write(LogLevel::error, parts...);
  }
  template <class... Parts>
  void warn(const Parts&... parts) {
    write(LogLevel::warn, parts...);
  }
  template <class... Parts>
  void info(const Parts&... parts) {
    write(LogLevel::info, parts...);
  }
  template <class... Parts>
  void debug(const Parts&... parts) {
    write(LogLevel::debug, parts...);
  }

 private:
  void hand_over(LogLevel level, const std::string& text) noexcept;

  LogLevel most_;
  Sink sink_;
  std::mutex mutex_;
};

/// Bytes from a peer made safe for a log line: well-formed UTF-8 as it is, control characters and everything else as \xHH. From the
/// first `most` bytes, not cut inside a code point; then "..." where there are more.
std::string printable(std::string_view bytes, std::size_t most = 120);

}  // namespace wharf::base
