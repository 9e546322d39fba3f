#pragma once
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "link/environment.h"

namespace wharf::server {

/// What a test plays of the world outside: connections, which it makes or refuses, another thread, which does its jobs when the test
/// says so, and the end of a turn.
class TestOutside final : public Outside {
 public:
  struct Attempt {
    std::size_t number;
    base::Endpoint to;
    base::Time limit;
    session::SessionMaker connected;
    std::function<void(std::string_view)> failed;
  };

  TestOutside() = default;
  /// With the test's clock.
  explicit TestOutside(const base::Time& now) : now_(&now) {}
  ~TestOutside() override { over_ = true; }
  TestOutside(const TestOutside&) = delete;
  TestOutside& operator=(const TestOutside&) = delete;

  [[nodiscard]] std::unique_ptr<server::Attempt> connect(const base::Endpoint& to, base::Time limit,
                                                         session::SessionMaker connected,
                                                         std::function<void(std::string_view)> failed) override {
    auto handle = std::make_unique<Handle>(*this, count + 1);
    attempts.push_back({count + 1, to, limit, std::move(connected), std::move(failed)});
    ++count;
    return handle;
  }
  [[nodiscard]] base::Result<std::unique_ptr<Dialer>, std::string> over_tls(const TlsClient& settings) override {
    if (!dialer_over_tls) return base::Failure{std::string("there is no TLS here")};
    return dialer_over_tls(settings);
  }
  [[nodiscard]] bool work(Executor on, std::string_view about, std::function<void()> task, std::function<void()> done) override {
    if (full == on) return false;
    if (has_no_memory) throw std::bad_alloc();
    abouts.emplace_back(about);
    jobs_.emplace_back(std::move(task), std::move(done));
    return true;
  }
  [[nodiscard]] std::size_t threads(Executor /*of*/) const override { return most; }
  void at_turn_end(std::function<void()> call) override { turn_end_.push_back(std::move(call)); }
  [[nodiscard]] std::uint64_t turn() const override { return turn_; }
  [[nodiscard]] base::Time now() const override { return now_ != nullptr ? *now_ : base::Time{0}; }

  [[nodiscard]] std::size_t waiting() const { return jobs_.size(); }
  /// Does the first job, on another thread, and reports that it is done.
  void do_one() {
    do_task();
    tell();
  }
  /// Does the first job, and reports nothing.
  void do_task() {
    REQUIRE_FALSE(jobs_.empty());
    std::thread(std::ref(jobs_.front().first)).join();
    jobs_.front().first = nullptr;
  }
  /// Reports that it is done.
  void tell() {
    REQUIRE_FALSE(jobs_.empty());
    const std::function<void()> done = std::move(jobs_.front().second);
    jobs_.pop_front();
    done();
  }
  /// The loop stops: what was not done is dropped.
  void drop_all() { jobs_.clear(); }

  /// The loop's turn ends. Returns whether there was something to do. An exception of a call ends here, as in a loop.
  bool end_turn() {
    ++turn_;
    const std::vector<std::function<void()>> calls = std::exchange(turn_end_, {});
    for (const std::function<void()>& call : calls) {
      try {
        call();
      } catch (const std::exception&) {
      }
    }
    return !calls.empty();
  }

  std::deque<Attempt> attempts;  ///< not decided yet
  std::function<std::unique_ptr<Dialer>(const TlsClient&)> dialer_over_tls;
  std::size_t count = 0;            ///< of all there ever were
  std::size_t given_up = 0;         ///< of those, by whoever wanted them
  std::vector<std::string> abouts;  ///< of each job
  std::optional<Executor> full;     ///< accepts nothing more
  bool has_no_memory = false;       ///< for another job
  static constexpr std::size_t usual = 4;
  std::size_t most = usual;  ///< the number of threads that it claims to have

 private:
  class Handle final : public server::Attempt {
   public:
    Handle(TestOutside& outside, std::size_t number) : outside_(outside), number_(number) {}
    ~Handle() override {
      if (outside_.over_) return;
      outside_.given_up += std::erase_if(outside_.attempts, [this](const auto& each) { return each.number == number_; });
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

   private:
    TestOutside& outside_;
    std::size_t number_;
  };

  bool over_ = false;
  const base::Time* now_ = nullptr;
  std::uint64_t turn_ = 1;
  std::deque<std::pair<std::function<void()>, std::function<void()>>> jobs_;
  std::vector<std::function<void()>> turn_end_;
};

}  // namespace wharf::server
