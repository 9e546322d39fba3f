#include "server/certificates/file_states.h"

#include <sys/stat.h>

namespace wharf::server {
namespace {

std::int64_t nanoseconds(const timespec& moment) { return moment.tv_sec * std::int64_t{1'000'000'000} + moment.tv_nsec; }

}  // namespace

FileStates states_of(const std::vector<std::string>& files) {
  FileStates states;
  for (const std::string& file : files) {
    struct stat facts {};
    FileState& state = states[file];
    if (stat(file.c_str(), &facts) != 0) continue;
    state = {facts.st_dev, facts.st_ino, facts.st_size, nanoseconds(facts.st_mtim), nanoseconds(facts.st_ctim)};
  }
  return states;
}

}  // namespace wharf::server
