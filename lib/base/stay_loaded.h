#pragma once

namespace wharf::base {

/// Keeps the library that holds this code loaded until the process ends, even if somebody unloads it. Call it before a thread is
/// left behind that will return to the code.
void stay_loaded();

}  // namespace wharf::base
