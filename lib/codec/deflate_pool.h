#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codec/deflate.h"

namespace wharf::codec {

/// Whether a message may build on earlier ones in its direction.
enum class DeflateContext : std::uint8_t { forgotten, kept };

/// What the conversations of one loop share for permessage-deflate, so that a conversation between two messages owns none of it:
/// streams that keep no context, lent for a message, and room for inflated bytes. Not thread-safe; outlives everything that was
/// lent.
class DeflatePool {
 public:
  static constexpr std::size_t room_size = 32 * 1024;
  static constexpr std::size_t most_kept = 4;  ///< streams of each kind that wait to be lent

  /// Without context. Throws std::bad_alloc.
  std::unique_ptr<Inflater> take_inflater(int window_bits);
  void give_back(std::unique_ptr<Inflater> inflater, int window_bits);

  std::unique_ptr<Deflater> take_deflater(int window_bits, DeflateTuning tuning);
  void give_back(std::unique_ptr<Deflater> deflater, int window_bits, DeflateTuning tuning);

  /// For inflated bytes: shared by all, valid until the next call for anybody.
  std::span<char> room();
  /// For deflated bytes: empty, and shared by all too. Frees large memory that an earlier message left in it.
  std::string& packed();

 private:
  template <class Stream>
  struct Waiting {
    std::unique_ptr<Stream> stream;
    int window_bits;
    DeflateTuning tuning;
  };
  template <class Stream>
  static std::unique_ptr<Stream> take(std::vector<Waiting<Stream>>& waiting, int window_bits, DeflateTuning tuning);
  template <class Stream>
  static void keep(std::vector<Waiting<Stream>>& waiting, Waiting<Stream> stream);

  std::vector<Waiting<Inflater>> inflaters_;
  std::vector<Waiting<Deflater>> deflaters_;
  std::unique_ptr<char[]> room_;
  std::string packed_;
};

}  // namespace wharf::codec
