#pragma once
#include <cstdint>
#include <vector>

#include "handshake.h"
#include "load_options.h"
#include "ring.h"

namespace bench {

// One message at a time, on the connections in turn, at a steady pace: how long its echo takes while the server is otherwise at rest,
// or busy with something else.
class Prober {
 public:
  Prober(const LoadOptions& options, std::vector<Opened>&& opened);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // Returns the number of messages; the microseconds of each are in times().
  std::uint64_t run(Bound bound);
  std::uint64_t errors() const { return errors_; }
  // In ascending order.
  const std::vector<double>& times() const { return times_; }

 private:
  bool probe(const Opened& opened);

  Ring ring_;
  std::vector<Opened> opened_;
  std::vector<double> times_;
  std::uint64_t errors_ = 0;
};

}  // namespace bench
