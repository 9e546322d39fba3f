#include "base/log.h"

#include <array>
#include <chrono>
#include <utility>

#include "wharf/utf8.hpp"

namespace wharf::base {

std::string_view name_of(LogLevel level) {
  static constexpr std::array<std::string_view, 5> names{"quiet", "error", "warn", "info", "debug"};
  return names[static_cast<std::size_t>(level)];
}

namespace {

constexpr Time one_second{1'000};

Time steady_now() { return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now().time_since_epoch()); }

}  // namespace

Log::Log(LogLevel most, Sink sink, LogPace pace) : most_(most), sink_(std::move(sink)), pace_(std::move(pace)) {
  if (!pace_.now) pace_.now = steady_now;
}

Log::~Log() {
  try {
    const std::lock_guard lock(mutex_);
    for (auto& [name, rate] : rates_) queue_suppressed(name, rate);
  } catch (...) {  // there is no memory to say it
  }
  hand_over();
}

// ---- The number of lines of a kind ----

/// Whether this second has room for this line. Queues the lines that say what was suppressed in earlier seconds.
bool Log::admits(LogLevel level, LogKind kind) {
  const std::size_t most = kind.cause() == LogKind::Cause::peers ? pace_.peers : pace_.program;
  if (most == 0) return true;
  const Time now = pace_.now();
  const std::lock_guard lock(mutex_);
  Rate& rate = rates_[{std::string(kind.name()), level}];
  for (auto& [name, other] : rates_) {
    if (now - other.began < one_second) continue;
    queue_suppressed(name, other);
    other = {now};
  }
  if (rate.lines < most) {
    ++rate.lines;
    return true;
  }
  ++rate.suppressed;
  return false;
}

void Log::queue_suppressed(const RateName& name, Rate& rate) {
  if (rate.suppressed == 0) return;
  const std::string about = name.first.empty() ? "" : concat(" about ", name.first);
  queue(name.second, 0, concat(std::exchange(rate.suppressed, 0), " more lines", about, " were suppressed"));
}

// ---- The characters of a line ----

namespace {

/// Whether a code point of three bytes from U+2000 to U+2FFF would end a line (U+2028, U+2029) or reverse the text: the marks
/// U+200E and U+200F, the embeddings and overrides U+202A to U+202E, the isolates U+2066 to U+2069.
bool is_harmful_punctuation(unsigned second, unsigned third) {
  if (second == 0x80) return third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE);
  return second == 0x81 && third >= 0xA6 && third <= 0xA9;
}

}  // namespace

std::size_t harmless_code_point(std::string_view bytes) {
  const auto byte = [bytes](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  const unsigned first = byte(0);
  const std::size_t size = utf8_code_point(bytes);
  if (size == 1 && (first < 0x20 || first == 0x7F)) return 0;
  if (first == 0xC2 && byte(1) < 0xA0) return 0;  // control characters
  if (first == 0xE2 && is_harmful_punctuation(byte(1), byte(2))) return 0;
  if (first == 0xD8 && byte(1) == 0x9C) return 0;  // U+061C, a mark like U+200F
  return size;
}

namespace {

/// As printable(), from the first `most` bytes, and no longer than `longest` and "...".
std::string escaped(std::string_view bytes, std::size_t most, std::size_t longest) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  std::string_view rest = bytes;
  while (!rest.empty() && bytes.size() - rest.size() < most) {
    const std::size_t size = harmless_code_point(rest);
    if (text.size() + (size != 0 ? size : 4) > longest) break;
    const auto byte = static_cast<unsigned char>(rest.front());
    if (size != 0) text += rest.substr(0, size);
    else ((text += "\\x") += digits[byte >> 4]) += digits[byte & 15];
    rest.remove_prefix(size != 0 ? size : 1);
  }
  if (!rest.empty()) text += "...";
  return text;
}

}  // namespace

// ---- Handing over ----

void Log::enter(LogLevel level, const std::string& text) {
  std::string line = escaped(text, std::string_view::npos, longest_line);
  const std::lock_guard lock(mutex_);
  const unsigned depth = in_sink() ? depth_ + 1 : 0;
  const bool fits = waiting_.empty() || waiting_bytes_ + line.size() <= most_waiting;
  if (fits && depth <= 1) queue(level, depth, std::move(line));
  else if (depth == 0) ++lost_;
  else sink_lines_lost_ = true;
}

void Log::queue(LogLevel level, unsigned depth, std::string text) {
  waiting_.push_back({level, depth, std::move(text)});
  waiting_bytes_ += waiting_.back().text.size();
}

void Log::count_lost() noexcept {
  const std::lock_guard lock(mutex_);
  ++lost_;
}

/// Says how many lines were lost, after all that waited have gone. If there is no memory for that, it is said later.
void Log::queue_lost() noexcept {
  try {
    if (lost_ != 0) queue(LogLevel::error, 0, concat("log: ", lost_, " lines were lost"));
    lost_ = 0;
    if (!sink_lines_lost_ || sink_lines_told_) return;
    queue(LogLevel::error, 1, "log: its sink writes lines about its own lines; some of those are lost");
    sink_lines_told_ = true;
  } catch (...) {
  }
}

/// A sink belongs to the program around the server; what it throws must not go through the loop.
void Log::hand_over() noexcept {
  std::unique_lock lock(mutex_);
  if (handing_over_) return;
  handing_over_ = true;
  sink_thread_ = std::this_thread::get_id();
  for (;;) {
    if (waiting_.empty()) queue_lost();
    if (waiting_.empty()) break;
    const Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= entry.text.size();
    depth_ = entry.depth;
    lock.unlock();
    try {
      sink_(entry.level, entry.text);
    } catch (...) {  // there is nobody left to report it to
    }
    lock.lock();
  }
  handing_over_ = false;
}

std::string printable(std::string_view bytes, std::size_t most) { return escaped(bytes, most, std::string_view::npos); }

}  // namespace wharf::base
