#include "access/request_limit.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "link/belonging.h"
#include "link/link.h"

namespace wharf::server {
namespace {

constexpr double highest_rate = 1e6;
constexpr base::Time shortest_wait = std::chrono::seconds(1);

void refuse(session::Exchange& exchange, int status, std::string_view line, base::Time wait) {
  session::Response response = session::text_response(status, line);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(std::max(wait, shortest_wait)).count();
  response.fields.emplace_back("Retry-After", std::to_string(seconds));
  exchange.respond(std::move(response));
}

}  // namespace

std::string RequestLimit::check(const RequestRate& rate) {
  if (!(rate.per_second >= 0 && rate.per_second <= highest_rate)) return "a rate of requests is from 0 to 1,000,000 a second";
  return rate.burst != 0 && rate.per_second == 0 ? "a burst of requests needs a rate, too" : std::string();
}

/// A front that says nothing of its client, and a unix socket, stand for many.
bool RequestLimit::admits(session::Exchange& exchange) {
  const base::PeerAddress& client = exchange.client();
  using Family = base::PeerAddress::Family;
  if (client.family() != Family::ipv4 && client.family() != Family::ipv6) return true;
  if (exchange.forwarding() != nullptr && client == exchange.peer().address) return true;
  const base::Time wait = table_.take(client, exchange.now());
  if (wait == base::Time{0}) return true;
  log_.info(base::LogKind("clients that send requests too fast"), "the client at ", client.host(), " sends requests faster than ",
            place_, " allows: one was refused with 429");
  refuse(exchange, 429, "Too many requests came from this address.", wait);
  return false;
}

class HostLoad::Place final : public session::Belonging {
 public:
  explicit Place(std::shared_ptr<HostLoad> load) : load_(std::move(load)) {}
  ~Place() override { --load_->taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::shared_ptr<HostLoad> load_;
};

class HostLoad::Seat final : public session::ExchangeObserver {
 public:
  Seat(std::unique_ptr<session::Belonging> place, const HostLoad* load) : place_(std::move(place)), load_(load) {}

  void ended(const session::ExchangeEnd& /*end*/) override { place_.reset(); }
  void switched(session::Link& carrier) noexcept override { carrier.attach(std::move(place_)); }
  [[nodiscard]] const void* owner() const override { return load_; }

 private:
  std::unique_ptr<session::Belonging> place_;
  const HostLoad* load_;
};

bool HostLoad::admits(const std::shared_ptr<HostLoad>& load, session::Exchange& exchange) {
  if (load->taken_.fetch_add(1) < load->most_) {
    std::unique_ptr<session::Belonging> place;
    try {
      place = std::make_unique<Place>(load);
    } catch (...) {
      --load->taken_;
      throw;
    }
    exchange.observe(std::make_unique<Seat>(std::move(place), load.get()));
    return true;
  }
  --load->taken_;
  load->log_.info(base::LogKind("virtual hosts without room"), load->host_, " has ", load->most_,
                  " requests and WebSockets at once: one more was refused with 503");
  refuse(exchange, 503, "This host has too many requests at once.", shortest_wait);
  return false;
}

}  // namespace wharf::server
