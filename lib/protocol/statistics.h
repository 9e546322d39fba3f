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
#include "link/counts.h"

namespace wharf::session {

/// Counts of one row on one loop. Written by the loop's thread, read by any.
struct RowCounts {
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> opened{0};
  std::atomic<std::uint64_t> exchanges{0};
};

/// Counts of one loop.
struct LoopCounts {
  explicit LoopCounts(std::size_t row_count) : rows(row_count) {}

  std::atomic<std::size_t> connections{0};  ///< open now, as the loop counts them
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> exchanges{0};
  std::atomic<std::uint64_t> requests_refused{0};  ///< with 429 or 503, by a limit
  OpeningCounts openings;
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
