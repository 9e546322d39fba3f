#include "base/out_queue.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace wharf::base {

ChunkPool::~ChunkPool() {
  while (free_ != nullptr) {
    Chunk* next = free_->next;
    ::operator delete(free_);
    free_ = next;
  }
}

Chunk* ChunkPool::take(std::size_t at_least) {
  if (at_least <= standard_capacity && free_ != nullptr) {
    Chunk* chunk = free_;
    free_ = chunk->next;
    --kept_;
    chunk->next = nullptr;
    chunk->begin = chunk->end = 0;
    return chunk;
  }
  const std::size_t capacity = std::max(at_least, standard_capacity);
  if (capacity > std::numeric_limits<std::uint32_t>::max()) throw std::bad_alloc();
  return new (::operator new(sizeof(Chunk) + capacity)) Chunk{nullptr, 0, 0, static_cast<std::uint32_t>(capacity)};
}

void ChunkPool::give_back(Chunk* chunk) {
  if (chunk->capacity != standard_capacity || kept_ == most_kept) {
    ::operator delete(chunk);
    return;
  }
  chunk->next = free_;
  free_ = chunk;
  ++kept_;
}

void OutQueue::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (tail_ == nullptr || tail_->end == tail_->capacity)
      reserve_in_new_chunk(std::min<std::size_t>(bytes.size(), std::numeric_limits<std::uint32_t>::max() / 2));
    const std::size_t part = std::min<std::size_t>(bytes.size(), tail_->capacity - tail_->end);
    std::memcpy(tail_->bytes() + tail_->end, bytes.data(), part);
    commit(part);
    bytes.remove_prefix(part);
  }
}

char* OutQueue::reserve_in_new_chunk(std::size_t size) {
  if (size_ == 0 && head_ != nullptr) clear();  // room that was reserved and never committed
  Chunk* chunk = pool_->take(size);
  (tail_ != nullptr ? tail_->next : head_) = chunk;  // NOLINT(clang-analyzer-cplusplus.NewDelete): the tail goes last
  tail_ = chunk;
  return chunk->bytes();
}

std::size_t OutQueue::peek(std::span<std::string_view> pieces) const {
  std::size_t count = 0;
  for (Chunk* chunk = head_; chunk != nullptr && count < pieces.size(); chunk = chunk->next)
    if (chunk->end != chunk->begin) pieces[count++] = {chunk->bytes() + chunk->begin, chunk->end - chunk->begin};
  return count;
}

void OutQueue::consume(std::size_t size) {
  size_ -= size;
  while (head_ != nullptr) {
    const std::size_t here = std::min<std::size_t>(size, head_->end - head_->begin);
    head_->begin += static_cast<std::uint32_t>(here);
    size -= here;
    if (head_->begin != head_->end) return;
    Chunk* next = head_->next;
    pool_->give_back(head_);
    head_ = next;
  }
  tail_ = nullptr;
}

void OutQueue::clear() { consume(size_); }

}  // namespace wharf::base
