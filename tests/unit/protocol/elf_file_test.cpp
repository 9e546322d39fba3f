#include "protocol/elf_file.h"

#include <doctest/doctest.h>
#include <elf.h>
#include <link.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

using namespace wharf::codec;

namespace {

using Head = ElfW(Ehdr);
using Segment = ElfW(Phdr);

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

/// The first bytes of this very program, which the linker made.
Head own_head() {
  Head head;
  REQUIRE(std::ifstream("/proc/self/exe", std::ios::binary).read(reinterpret_cast<char*>(&head), sizeof head));
  head.e_type = ET_DYN;
  return head;
}

Segment loaded(std::uint64_t offset, std::uint64_t size) {
  Segment segment{};
  segment.p_type = PT_LOAD;
  segment.p_offset = offset;
  segment.p_filesz = segment.p_memsz = size;
  return segment;
}

/// An object file of these segments, and bytes up to `size`.
std::string file_of(const std::vector<Segment>& segments, std::size_t size, Head head = own_head()) {
  head.e_phoff = sizeof head;
  head.e_phnum = static_cast<decltype(head.e_phnum)>(segments.size());
  std::string file(size, 'x');
  std::memcpy(file.data(), &head, sizeof head);
  if (!segments.empty()) std::memcpy(file.data() + sizeof head, segments.data(), segments.size() * sizeof(Segment));
  return file;
}

/// The end of its segments, or what is wrong with it.
std::string checked(std::string_view file) {
  const auto table = find_segments(file.substr(0, elf_head_size), file.size());
  if (!table) return std::string(message(table.error()));
  const auto end = check_segments(file.substr(static_cast<std::size_t>(table->offset), table->size), file.size());
  return end ? std::to_string(*end) : std::string(message(end.error()));
}

const std::string cut_short(message(ElfFault::cut_short));
const std::string malformed(message(ElfFault::malformed));

}  // namespace

TEST_CASE("elf: a whole file, and one with more behind its segments") {
  CHECK(checked(file_of({loaded(0, 600), loaded(600, 400)}, 1000)) == "1000");
  CHECK(checked(file_of({loaded(600, 400), loaded(0, 600)}, 5000)) == "1000");
}

TEST_CASE("elf: a file cut anywhere before the end of its last segment is cut short, or no object file at all") {
  const std::string file = file_of({loaded(0, 600), loaded(600, 400)}, 1000);
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    CHECK(checked(file.substr(0, size)) == (size < elf_head_size ? message(ElfFault::not_elf) : cut_short));
  }
}

TEST_CASE("elf: segments that are not loaded may lie anywhere") {
  Segment note = loaded(5000, 10);
  note.p_type = PT_NOTE;
  CHECK(checked(file_of({loaded(0, 600), note}, 1000)) == "600");
}

TEST_CASE("elf: numbers whose sums fit no number") {
  CHECK(checked(file_of({loaded(most, 2)}, 1000)) == cut_short);
  CHECK(checked(file_of({loaded(2, most)}, 1000)) == cut_short);
  CHECK(checked(file_of({loaded(most, most)}, 1000)) == cut_short);
  Head head = own_head();
  head.e_phnum = 1;
  for (const std::uint64_t offset : {most, most - sizeof(Segment), std::uint64_t{1000}}) {
    head.e_phoff = static_cast<decltype(head.e_phoff)>(offset);
    const auto* bytes = reinterpret_cast<const char*>(&head);
    const auto table = find_segments({bytes, sizeof head}, 1000);
    REQUIRE_FALSE(table);
    CHECK(table.error() == ElfFault::cut_short);
  }
}

TEST_CASE("elf: nothing to load, and more in the file than in memory") {
  CHECK(checked(file_of({}, 1000)) == malformed);
  Segment note = loaded(0, 10);
  note.p_type = PT_NOTE;
  CHECK(checked(file_of({note}, 1000)) == malformed);
  Segment small = loaded(0, 10);
  small.p_memsz = 9;
  CHECK(checked(file_of({small}, 1000)) == malformed);
  Head head = own_head();
  head.e_phentsize -= 1;
  CHECK(checked(file_of({loaded(0, 10)}, 1000, head)) == malformed);
}

TEST_CASE("elf: files of other machines, and of other kinds") {
  const auto with = [](auto change) {
    Head head = own_head();
    change(head);
    return checked(file_of({loaded(0, 10)}, 1000, head));
  };
  CHECK(with([](Head&) {}) == "10");
  const std::string_view other = message(ElfFault::other_machine);
  CHECK(with([](Head& head) { head.e_ident[EI_CLASS] = head.e_ident[EI_CLASS] == ELFCLASS64 ? ELFCLASS32 : ELFCLASS64; }) == other);
  CHECK(with([](Head& head) { head.e_ident[EI_DATA] = head.e_ident[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB; }) ==
        other);
  CHECK(with([](Head& head) { head.e_machine = EM_S390; }) == other);
  CHECK(with([](Head& head) { head.e_type = ET_EXEC; }) == message(ElfFault::not_shared));
  CHECK(with([](Head& head) { head.e_type = ET_REL; }) == message(ElfFault::not_shared));
  CHECK(with([](Head& head) { head.e_ident[EI_MAG3] = 'f'; }) == message(ElfFault::not_elf));
}
