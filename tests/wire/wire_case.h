#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Wire cases are text: bytes in, events out.
///
///     ## A masked text frame (RFC 6455 section 5.7)
///     set role server
///     in 81 85 37 fa 21 3d 7f 9f 4d 51 58
///     out text "Hello"
///
/// `in` takes bytes in hexadecimal, strings in quotes with the escapes \r \n \t \0 \\ \" and \xHH, and `repeat COUNT "text"` or
/// `repeat COUNT HH`; several `in` lines follow each other. `out` lines are the expected event log, in order. `#` starts a comment.
struct WireCase {
  std::string where;  ///< file:line
  std::string name;
  std::map<std::string, std::string> settings;
  std::string input;
  std::vector<std::string> events;
};

/// Feeds the pieces in turn to a fresh codec and returns its event log, one event a line, in the notation of the case files.
using WireRun = std::function<std::vector<std::string>(const WireCase&, const std::vector<std::string_view>& pieces)>;

/// The cases of one file of this folder. A line that cannot be read throws std::runtime_error with file and line.
std::vector<WireCase> load_wire_cases(const std::string& name);

/// Runs the case whole, byte by byte, and cut in two at every place (above 4,096 bytes: at every place within 64 bytes of either
/// end and at every 97th between), and checks with doctest that the log is the same each time: the expected one.
void check_at_every_split(const WireCase& wire_case, const WireRun& run);

/// So with all cases of a file, which has at least so many.
void check_wire_cases(const std::string& name, std::size_t at_least, const WireRun& run);

/// Bytes in the notation of the `in` lines' strings, with quotes: printable ASCII as it is, the rest as escapes.
std::string in_quotes(std::string_view bytes);
