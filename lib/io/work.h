#pragma once
#include <functional>
#include <string_view>

#include "io/executor.h"
#include "io/loop.h"

namespace wharf::io {

/// Has the executor run `task`, then `done` on the loop's thread, later, on a fresh stack; the task is destroyed before. False, and
/// neither is called: the executor has no room for it, or the loop has ended. When the loop ends, `done` is not called, a task that
/// no thread has begun is dropped, and one that runs goes on: it owns all that it touches, and is destroyed on the thread that runs
/// it. `done` is destroyed on the loop's thread. `about` is for Executor::run().
[[nodiscard]] bool work(Loop& loop, Executor& executor, std::function<void()> task, std::function<void()> done,
                        std::string_view about = {});

}  // namespace wharf::io
