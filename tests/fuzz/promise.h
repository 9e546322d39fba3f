#pragma once
// What a fuzz target says of the code that it calls.
#include <cstdio>
#include <cstdlib>
#include <string_view>

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

/// Whether a view is of those bytes.
inline bool lies_in(std::string_view view, std::string_view bytes) {
  return view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size();
}
