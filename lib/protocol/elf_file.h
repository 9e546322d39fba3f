#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace wharf::codec {

/// Why a file cannot be loaded as a shared object.
enum class ElfFault : std::uint8_t {
  not_elf,        ///< it does not begin like an object file, or has less than the head of one
  other_machine,  ///< for another processor, word size or byte order than this program
  not_shared,     ///< a program, or an object file for the linker
  malformed,      ///< the head has impossible numbers
  cut_short       ///< a segment to be loaded lies beyond the end of the file
};

/// One line for a person, in static storage.
std::string_view message(ElfFault fault);

/// The place of the list of segments in an object file.
struct SegmentTable {
  std::uint64_t offset = 0;
  std::size_t size = 0;  ///< bytes, at most 64 Ki entries
};

/// The bytes of a file's beginning that find_segments() needs, if the file has that many.
extern const std::size_t elf_head_size;

/// Reads the first bytes of a file of `file_size` bytes: the head of an object file (System V ABI, chapter 4). The list that it
/// finds lies within the file.
///
/// The dynamic loader reads the head too, but maps segments without checking the file's size: a process that touches a page beyond
/// the end, the loader first of all, ends with SIGBUS.
base::Result<SegmentTable, ElfFault> find_segments(std::span<const char> bytes, std::uint64_t file_size);

/// Reads the list, all of it. The result is the end, in the file, of the last segment that is loaded: at most `file_size`.
base::Result<std::uint64_t, ElfFault> check_segments(std::span<const char> table, std::uint64_t file_size);

}  // namespace wharf::codec
