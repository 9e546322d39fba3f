// What the codec's loops cost, next to a memcpy of the same bytes. See bench-codec --help and README.md.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/utf8.h"
#include "codec/variants.h"
#include "codec/ws/decoder.h"
#include "codec/ws/frame.h"
#include "process.h"

namespace bench {
namespace {

using wharf::codec::MaskKey;
using wharf::codec::Opcode;
using wharf::codec::WsDecoder;
using wharf::codec::WsEvent;

constexpr std::string_view usage =
    R"(usage: bench-codec [--rounds N]
       bench-codec --decode N --kind text|binary
Prints what unmasking and UTF-8 checking cost, next to a memcpy of the same bytes, and what a short frame costs. CPU time;
medians over N rounds (31), in each of which every row takes its turn.

  --decode N         decode N masked frames with a payload of 20 bytes and say nothing; for bench/instructions
  --kind text|binary what they are
)";

// Each byte is below 80, so that a payload of ASCII stays ASCII even if it is masked, or unmasked once too often.
constexpr MaskKey key{0x37, 0x7A, 0x21, 0x3D};
constexpr std::size_t large = 64 * 1024;
constexpr std::size_t small = 1024;
constexpr std::size_t cache_line = 64;

double cpu_nanoseconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// The compiler must assume that somebody reads the bytes, so it does not leave out the writes.
void use(const void* bytes) { asm volatile("" : : "r"(bytes) : "memory"); }

// The nanoseconds of one call.
double time_of(const std::function<void()>& work, std::size_t repetitions) {
  const double begin = cpu_nanoseconds();
  for (std::size_t i = 0; i < repetitions; ++i) work();
  return (cpu_nanoseconds() - begin) / static_cast<double>(repetitions);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string encoded(std::uint32_t code_point) {
  const auto later = [](std::uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0 | code_point >> 6), later(code_point)};
  if (code_point < 0x10000) return {static_cast<char>(0xE0 | code_point >> 12), later(code_point >> 6), later(code_point)};
  return {static_cast<char>(0xF0 | code_point >> 18), later(code_point >> 12), later(code_point >> 6), later(code_point)};
}

enum class Script { ascii, cyrillic, chinese, emoji, mixed };

std::uint32_t letter(Script script, std::uint32_t random) {
  switch (script) {
    case Script::ascii: return 'a' + random % 26;
    case Script::cyrillic: return 0x410 + random % 64;
    case Script::chinese: return 0x4E00 + random % 0x5000;
    case Script::emoji: return 0x1F300 + random % 0x200;
    case Script::mixed: break;
  }
  constexpr Script scripts[] = {Script::ascii, Script::ascii,    Script::ascii,   Script::ascii,
                                Script::ascii, Script::cyrillic, Script::chinese, Script::emoji};
  return letter(scripts[random % 8], random / 8);
}

std::string text_of(Script script, std::size_t size) {
  std::string text;
  std::uint32_t random = 1;
  while (text.size() + 4 <= size) {
    random = random * 1664525 + 1013904223;
    text += encoded(letter(script, random >> 8));
  }
  return text.append(size - text.size(), '.');
}

struct Row {
  std::string name;
  double aim = 0;  // the most, as a multiple of memcpy's time; 0: none
  std::string bytes;
  std::function<void(std::span<char>)> work;
  std::size_t shift = 0;  // from the beginning of a cache line
};

struct Result {
  double nanoseconds_per_byte = 0;
  double memcpy_per_byte = 0;
  double ratio = 0;
};

// The rows take turns, each right after a memcpy of its own bytes.
std::vector<Result> measure(const std::vector<Row>& rows, std::size_t rounds) {
  constexpr std::size_t bytes_a_turn = 4 * 1024 * 1024;
  std::vector<std::vector<double>> own(rows.size());
  std::vector<std::vector<double>> copied(rows.size());
  std::vector<std::vector<double>> ratios(rows.size());
  alignas(cache_line) static char room[large + cache_line];
  alignas(cache_line) static char target[large + cache_line];
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      const std::span<char> bytes(room + row.shift, row.bytes.size());
      std::memcpy(bytes.data(), row.bytes.data(), bytes.size());
      const auto copy = [bytes] {
        std::memcpy(target, bytes.data(), bytes.size());
        use(target);
      };
      const auto work = [bytes, &row] {
        row.work(bytes);
        use(bytes.data());
      };
      const std::size_t repetitions = bytes_a_turn / bytes.size();
      const auto size = static_cast<double>(bytes.size());
      time_of(copy, 4);
      copied[i].push_back(time_of(copy, repetitions) / size);
      time_of(work, 4);
      own[i].push_back(time_of(work, repetitions) / size);
      ratios[i].push_back(own[i].back() / copied[i].back());
    }
  }
  std::vector<Result> results;
  for (std::size_t i = 0; i < rows.size(); ++i) results.push_back({median(own[i]), median(copied[i]), median(ratios[i])});
  return results;
}

void check(std::span<char> text) {
  const bool is_valid = wharf::codec::is_utf8({text.data(), text.size()});
  if (is_valid) return;
  std::fputs("a text that is UTF-8 was refused\n", stderr);
  std::exit(1);
}

std::vector<Row> rows_of(std::size_t size) {
  const auto unmask = [](std::uint64_t offset) {
    return [offset](std::span<char> payload) { wharf::codec::apply_mask(payload, key, offset); };
  };
  const std::string ascii = text_of(Script::ascii, size);
  return {
      {"unmask", 3, ascii, unmask(0)},
      {"unmask, one byte further", 3, ascii, unmask(0), 1},
      {"unmask, mask offset 3, one byte further", 3, ascii, unmask(3), 1},
      {"UTF-8, ASCII", 3, ascii, check},
      {"UTF-8, Cyrillic (2 bytes)", 16, text_of(Script::cyrillic, size), check},
      {"UTF-8, Chinese (3 bytes)", 16, text_of(Script::chinese, size), check},
      {"UTF-8, emoji (4 bytes)", 16, text_of(Script::emoji, size), check},
      {"UTF-8, mixed", 16, text_of(Script::mixed, size), check},
  };
}

