// Measures what compressing a message costs and gains, by window, memory level and level of zlib: the basis of the defaults in
// docs/compression.md. One message is one deflate() with a sync flush, as in permessage-deflate (RFC 7692 section 7.2.1).
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view usage =
    R"(usage: bench-deflate [--all | --sizes]
CPU time and size of compressed messages, shared (one stream, reset before each message) and dedicated (100 streams in turn, each of
which keeps its context).

  (nothing)   windows, memory levels and levels around window 2^12, memory level 5, level 6; about half a minute
  --all       every window of 9 to 15 bits with memory levels 1, 3, 5, 8 and levels 1, 3, 6, 9; about five minutes
  --sizes     JSON messages of 16 bytes to 1 KiB with window 2^12, memory level 5, level 6: from which size on it pays
  --help
)";

constexpr double seconds_for_each = 0.1;
constexpr std::size_t streams_in_turn = 100;
constexpr std::size_t tail = 4;  // the bytes that are left out at the end of a message

// ---- messages, the same in every run ----

using Messages = std::vector<std::string>;

const std::array<std::string_view, 16> words = {"harbour", "wharf", "crane",  "tide",  "rope",   "lantern",  "pilot",  "cargo",
                                                "ledger",  "quay",  "anchor", "berth", "signal", "manifest", "vessel", "ballast"};

std::string_view word(std::mt19937& random) { return words[random() % words.size()]; }

std::string number(std::mt19937& random, std::size_t below) { return std::to_string(random() % below); }

void add(std::string& text, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts) text += part;
}

