#include "protocol/elf_file.h"

#include <elf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

namespace wharf::codec {
namespace {

constexpr bool is_64_bit = sizeof(void*) == 8;
using Head = std::conditional_t<is_64_bit, Elf64_Ehdr, Elf32_Ehdr>;
using Segment = std::conditional_t<is_64_bit, Elf64_Phdr, Elf32_Phdr>;

constexpr unsigned char own_class = is_64_bit ? ELFCLASS64 : ELFCLASS32;
constexpr unsigned char own_order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

/// EM_NONE: not known here; the loader checks it.
#if defined(__x86_64__)
constexpr unsigned own_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned own_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr unsigned own_machine = EM_RISCV;
#elif defined(__i386__)
constexpr unsigned own_machine = EM_386;
#elif defined(__arm__)
constexpr unsigned own_machine = EM_ARM;
#else
constexpr unsigned own_machine = EM_NONE;
#endif

/// Whether `size` bytes from `offset` on lie within a file; without adding them, because the sum may overflow.
bool fits(std::uint64_t offset, std::uint64_t size, std::uint64_t file_size) {
  return offset <= file_size && size <= file_size - offset;
}

}  // namespace

const std::size_t elf_head_size = sizeof(Head);

std::string_view message(ElfFault fault) {
  switch (fault) {
    case ElfFault::not_elf: return "it is not an object file (ELF)";
    case ElfFault::other_machine: return "it was built for another kind of machine";
    case ElfFault::not_shared: return "it is not a shared object: build it with -shared -fPIC";
    case ElfFault::malformed: return "its ELF header is damaged";
    case ElfFault::cut_short: return "the file is cut short: copy or build it again";
  }
  return "unknown fault";
}

base::Result<SegmentTable, ElfFault> find_segments(std::span<const char> bytes, std::uint64_t file_size) {
  Head head;
  if (bytes.size() < sizeof head || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) return base::Failure{ElfFault::not_elf};
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.e_ident[EI_CLASS] != own_class || head.e_ident[EI_DATA] != own_order) return base::Failure{ElfFault::other_machine};
  if (own_machine != EM_NONE && head.e_machine != own_machine) return base::Failure{ElfFault::other_machine};
  if (head.e_type != ET_DYN) return base::Failure{ElfFault::not_shared};
  if (head.e_phentsize != sizeof(Segment) || head.e_phnum == 0) return base::Failure{ElfFault::malformed};
  const SegmentTable table{head.e_phoff, std::size_t{head.e_phnum} * sizeof(Segment)};
  if (!fits(table.offset, table.size, file_size)) return base::Failure{ElfFault::cut_short};
  return table;
}

base::Result<std::uint64_t, ElfFault> check_segments(std::span<const char> table, std::uint64_t file_size) {
  std::uint64_t end = 0;
  for (; table.size() >= sizeof(Segment); table = table.subspan(sizeof(Segment))) {
    Segment segment;
    std::memcpy(&segment, table.data(), sizeof segment);
    if (segment.p_type != PT_LOAD) continue;
    if (segment.p_filesz > segment.p_memsz) return base::Failure{ElfFault::malformed};
    if (!fits(segment.p_offset, segment.p_filesz, file_size)) return base::Failure{ElfFault::cut_short};
    end = std::max<std::uint64_t>(end, segment.p_offset + segment.p_filesz);
  }
  if (end == 0) return base::Failure{ElfFault::malformed};
  return end;
}

}  // namespace wharf::codec
