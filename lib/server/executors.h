#pragma once
#include "io/executor.h"
#include "wharf/server.hpp"

namespace wharf::server {

/// The threads of one server that do for all its loops what would hold one up. Outlives the workers.
struct Executors {
  explicit Executors(const Limits& limits)
      : passwords({.threads = limits.password_threads}),
        files({.threads = limits.file_threads}),
        lookups({.threads = limits.lookup_threads}) {}

  io::Executor passwords;
  io::Executor files;
  io::Executor lookups;
};

}  // namespace wharf::server
