#include "base/stay_loaded.h"

#include <dlfcn.h>

namespace wharf::base {

void stay_loaded() {
  static const char here = 0;
  Dl_info info{};
  if (dladdr(&here, &info) != 0 && info.dli_fname != nullptr) dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace wharf::base
