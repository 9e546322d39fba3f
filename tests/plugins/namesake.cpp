// Several plugins are made of this file, with different classes of the same names. All is in the global namespace, where authors'
// classes mostly are. NAME: that of the first row; WORD: its response; PADDING: bytes in its states, so that they differ in size.
#include <array>
#include <string>
#include <string_view>
#include <wharf/protocol.hpp>

struct Api {
  struct Shared {
    std::array<char, PADDING> padding{};
    std::string word = WORD;
    unsigned answered = 0;
  };
  static void request(wharf::Exchange exchange, Shared& shared) {
    exchange.respond(200, "text/plain", shared.word + " " + std::to_string(++shared.answered));
  }
};

struct Later {
  struct Responder {
    wharf::Exchange exchange;
    std::array<char, PADDING> padding{};
    std::string word = WORD;
    void request() { exchange.respond(200, "text/plain", word); }
    void closing(bool /*complete*/) { word += WORD; }
  };
};

struct Line {
  wharf::Pipe pipe;
  std::array<char, PADDING> padding{};
  std::string word = WORD;
  void data(std::string_view bytes) {
    pipe.write(word += bytes);
    pipe.close();
  }
};
struct Upgrading {
  static void request(wharf::Exchange exchange) {
    if (!exchange.upgrade<Line>("line")) exchange.respond(426);
  }
};

struct Talk {
  wharf::Peer peer;
  std::array<char, PADDING> padding{};
  std::string word = WORD;
  void message(wharf::Kind kind, std::string_view data) { peer.send(kind, word + std::string(data)); }
};

#ifdef COUNTING
// Hiding the headers does not help here: g++ makes this variable of the author's unique for the whole process.
struct Counter {
  static void request(wharf::Exchange exchange) {
    static std::array<COUNTING, 8> counts{};
    exchange.respond(200, "text/plain", std::to_string(++counts.back()));
  }
};
// A variable as in the headers before they hid everything.
#ifdef OLD_HEADER
namespace wharf {
inline std::array<int, 2> of_the_headers{PADDING};
}
const std::array<int, 2>* of_the_headers() { return &wharf::of_the_headers; }
#endif
#define COUNTER_ROW wharf::protocol<Counter>(NAME "-counter"),
#else
#define COUNTER_ROW
#endif

WHARF_EXPORT(COUNTER_ROW wharf::protocol<Api>(NAME), wharf::protocol<Later>(NAME "-later"),
             wharf::protocol<Upgrading>(NAME "-line"), wharf::protocol<Talk>(NAME "-talk"))
