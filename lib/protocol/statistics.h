#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace wharf::session {

/// Counts of one row on one loop. Written by the loop's thread, read by any.
struct RowCounts {
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> opened{0};
  std::atomic<std::uint64_t> exchanges{0};
};

/// Adds to a count that only one thread writes: no locked instruction.
inline void add(std::atomic<std::uint64_t>& count, std::uint64_t more = 1) {
  count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

/// Counts of one loop.
struct LoopCounts {
  explicit LoopCounts(std::size_t row_count) : rows(row_count) {}

  std::atomic<std::size_t> connections{0};  ///< open now, as the loop counts them
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> exchanges{0};
  std::deque<RowCounts> rows;
};

/// What all loops of a server count. The rows' names and the loops are set before the first loop runs.
struct Statistics {
  explicit Statistics(std::vector<std::string> names = {}) : row_names(std::move(names)) {}

  std::vector<std::string> row_names;
  base::Time since{0};  ///< the loops' clock
  std::deque<LoopCounts> loops;
};

}  // namespace wharf::session
