#pragma once
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace wharf::codec {

/// zlib counts in unsigned int.
inline constexpr std::size_t most_at_once = std::size_t{1} << 30;

/// As much of the input as zlib takes at once; avail_in says how much that is.
inline void give_input(z_stream& stream, std::string_view input) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  stream.avail_in = static_cast<uInt>(std::min(input.size(), most_at_once));
}

/// Lets deflate() write until it has nothing left for that kind of flush: to `room`, and from there to the end of `out`.
inline void drain(z_stream& stream, int flush, std::span<Bytef> room, std::string& out) {
  do {
    stream.next_out = room.data();
    stream.avail_out = static_cast<uInt>(room.size());
    deflate(&stream, flush);
    out.append(reinterpret_cast<const char*>(room.data()), room.size() - stream.avail_out);
  } while (stream.avail_out == 0);
}

}  // namespace wharf::codec
