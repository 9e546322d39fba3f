#pragma once
#include <functional>

#include "io/loop.h"

namespace wharf::io {

/// Runs `task` on a thread of libuv's pool, then `done` on the loop's thread, on a fresh stack. When the loop ends first,
/// `done` is not called, a task that has not begun does not run, and one that runs is waited for. A task owns all that it
/// touches; it is destroyed on the loop's thread, before `done` is called.
void work(Loop& loop, std::function<void()> task, std::function<void()> done);

}  // namespace wharf::io
