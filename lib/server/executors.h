#pragma once
#include "io/executor.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// The threads of one server for work that would hold up its loops. Outlives the workers.
struct Executors {
  explicit Executors(const Limits& limits)
      : passwords({.threads = limits.password_threads}),
        files({.threads = limits.file_threads, .of_one = limits.file_threads - (limits.file_threads > 1 ? 1 : 0)}),
        lookups({.threads = limits.lookup_threads, .of_one = limits.lookup_threads / 4}),
        signing({.threads = limits.signing_threads}) {}

  io::Executor passwords;
  io::Executor files;
  io::Executor lookups;
  io::Executor signing;
};

}  // namespace wharf::server
