#include "latency.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto pace = std::chrono::microseconds(1'500);

}  // namespace

Prober::Prober(const LoadOptions& options, std::vector<Opened>&& opened) : ring_(options), opened_(std::move(opened)) {}

Prober::~Prober() {
  for (const Opened& each : opened_) close(each.fd);
}

std::uint64_t Prober::run(Bound bound) {
  const auto end = Clock::now() + std::chrono::duration<double>(bound.seconds);
  times_.clear();
  std::uint64_t done = 0;
  for (auto next = Clock::now(); done < bound.messages && next < end && errors_ == 0; next = std::max(next + pace, Clock::now())) {
    std::this_thread::sleep_until(next);
    const auto before = Clock::now();
    if (!probe(opened_[done % opened_.size()])) ++errors_;
    times_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
    ++done;
  }
  std::sort(times_.begin(), times_.end());
  return done;
}

bool Prober::probe(const Opened& opened) {
  std::array<iovec, 2> pieces;
  ring_.pieces(0, ring_.frame_size(), pieces);
  const auto size = static_cast<int>(pieces[0].iov_len);
  const ssize_t sent = opened.tls ? SSL_write(opened.tls.get(), pieces[0].iov_base, size)
                                  : send(opened.fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
  if (sent != size) return std::fprintf(stderr, "load: a message could not be sent\n"), false;
  std::array<char, 64 * 1024> buffer;
  for (std::size_t left = ring_.answer_size(); left > 0;) {
    const std::size_t most = std::min(left, buffer.size());
    const ssize_t count =
        opened.tls ? SSL_read(opened.tls.get(), buffer.data(), static_cast<int>(most)) : recv(opened.fd, buffer.data(), most, 0);
    if (count <= 0) return std::fprintf(stderr, "load: no echo\n"), false;
    left -= static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace bench
