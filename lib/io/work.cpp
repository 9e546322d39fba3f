#include "io/work.h"

#include <uv.h>

#include <utility>

namespace wharf::io {
namespace {

class Work final : public Pending {
 public:
  Work(Loop& loop, std::function<void()> task, std::function<void()> done)
      : Pending(loop), task_(std::move(task)), done_(std::move(done)) {
    request_.data = this;
    uv_queue_work(
        loop.uv(), &request_, [](uv_work_t* request) { static_cast<Work*>(request->data)->task_(); },
        [](uv_work_t* request, int) { static_cast<Work*>(request->data)->over(); });
  }

 private:
  void cancel() override {
    done_ = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&request_));
  }

  /// Also after cancel(), whether the task ran or not.
  void over() {
    const std::function<void()> done = std::exchange(done_, nullptr);
    finished();
    if (done) done();
  }

  uv_work_t request_{};
  std::function<void()> task_;
  std::function<void()> done_;
};

}  // namespace

void work(Loop& loop, std::function<void()> task, std::function<void()> done) {
  if (!loop.ended()) new Work(loop, std::move(task), std::move(done));
}

}  // namespace wharf::io
