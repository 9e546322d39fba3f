#include "fuzz/promise.h"
#include "protocol/elf_file.h"

#include <algorithm>
#include <cstdint>
#include <span>

// Input: a file. The segments of an accepted file lie in it, a longer file with the same beginning is accepted too, and one that is
// cut before the end of the segments is not.

namespace {

using namespace wharf::codec;

/// The end of the file's segments; 0: it is refused. The first `size` bytes of the file are there.
std::uint64_t checked(std::span<const char> file, std::uint64_t size) {
  const auto table = find_segments(file.first(std::min(file.size(), elf_head_size)), size);
  if (!table) return require(!message(table.error()).empty(), "a fault has a message"), 0;
  require(table->size > 0 && table->offset <= size && table->size <= size - table->offset, "the list lies in the file");
  if (table->offset > file.size() || table->size > file.size() - table->offset) return 0;
  const auto end = check_segments(file.subspan(static_cast<std::size_t>(table->offset), table->size), size);
  if (!end) return require(!message(end.error()).empty(), "a fault has a message"), 0;
  require(*end > 0 && *end <= size, "the segments lie in the file");
  return *end;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const char> file(reinterpret_cast<const char*>(data), size);
  const std::uint64_t end = checked(file, size);
  if (end == 0) return 0;
  require(checked(file, UINT64_MAX) == end, "a longer file is accepted");
  require(checked(file, end - 1) == 0, "a file that is cut short is refused");
  if (end >= elf_head_size)
    require(checked(file.first(static_cast<std::size_t>(end)), end) <= end, "what lies behind does not matter");
  return 0;
}
