/// line-toy: a protocol of lines. A GET at the mount switches its connection to it (RFC 9110 section 7.8):
///
///     GET /line/ HTTP/1.1              HTTP/1.1 101 Switching Protocols
///     Host: 127.0.0.1:7681             Upgrade: line-toy/1
///     Connection: Upgrade              Connection: Upgrade
///     Upgrade: line-toy/1
///
/// From then on the server answers each line of the client with one line. They end with LF; a CR before it is accepted, and not
/// sent.
///
///     echo TEXT     TEXT
///     upper TEXT    TEXT in upper case, as far as it is ASCII
///     time          seconds since 1970
///     cork          ok; the lines that follow are kept back
///     uncork        ok, with all lines that were kept back
///     half          ok, and then nothing more, but lines are still read: the end of the output
///     quit          bye, and the connection is closed
///     anything else, or a line of more than 1,024 bytes, which ends it too: error
///
/// When the client has ended its output, the last line is `bye COUNT`, with the number of lines.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "wharf/protocol.hpp"

namespace {

constexpr std::size_t longest_line = 1024;

std::string seconds() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(since_1970).count());
}

std::string upper(std::string_view text) {
  std::string letters(text);
  for (char& c : letters)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  return letters;
}

/// Speaks on the connection after it has left HTTP.
struct Lines {
  wharf::Pipe pipe;
  std::string line;  // its end is still to come
  std::size_t count = 0;
  bool over = false;

  /// Bytes come as the network cut them: a part of a line, or many lines, the first of them perhaps together with the request.
  void data(std::string_view bytes) {
    while (!bytes.empty() && !over) {
      const std::size_t end = bytes.find('\n');
      const bool complete = end != std::string_view::npos;
      line += bytes.substr(0, std::min(end, longest_line + 2));
      bytes.remove_prefix(complete ? end + 1 : bytes.size());
      if (complete && line.ends_with('\r')) line.pop_back();
      if (line.size() > longest_line + (complete ? 0 : 1)) return close("error");  // the last byte may be a CR
      if (!complete) return;
      ++count;
      obey(line);
      line.clear();
    }
  }

  void ended() { close("bye " + std::to_string(count)); }

  void obey(std::string_view command) {
    const std::string_view verb = command.substr(0, command.find(' '));
    const std::string_view text = command.substr(std::min(verb.size() + 1, command.size()));
    if (verb == "echo") return answer(text);
    if (verb == "upper") return answer(upper(text));
    if (command == "time") return answer(seconds());
    if (command == "quit") return close("bye");
    const bool known = command == "cork" || command == "uncork" || command == "half";
    if (command == "cork") pipe.cork();
    answer(known ? "ok" : "error");
    if (command == "uncork") pipe.uncork();
    if (command == "half") pipe.end();
  }

  /// If the client does not read, the server stops reading from it.
  void answer(std::string_view text) const { pipe.write(std::string(text) += '\n'); }

  void close(std::string_view text) {
    over = true;
    answer(text);
    pipe.close();
  }
};

struct LineToy {
  static void request(wharf::Exchange exchange) {
    if (exchange.method() == "GET" && exchange.upgrade<Lines>("line-toy/1")) return;
    exchange.add_field("Upgrade", "line-toy/1");
    exchange.respond(426, "text/plain; charset=utf-8", "This place speaks line-toy/1. Ask for it with Connection and Upgrade.\n");
  }
};

}  // namespace

WHARF_EXPORT(wharf::protocol<LineToy>("line-toy"))
