#include "base/descriptor.h"

#include <unistd.h>

namespace wharf::base {

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

}  // namespace wharf::base
