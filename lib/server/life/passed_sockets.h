#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::server {

/// A descriptor that a process hands to its successor, as the environment variable WHARF_SOCKETS names it: one item for each, with
/// commas between, of five parts with semicolons between: number, inode, kind, address, name. In the last two, all except letters,
/// digits and -._:/@[] is percent-encoded.
struct PassedDescriptor {
  enum class Kind : std::uint8_t {
    own,   ///< a listening socket that a server opened; of a unix socket, the file goes with it
    lent,  ///< a listening socket that the service manager has too
    ready  ///< where the successor writes a byte when it serves
  };

  int number = -1;
  std::uint64_t inode = 0;  ///< so that a variable that reaches somebody else does no harm
  Kind kind = Kind::own;
  std::string address{};  ///< that listen() was asked for, like 127.0.0.1:0 or unix:/path
  std::string name{};     ///< that the service manager gave it

  friend bool operator==(const PassedDescriptor&, const PassedDescriptor&) = default;
};

inline constexpr const char* passed_variable = "WHARF_SOCKETS";
inline constexpr std::size_t most_passed = 4096;

std::string write_passed(const std::vector<PassedDescriptor>& all);
/// Nothing: it is not of that form, or there are more than most_passed.
std::optional<std::vector<PassedDescriptor>> read_passed(std::string_view text);

}  // namespace wharf::server
