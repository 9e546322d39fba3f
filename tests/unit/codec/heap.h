#pragma once
#include <algorithm>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WHARF_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WHARF_SANITIZED 1
#endif
#endif
#ifdef WHARF_SANITIZED
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#elif defined(__GLIBC__)
#include <malloc.h>
#endif

/// Bytes that the program has from the heap.
inline std::size_t allocated() {
#ifdef WHARF_SANITIZED
  return __sanitizer_get_current_allocated_bytes();
#elif defined(__GLIBC__)
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

/// By how much that has grown.
inline std::size_t grown_from(std::size_t before) { return std::max(allocated(), before) - before; }
