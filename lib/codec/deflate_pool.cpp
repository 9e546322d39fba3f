#include "codec/deflate_pool.h"

#include <utility>

namespace wharf::codec {

template <class Stream>
std::unique_ptr<Stream> DeflatePool::take(std::vector<Waiting<Stream>>& waiting, int window_bits, DeflateTuning tuning) {
  for (auto one = waiting.rbegin(); one != waiting.rend(); ++one) {
    if (one->window_bits != window_bits || one->tuning != tuning) continue;
    std::unique_ptr<Stream> stream = std::move(one->stream);
    waiting.erase(std::next(one).base());
    return stream;
  }
  return nullptr;
}

/// The one that has waited longest makes room: it is the least likely to be needed.
template <class Stream>
void DeflatePool::keep(std::vector<Waiting<Stream>>& waiting, Waiting<Stream> stream) {
  stream.stream->reset();
  if (waiting.size() == most_kept) waiting.erase(waiting.begin());
  waiting.push_back(std::move(stream));
}

std::unique_ptr<Inflater> DeflatePool::take_inflater(int window_bits) {
  auto stream = take(inflaters_, window_bits, {});
  return stream != nullptr ? std::move(stream) : std::make_unique<Inflater>(window_bits);
}

void DeflatePool::give_back(std::unique_ptr<Inflater> inflater, int window_bits) {
  if (inflater != nullptr) keep(inflaters_, {std::move(inflater), window_bits, {}});
}

std::unique_ptr<Deflater> DeflatePool::take_deflater(int window_bits, DeflateTuning tuning) {
  auto stream = take(deflaters_, window_bits, tuning);
  return stream != nullptr ? std::move(stream) : std::make_unique<Deflater>(window_bits, tuning);
}

void DeflatePool::give_back(std::unique_ptr<Deflater> deflater, int window_bits, DeflateTuning tuning) {
  if (deflater != nullptr) keep(deflaters_, {std::move(deflater), window_bits, tuning});
}

std::span<char> DeflatePool::room() {
  if (room_ == nullptr) room_ = std::make_unique_for_overwrite<char[]>(room_size);
  return {room_.get(), room_size};
}

std::string& DeflatePool::packed() {
  if (packed_.capacity() > 2 * room_size) std::string().swap(packed_);  // an assignment would keep it
  packed_.clear();
  return packed_;
}

}  // namespace wharf::codec
