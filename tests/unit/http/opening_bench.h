#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "link/memory_link.h"

namespace wharf::test {

/// A link in memory whose first session becomes one that writes down what it gets.
struct OpeningBench {
  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    link.run();
  }
  session::SessionMaker maker(std::string name) {
    return [this, name](session::Link& /*link*/) {
      begun.push_back(name);
      return std::make_unique<Behind>(*this);
    };
  }

  base::ChunkPool pool;
  session::OutputLimits limits;
  base::Time now{1'000'000};
  std::vector<std::string> log_lines;
  base::Log log{base::LogLevel::debug,
                [this](base::LogLevel, std::string_view text) { log_lines.emplace_back(text); },
                {.peers = 0, .program = 0, .now = {}}};
  std::vector<std::string> begun;  // the sessions behind the first
  std::string got;
  int ends = 0;
  session::MemoryLink link{pool, limits, now};

 private:
  class Behind final : public session::Session {
   public:
    explicit Behind(OpeningBench& bench) : bench_(bench) {}
    void start() override { bench_.link.set_deadline(base::never); }
    std::size_t input(std::span<char> bytes) override {
      bench_.got.append(bytes.data(), bytes.size());
      return bytes.size();
    }
    void end_of_input() override { ++bench_.ends; }
    void shut_down() override { bench_.link.finish(); }

   private:
    OpeningBench& bench_;
  };
};

}  // namespace wharf::test