// The other variants that this machine can run.
std::vector<Row> rows_of_variants(std::size_t size) {
  std::vector<Row> rows;
  for (const auto& variant : wharf::codec::mask_variants())
    rows.push_back({"unmask by " + std::string(variant.name), 0, text_of(Script::ascii, size),
                    [&variant](std::span<char> payload) { variant.apply(payload, 0x373A213D); }});
  for (const auto& variant : wharf::codec::utf8_variants()) {
    rows.push_back(
        {"UTF-8, mixed, by " + std::string(variant.name), 0, text_of(Script::mixed, size), [&variant](std::span<char> text) {
           std::uint8_t state = 0;
           if (!variant.feed(state, {text.data(), text.size()})) std::exit(1);
         }});
  }
  return rows;
}

void print(const std::vector<Row>& rows, std::string_view size_name, std::size_t rounds) {
  std::printf("\n%-42.*s %9s %9s %10s %7s\n", static_cast<int>(size_name.size()), size_name.data(), "ns/byte", "memcpy's",
              "to memcpy", "aim");
  const std::vector<Result> results = measure(rows, rounds);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Result& result = results[i];
    std::printf("%-42s %9.4f %9.4f %10.2f", rows[i].name.c_str(), result.nanoseconds_per_byte, result.memcpy_per_byte,
                result.ratio);
    if (rows[i].aim > 0) std::printf(" %7.0f", rows[i].aim);
    std::puts("");
  }
}

// Frames as a browser sends them, one after the other. They are unmasked in place, so every second time this masks
// them; with the key that stays ASCII too.
class Frames {
 public:
  explicit Frames(Opcode opcode) : type_(opcode == Opcode::text ? WsEvent::Type::text : WsEvent::Type::binary) {
    std::string frame(wharf::codec::max_frame_header, '\0');
    frame.resize(wharf::codec::write_masked_frame_header(frame.data(), opcode, true, payload_size, key));
    frame += text_of(Script::ascii, payload_size);
    frame_size_ = frame.size();
    for (std::size_t i = 0; i < at_a_time; ++i) bytes_ += frame;
  }

  // False if not all of them came out.
  bool decode(std::size_t count) {
    for (std::size_t left = count; left > 0;) {
      const std::size_t now = std::min(left, at_a_time);
      std::span<char> input(bytes_.data(), now * frame_size_);
      for (std::size_t i = 0; i < now; ++i) {
        decoder_.next(input, event_);
        if (event_.type != type_ || event_.payload.size() != payload_size) return false;
      }
      left -= now;
    }
    return true;
  }

 private:
  static constexpr std::size_t payload_size = 20;
  static constexpr std::size_t at_a_time = 500;

  WsDecoder decoder_{wharf::codec::Role::server, large};
  WsEvent event_;
  WsEvent::Type type_;
  std::string bytes_;
  std::size_t frame_size_ = 0;
};

int decode(std::size_t count, Opcode opcode) {
  if (Frames(opcode).decode(count)) return 0;
  std::fputs("a frame was decoded wrongly\n", stderr);
  return 1;
}

bool print_frames(std::size_t rounds) {
  constexpr std::size_t count = 50'000;
  Frames text(Opcode::text);
  Frames binary(Opcode::binary);
  std::vector<double> text_times;
  std::vector<double> binary_times;
  bool is_right = true;
  const auto time_a_frame = [&is_right](Frames& frames) {
    return time_of([&] { is_right = frames.decode(count) && is_right; }, 1) / count;
  };
  for (std::size_t round = 0; round < rounds; ++round) {
    text_times.push_back(time_a_frame(text));
    binary_times.push_back(time_a_frame(binary));
  }
  std::printf("\nA masked frame of 20 bytes, decoded: text %.1f ns, binary %.1f ns\n", median(text_times), median(binary_times));
  return is_right;
}

int compare(std::size_t rounds) {
  const auto first_name = [](auto variants) { return std::string(variants.front().name); };
  std::printf("Unmasking by %s, UTF-8 by %s; CPU time, medians of %zu rounds.\n", first_name(wharf::codec::mask_variants()).c_str(),
              first_name(wharf::codec::utf8_variants()).c_str(), rounds);
  print(rows_of(large), "64 KiB", rounds);
  print(rows_of(small), "1 KiB", rounds);
  print(rows_of_variants(large), "64 KiB, each way that this machine can", rounds);
  return print_frames(rounds) ? 0 : 1;
}

int run(std::span<char*> arguments) {
  std::size_t rounds = 31;
  std::optional<std::size_t> frames;
  std::optional<Opcode> opcode;
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    const std::string_view name = arguments[i];
    const std::string_view value = i + 1 < arguments.size() ? arguments[i + 1] : "";
    const auto number = parse_number<std::size_t>(value);
    if (name == "--help") return std::fputs(usage.data(), stdout), 0;
    if (name == "--rounds" && number && *number > 0) rounds = *number;
    else if (name == "--decode" && number) frames = number;
    else if (name == "--kind" && value == "text") opcode = Opcode::text;
    else if (name == "--kind" && value == "binary") opcode = Opcode::binary;
    else return std::fputs(usage.data(), stderr), 2;
  }
  if (frames.has_value() != opcode.has_value()) return std::fputs(usage.data(), stderr), 2;
  return frames ? decode(*frames, *opcode) : compare(rounds);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::run({argv, static_cast<std::size_t>(argc)}); }
