#include "unit/files/www_folder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "base/log.h"

namespace wharf::server {

namespace fs = std::filesystem;

WwwFolder::WwwFolder() {
  fs::permissions(root, fs::perms(0755));
  fs::create_directory(www());
}

fs::path WwwFolder::write(const fs::path& name, std::string_view text) const {
  const fs::path file = www() / name;
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

void WwwFolder::set_time(const fs::path& name, std::int64_t when) const {
  const timespec time{when / 1'000'000'000, when % 1'000'000'000};
  const timespec times[] = {time, time};
  REQUIRE(utimensat(AT_FDCWD, (www() / name).c_str(), times, 0) == 0);
}

std::string noise(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : text) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

std::string page_of(std::size_t size) {
  std::string page;
  for (int i = 0; page.size() < size; ++i)
    page += base::concat("<p>Line ", i, " of a page that is longer than it has to be.</p>\n");
  page.resize(size);
  return page;
}

Unprivileged::Unprivileged() : was_(geteuid()) {
  if (was_ == 0) REQUIRE(seteuid(65534) == 0);
}

Unprivileged::~Unprivileged() {
  if (was_ == 0 && seteuid(0) != 0) abort();
}

}  // namespace wharf::server
