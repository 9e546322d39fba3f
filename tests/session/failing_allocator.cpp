#include "session/failing_allocator.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace wharf::test {
thread_local std::size_t until_failure = 0;
}  // namespace wharf::test

namespace {
bool fails() { return wharf::test::until_failure != 0 && --wharf::test::until_failure == 0; }
}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WHARF_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WHARF_SANITIZED 1
#endif
#endif

#ifdef WHARF_SANITIZED  // which has an allocator of its own, and looks for leaks itself
void* operator new(std::size_t size) {
  void* const memory = fails() ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return fails() ? nullptr : std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
#else  // also for zlib, and what else is written in C
extern "C" {
void* __libc_malloc(std::size_t size);                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t size);      // NOLINT(bugprone-reserved-identifier)
[[gnu::visibility("default")]] void* malloc(std::size_t size) { return fails() ? nullptr : __libc_malloc(size); }
[[gnu::visibility("default")]] void* calloc(std::size_t count, std::size_t size) {
  return fails() ? nullptr : __libc_calloc(count, size);
}
[[gnu::visibility("default")]] void* realloc(void* memory, std::size_t size) {
  return fails() ? nullptr : __libc_realloc(memory, size);
}
}
#endif

namespace wharf::test {

std::size_t live_bytes() {
#ifdef WHARF_SANITIZED
  return 0;
#else
  return mallinfo2().uordblks;
#endif
}

}  // namespace wharf::test
