#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace wharf::base {

/// A block of queued output; its bytes follow it in the same allocation.
struct Chunk {
  Chunk* next;
  std::uint32_t begin;  // first byte not yet written out
  std::uint32_t end;    // behind the last byte appended
  std::uint32_t capacity;

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
};

/// Keeps a few standard chunks for reuse, last returned first out, so that a busy loop writes into memory that is still in the
/// cache. One per loop; not thread-safe; outlives its queues.
class ChunkPool {
 public:
  static constexpr std::size_t standard_capacity = 4096 - sizeof(Chunk);
  static constexpr std::size_t most_kept = 64;

  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// A chunk of the standard capacity, or of `at_least` if that is more. Throws std::bad_alloc.
  Chunk* take(std::size_t at_least);
  void give_back(Chunk* chunk);
  /// Whether take() has a standard chunk without allocating one.
  [[nodiscard]] bool has_any() const { return free_ != nullptr; }

 private:
  Chunk* free_ = nullptr;
  std::size_t kept_ = 0;
};

/// The bytes that wait to be written to one link, first in first out, in pooled chunks. An empty queue owns no memory.
class OutQueue {
 public:
  explicit OutQueue(ChunkPool& pool) : pool_(&pool) {}
  ~OutQueue() { clear(); }
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  /// Copies the bytes to the end of the queue.
  void append(std::string_view bytes);

  /// Room for at least `size` bytes in one piece at the end of the queue, to be filled and then committed. Valid until the next
  /// call.
  char* reserve(std::size_t size) {
    if (tail_ != nullptr && tail_->capacity - tail_->end >= size) return tail_->bytes() + tail_->end;
    return reserve_in_new_chunk(size);
  }
  /// The same for at most ChunkPool::standard_capacity, but nullptr if that would allocate memory.
  char* reserve_without_allocating(std::size_t size) {
    if (tail_ != nullptr && tail_->capacity - tail_->end >= size) return tail_->bytes() + tail_->end;
    return pool_->has_any() ? reserve_in_new_chunk(size) : nullptr;
  }
  /// Adds the first `size` bytes of what reserve() returned.
  void commit(std::size_t size) {
    tail_->end += static_cast<std::uint32_t>(size);
    size_ += size;
  }

  /// The first piece; empty only if the queue is.
  [[nodiscard]] std::string_view front() const {
    return head_ != nullptr ? std::string_view(head_->bytes() + head_->begin, head_->end - head_->begin) : std::string_view();
  }
  /// Fills `pieces` with the front of the queue, in order; returns how many were filled.
  std::size_t peek(std::span<std::string_view> pieces) const;
  /// Drops `size` bytes from the front; at most size().
  void consume(std::size_t size);
  void clear();

 private:
  char* reserve_in_new_chunk(std::size_t size);

  ChunkPool* pool_;
  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace wharf::base
