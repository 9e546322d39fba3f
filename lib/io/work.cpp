#include "io/work.h"

#include <memory>
#include <new>
#include <utility>

namespace wharf::io {
namespace {

/// The part of it on the loop.
class Work final : public Pending {
 public:
  /// What a thread does, and then brings back.
  struct Errand final : Returns::Errand {
    void back() override {
      task = nullptr;
      if (work != nullptr) work->over();
    }

    std::function<void()> task;
    Work* work = nullptr;  // only for the loop's thread
  };

  Work(Loop& loop, Executor& executor, std::shared_ptr<Errand> errand, std::function<void()> done)
      : Pending(loop), executor_(executor), errand_(std::move(errand)), done_(std::move(done)) {
    errand_->work = this;
  }

  void give_up() {
    errand_->work = nullptr;
    finished();
  }

 private:
  ~Work() override = default;

  void cancel() override {
    executor_.forget(&loop_);
    give_up();
  }

  void over() {
    const std::function<void()> done = std::move(done_);
    give_up();
    done();
  }

  Executor& executor_;
  std::shared_ptr<Errand> errand_;
  std::function<void()> done_;
};

}  // namespace

bool work(Loop& loop, Executor& executor, std::function<void()> task, std::function<void()> done, std::string_view about) {
  if (loop.ended()) return false;
  auto errand = std::make_shared<Work::Errand>();
  errand->task = std::move(task);
  auto* work = new Work(loop, executor, errand, std::move(done));
  auto run = [errand = std::move(errand), returns = loop.returns()]() mutable {
    try {
      errand->task();
    } catch (...) {  // `done` looks for the outcome, and finds none
    }
    returns->hand_back(std::move(errand));
  };
  try {
    if (executor.run(&loop, std::move(run), about)) return true;
  } catch (const std::bad_alloc&) {  // no room either
  }
  work->give_up();
  return false;
}

}  // namespace wharf::io
