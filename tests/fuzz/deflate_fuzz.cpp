#include "codec/deflate.h"
#include "fuzz/promise.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// Input: six bytes that say what to do, with which window, and where to cut; then bytes. Either they are inflated as they are, or
// they are messages that are deflated and inflated again.

namespace {

using namespace wharf::codec;
using Status = Inflater::Status;

constexpr std::size_t control_bytes = 6;
constexpr std::size_t limit = std::size_t{64} * 1024;

/// Sizes of pieces, 0 to `most`, the same for the same seed.
class Cuts {
 public:
  Cuts(std::uint32_t seed, std::uint32_t most) : state_(seed + 1), most_(most) {}

  std::size_t next() {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 16) % (most_ + 1);
  }

 private:
  std::uint32_t state_;
  std::uint32_t most_;
};

/// Inflates pieces that lie in memory of their own into rooms of their own, up to the limit.
class Run {
 public:
  Run(int window_bits, std::size_t room_size) : inflater_(window_bits), room_size_(room_size) {}

  void feed(std::string_view piece) {
    const auto copy = std::make_unique<char[]>(piece.size());
    piece.copy(copy.get(), piece.size());
    std::string_view input(copy.get(), piece.size());
    do {
      const std::size_t before = input.size();
      const std::size_t size = std::min(room_size_, limit - out_.size());
      const auto room = std::make_unique<char[]>(size);
      std::size_t written = 0;
      const Status last = status_;
      status_ = inflater_.inflate(input, room.get(), size, written);
      require(written <= size && input.size() <= before, "no more is written than there is room, nor read than there is");
      require(last != Status::invalid || (status_ == last && written == 0 && input.size() == before),
              "invalid stays, and takes nothing");
      require(status_ != Status::more || input.empty(), "more is asked for only when all was taken");
      require(status_ != Status::full || written == size, "full is full");
      out_.append(room.get(), written);
    } while (status_ == Status::full && !at_limit());
  }

  void end_message() { feed(Inflater::tail); }
  void forget() { inflater_.reset(); }
  [[nodiscard]] bool at_limit() const { return out_.size() == limit; }
  [[nodiscard]] bool at_boundary() const { return inflater_.at_boundary(); }
  [[nodiscard]] Status status() const { return status_; }
  std::string take() { return std::exchange(out_, {}); }

 private:
  Inflater inflater_;
  std::size_t room_size_;
  std::string out_;
  Status status_ = Status::more;
};

void inflate_as_it_is(const std::uint8_t* control, std::string_view bytes) {
  const int window_bits = 8 + (control[0] >> 1) % 8;
  Run whole(window_bits, limit);
  whole.feed(bytes);

  Run cut(window_bits, 1U + control[1]);
  Cuts cuts(control[2] * 256U + control[3], control[4]);
  for (std::size_t at = 0, size = 0; at < bytes.size() && !cut.at_limit(); at += size) {
    size = control[4] == 0 ? 1 : cuts.next();
    cut.feed(bytes.substr(at, size));
  }
  // A smaller window is found to be too small only if the decoder has to look into it, which depends on the cuts.
  if (window_bits < 15) return;
  if (!whole.at_limit()) {
    require(cut.status() == whole.status(), "cuts do not change how it ends");
    require(cut.at_boundary() == whole.at_boundary(), "nor where");
  }
  require(cut.take() == whole.take(), "nor what comes out");
}

void deflate_and_inflate(const std::uint8_t* control, std::string_view bytes) {
  const int window_bits = 8 + (control[0] >> 1) % 8;
  Deflater deflater(window_bits, {.level = 1 + control[5] % 9, .memory_level = 1 + (control[5] / 9) % 9});
  Run narrow(window_bits, 1U + control[1]);
  Run wide(15, limit);
  Cuts cuts(control[2] * 256U + control[3], control[4] * 16U);
  const bool forgetting = (control[0] & 16) != 0;
  for (std::size_t at = 0; at < bytes.size();) {
    std::string message;
    std::string text;
    for (std::size_t pieces = cuts.next() % 4; pieces > 0; --pieces) {
      const std::string_view piece = bytes.substr(std::min(at, bytes.size()), cuts.next());
      at += piece.size();
      text += piece;
      std::string out;
      deflater.compress(piece, Deflater::Piece::more_follows, out);
      narrow.feed(out);
      require(narrow.at_boundary(), "a piece that is flushed ends at a boundary");
      message += out;
    }
    const std::string_view piece = bytes.substr(std::min(at, bytes.size()), 1 + cuts.next());
    at += piece.size();
    text += piece;
    std::string out = "kept";
    deflater.compress(piece, Deflater::Piece::last, out);
    require(out.starts_with("kept") && out.size() > 4, "what is there stays, and no message is without a byte");
    narrow.feed(std::string_view(out).substr(4));
    narrow.end_message();
    wide.feed(message + out.substr(4));
    wide.end_message();
    require(narrow.at_boundary() && wide.at_boundary(), "a message ends at a boundary");
    require(narrow.take() == text, "the same comes out, through a window of that size");
    require(wide.take() == text, "and through the widest");
    if (forgetting) {
      deflater.reset();
      narrow.forget();
      wide.forget();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + control_bytes, std::min(size - control_bytes, limit / 2));
  if ((data[0] & 1) == 0) inflate_as_it_is(data, bytes);
  else deflate_and_inflate(data, bytes);
  return 0;
}
