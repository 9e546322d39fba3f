#pragma once

namespace wharf::base {

/// The library that holds this code stays loaded until the process ends, whoever unloads it. To be called before a thread is left behind
/// that comes back to the code at some time.
void stay_loaded();

}  // namespace wharf::base
