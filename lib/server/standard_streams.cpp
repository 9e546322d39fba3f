#include "wharf/standard_streams.hpp"

#include <string>

#include "base/log.h"
#include "base/shared_line_writer.h"
#include "base/standard_descriptors.h"

namespace wharf {

bool print_line(StandardStream to, std::string_view line) noexcept {
  try {
    const auto stream = base::SharedLineWriter::of_stream(static_cast<int>(to));
    (*stream)->write(base::printable(line, std::string_view::npos) + '\n');
    return (*stream)->settle(base::LineWriter::patience);
  } catch (...) {  // there is no memory
    return false;
  }
}

void occupy_standard_streams() noexcept { base::occupy_standard_descriptors(); }

}  // namespace wharf