void add_record(std::string& text, std::mt19937& random) {
  add(text,
      {R"({"id":)", number(random, 1'000'000), R"(,"type":")", word(random), R"(","user":")", word(random), number(random, 100)});
  add(text, {R"(","at":17)", number(random, 100'000'000), R"(,"position":{"x":)", number(random, 1000), ".", number(random, 100)});
  add(text, {R"(,"y":)", number(random, 1000), ".", number(random, 100), R"(},"active":)", random() % 3 == 0 ? "false" : "true"});
  add(text, {R"(,"note":")", word(random), " ", word(random), R"("})"});
}

/// Whole records, at least one, about `size` bytes.
std::string json(std::mt19937& random, std::size_t size) {
  std::string text = R"({"event":"update","items":[)";
  add_record(text, random);
  while (text.size() + 120 < size) {
    text += ',';
    add_record(text, random);
  }
  return text += "]}";
}

std::string json_cut(std::mt19937& random, std::size_t size) { return json(random, size + 300).substr(0, size); }

void add_sentence(std::string& text, std::mt19937& random) {
  text += "The";
  for (auto left = 5 + random() % 10; left > 0; --left) add(text, {" ", word(random)});
  text += ". ";
}

void add_section(std::string& text, std::mt19937& random) {
  const std::string_view name = word(random);
  add(text, {R"(<section id=")", name, number(random, 1000), "\">\n<h2>", name, " ", word(random), "</h2>\n"});
  for (auto left = 1 + random() % 3; left > 0; --left) {
    text += "<p>";
    add_sentence(text, random);
    add_sentence(text, random);
    text += "</p>\n";
  }
  text += R"(<table class="list">)";
  for (auto left = 2 + random() % 5; left > 0; --left)
    add(text,
        {"\n", R"(<tr><td class="name">)", word(random), R"(</td><td class="number">)", number(random, 10'000), "</td></tr>"});
  text += "\n</table>\n</section>\n";
}

std::string page(std::mt19937& random, std::size_t size) {
  std::string text;
  add(text, {"<!doctype html>\n", R"(<html lang="en"><head><meta charset="utf-8"><title>)", word(random), "</title>\n",
             R"(<link rel="stylesheet" href="/style.css"></head>)", "\n<body>\n", R"(<nav class="menu"><ul>)", "\n"});
  for (const std::string_view name : words)
    add(text, {R"(<li class="menu-item"><a href="/)", name, R"(.html">)", name, "</a></li>\n"});
  text += "</ul></nav>\n<main>\n";
  while (text.size() < size) add_section(text, random);
  return text += "</main>\n</body>\n</html>\n";
}

std::string noise(std::mt19937& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// `count` is prime to the number of streams, so that a stream sees every message before it sees one again.
Messages made(std::string (*make)(std::mt19937&, std::size_t), std::size_t size, std::size_t count) {
  std::mt19937 random(4711);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
  Messages messages;
  for (std::size_t i = 0; i < count; ++i) messages.push_back(make(random, size));
  return messages;
}

double mean_size(const Messages& messages) {
  std::size_t sum = 0;
  for (const std::string& message : messages) sum += message.size();
  return static_cast<double>(sum) / static_cast<double>(messages.size());
}

// ---- measuring ----

struct Setting {
  int window_bits;
  int memory_level;
  int level;
};

class Stream {
 public:
  explicit Stream(const Setting& setting) : stream_(std::make_unique<z_stream>()) {
    stream_->zalloc = allocate;
    stream_->zfree = release;
    stream_->opaque = &memory_;
    if (deflateInit2(stream_.get(), setting.level, Z_DEFLATED, -setting.window_bits, setting.memory_level, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      std::fprintf(stderr, "bench-deflate: zlib does not start with window %d, memory level %d, level %d\n", setting.window_bits,
                   setting.memory_level, setting.level);
      std::exit(1);
    }
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { deflateEnd(stream_.get()); }

  /// The size of the message in a frame. `room` is large enough for any.
  std::size_t compress(const std::string& message, std::vector<Bytef>& room) {
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
    stream_->avail_in = static_cast<uInt>(message.size());
    stream_->next_out = room.data();
    stream_->avail_out = static_cast<uInt>(room.size());
    deflate(stream_.get(), Z_SYNC_FLUSH);
    return room.size() - stream_->avail_out - tail;
  }
  void reset() { deflateReset(stream_.get()); }

  [[nodiscard]] std::size_t memory() const { return memory_; }

 private:
  static voidpf allocate(voidpf sum, uInt items, uInt size) {
    *static_cast<std::size_t*>(sum) += std::size_t{items} * size;
    return std::calloc(items, size);
  }
  static void release(voidpf /*sum*/, voidpf memory) { std::free(memory); }

  std::unique_ptr<z_stream> stream_;
  std::size_t memory_ = 0;  // what zlib allocated
};

struct Figure {
  double microseconds = 0;  ///< CPU time of a message
  double bytes = 0;         ///< of a compressed message
  std::size_t memory = 0;   ///< of a stream
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Whole rounds of `each(i)`, which compresses message i and returns its size, until enough time has passed; one round before is
/// not counted.
template <class Each>
Figure measure(std::size_t round, Each&& each) {
  for (std::size_t i = 0; i < round; ++i) each(i);
  std::size_t bytes = 0;
  std::size_t count = round;
  const double begin = cpu_seconds();
  double taken = 0;
  do {
    for (std::size_t i = 0; i < round; ++i) bytes += each(count++);
    taken = cpu_seconds() - begin;
  } while (taken < seconds_for_each);
  const auto messages = static_cast<double>(count - round);
  return {.microseconds = taken * 1e6 / messages, .bytes = static_cast<double>(bytes) / messages, .memory = 0};
}

std::vector<Bytef> room_for(const Messages& messages) {
  std::size_t largest = 0;
  for (const std::string& message : messages) largest = std::max(largest, message.size());
  return std::vector<Bytef>(largest * 2 + 64);
}

Figure shared(const Setting& setting, const Messages& messages) {
  std::vector<Bytef> room = room_for(messages);
  Stream stream(setting);
  Figure figure = measure(messages.size(), [&](std::size_t i) {
    stream.reset();
    return stream.compress(messages[i % messages.size()], room);
  });
  figure.memory = stream.memory();
  return figure;
}

Figure dedicated(const Setting& setting, const Messages& messages) {
  std::vector<Bytef> room = room_for(messages);
  std::vector<std::unique_ptr<Stream>> streams;
  for (std::size_t i = 0; i < streams_in_turn; ++i) streams.push_back(std::make_unique<Stream>(setting));
  Figure figure = measure(streams_in_turn * 4, [&](std::size_t i) {
    return streams[i % streams_in_turn]->compress(messages[i % messages.size()], room);
  });
  figure.memory = streams.front()->memory();
  return figure;
}

// ---- tables ----

std::vector<Setting> around_the_default() {
  std::vector<Setting> settings;
  for (int window = 9; window <= 15; ++window) settings.push_back({window, 5, 6});
  for (const int memory_level : {1, 3, 8}) settings.push_back({12, memory_level, 6});
  for (const int level : {1, 3, 9}) settings.push_back({12, 5, level});
  settings.push_back({9, 1, 6});
  settings.push_back({15, 8, 1});
  settings.push_back({15, 8, 6});
  return settings;
}

std::vector<Setting> all() {
  std::vector<Setting> settings;
  for (int window = 9; window <= 15; ++window)
    for (const int memory_level : {1, 3, 5, 8})
      for (const int level : {1, 3, 6, 9}) settings.push_back({window, memory_level, level});
  return settings;
}

void print_head(std::string_view name, const Messages& messages) {
  std::printf("\n%.*s, %.0f bytes\n", static_cast<int>(name.size()), name.data(), mean_size(messages));
  std::printf("%28s | %29s | %29s\n", "", "shared", "dedicated");
  std::printf("window memLevel level    KiB | %9s %9s %9s | %9s %9s %9s\n", "bytes", "of input", "us", "bytes", "of input", "us");
}

void print_row(const Setting& setting, const Figure& one, const Figure& many, double size) {
  std::printf("  2^%-2d %8d %5d %6.1f | %9.0f %8.1f%% %9.2f | %9.0f %8.1f%% %9.2f\n", setting.window_bits, setting.memory_level,
              setting.level, static_cast<double>(one.memory) / 1024, one.bytes, 100 * one.bytes / size, one.microseconds,
              many.bytes, 100 * many.bytes / size, many.microseconds);
  std::fflush(stdout);
}

void compare(std::string_view name, const Messages& messages, const std::vector<Setting>& settings) {
  print_head(name, messages);
  for (const Setting& setting : settings)
    print_row(setting, shared(setting, messages), dedicated(setting, messages), mean_size(messages));
}

void compare_all(const std::vector<Setting>& settings) {
  compare("small JSON", made(json, 0, 997), settings);
  compare("1 KiB of JSON", made(json, 1024, 997), settings);
  compare("64 KiB of JSON", made(json, 65'536, 37), settings);
  compare("a page of HTML", made(page, 20'000, 97), settings);
  compare("1 KiB of random bytes", made(noise, 1024, 997), settings);
}

void compare_sizes() {
  constexpr Setting setting{12, 5, 6};
  std::printf("JSON cut to a size; window 2^12, memory level 5, level 6\n");
  std::printf("%6s | %29s | %29s\n", "", "shared", "dedicated");
  std::printf("bytes  | %9s %9s %9s | %9s %9s %9s\n", "bytes", "of input", "us", "bytes", "of input", "us");
  for (const std::size_t size : {16U, 24U, 32U, 48U, 64U, 96U, 128U, 192U, 256U, 384U, 512U, 1024U}) {
    const Messages messages = made(json_cut, size, 997);
    const Figure one = shared(setting, messages);
    const Figure many = dedicated(setting, messages);
    const auto in = static_cast<double>(size);
    std::printf("%6zu | %9.0f %8.1f%% %9.2f | %9.0f %8.1f%% %9.2f\n", size, one.bytes, 100 * one.bytes / in, one.microseconds,
                many.bytes, 100 * many.bytes / in, many.microseconds);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view option = argc == 2 ? argv[1] : "";
  if (argc == 1) {
    compare_all(around_the_default());
  } else if (option == "--all") {
    compare_all(all());
  } else if (option == "--sizes") {
    compare_sizes();
  } else {
    std::fwrite(usage.data(), 1, usage.size(), option == "--help" ? stdout : stderr);
    return option == "--help" ? 0 : 2;
  }
  return 0;
}
