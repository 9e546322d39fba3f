#include "io/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <new>
#include <utility>

#include "base/sheltered.h"

namespace wharf::io {
namespace {

constexpr base::Time shortest_attempt{250};
constexpr base::Time unix_retry{10};  // a unix socket with a full backlog refuses at once, and does not say when it has room

/// The system accepts any number as a port, and uses 16 bits of it.
bool can_be_port(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return false;
  const bool is_number = !text.empty() && end == text.data() + text.size();
  return is_number ? number > 0 && number < 65536 : !text.empty();
}

/// `status` is libuv's, which is -errno if there is one.
std::string in_words(int status) {
  switch (status) {
    case UV_ETIMEDOUT: return "timed out";
    case UV_ENOENT: return "no such socket";
    default: return uv_strerror(status);
  }
}

bool is_writable(int socket) {
  pollfd waiting{socket, POLLOUT, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

}  // namespace

/// What the one who asked has of it.
class Connector::Handle final : public server::Attempt {
 public:
  Handle() = default;
  ~Handle() override {
    if (connector_ != nullptr) connector_->cancel();
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  void hold(Connector& connector) {
    connector_ = &connector;
    connector.handle_ = this;
  }
  void let_go() { connector_ = nullptr; }

 private:
  Connector* connector_ = nullptr;  // nullptr: it has gone
};

std::unique_ptr<server::Attempt> Connector::start(Loop& loop, Resolver& resolver, const base::Endpoint& target, base::Time limit,
                                                  session::SessionMaker connected, Failed failed) {
  return begin(loop, limit, std::move(connected), std::move(failed),
               [&](Connector& connector) { connector.find_addresses(resolver, target); });
}

std::unique_ptr<server::Attempt> Connector::start(Loop& loop, std::vector<Address> addresses, base::Time limit,
                                                  session::SessionMaker connected, Failed failed) {
  return begin(loop, limit, std::move(connected), std::move(failed), [&](Connector& connector) {
    connector.addresses_ = std::move(addresses);
    connector.attempt();
  });
}

/// If there is no memory to begin, the caller gets the exception, and nothing stays under way.
template <class Call>
std::unique_ptr<server::Attempt> Connector::begin(Loop& loop, base::Time limit, session::SessionMaker connected, Failed failed,
                                                  Call&& call) {
  if (loop.ended()) return nullptr;
  auto handle = std::make_unique<Handle>();
  auto* connector = new Connector(loop, limit, std::move(connected), std::move(failed));
  handle->hold(*connector);
  call(*connector);
  return handle;
}

/// If there is no memory to go on, the asker is told. Exceptions of the asker are not handled here.
template <class Call>
void Connector::go_on(Call&& call) {
  bool gone = false;
  gone_ = &gone;
  try {
    call();
    if (!gone) gone_ = nullptr;
  } catch (...) {
    if (gone) throw;
    gone_ = nullptr;
    failure_ = "no memory";  // short enough to need none
    report_failure();
  }
}

Connector::~Connector() {
  if (gone_ != nullptr) *gone_ = true;
  if (handle_ != nullptr) handle_->let_go();
}

Connector::Connector(Loop& loop, base::Time limit, session::SessionMaker connected, Failed failed)
    : Pending(loop),
      connected_(std::move(connected)),
      failed_(std::move(failed)),
      deadline_(limit < base::never - loop.now() ? loop.now() + limit : base::never) {}

// ---- The name ----

void Connector::find_addresses(Resolver& resolver, const base::Endpoint& target) {
  if (!target.path.empty()) {
    const auto address = unix_address(target.path);
    if (!address) return fail_soon(address.error());
    addresses_.push_back(*address);
    return attempt();
  }
  if (target.host.empty()) return fail_soon("no such host");
  if (!can_be_port(target.port)) return fail_soon("no such port");
  if (Found found = take_as_numbers(target.host, target.port); found.failure.empty()) {
    addresses_ = std::move(found.addresses);
    return attempt();
  }
  known_ = resolver.known(target);
  if (known_ && resolver.is_fresh(*known_)) return use_known();
  const auto found = [this, &resolver, target](const Found& what) {
    if (auto known = resolver.known(target)) known_ = std::move(known);
    go_on([&] { looked_up(what); });
  };
  const bool asked = resolver.look_up(query_, target, found);
  if (!asked && known_) return use_known();
  if (!asked) return fail_soon("too many names are being looked up");
  loop_.wheel().set(*this, known_ ? std::min(deadline_, loop_.now() + Resolver::patience) : deadline_);
}

void Connector::use_known() {
  query_.forget();
  addresses_ = known_->addresses;
  attempt();
}

void Connector::looked_up(const Found& found) {
  if (found.for_now && known_) return use_known();
  if (!found.failure.empty()) {
    failure_ = found.failure;
    return report_failure();
  }
  addresses_ = found.addresses;
  attempt();
}

// ---- The addresses ----

void Connector::attempt() {
  for (; next_ < addresses_.size(); ++next_) {
    const int status = begin_attempt(addresses_[next_]);
    if (status == 0) return loop_.wheel().set(*this, end_of_attempt());
    if (status == -EAGAIN && addresses_[next_].storage.ss_family == AF_UNIX)
      return loop_.wheel().set(*this, std::min(deadline_, loop_.now() + unix_retry));
    last_reason_ = in_words(status);
  }
  fail_soon(last_reason_.empty() ? std::string("no such host") : last_reason_);
}

/// Returns 0 or -errno. An immediate connect is reported by writability too.
int Connector::begin_attempt(const Address& address) {
  socket_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return -errno;
  const int on = 1;
  if (address.storage.ss_family != AF_UNIX) {
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    keep_alive(socket_, loop_.limits().keep_alive);
  }
  int status = ::connect(socket_, address.get(), address.size) == 0 || errno == EINPROGRESS || errno == EINTR ? 0 : -errno;
  if (status == 0) {
    poll_ = new (std::nothrow) uv_poll_t;
    status = poll_ != nullptr ? uv_poll_init(loop_.uv(), poll_, socket_) : UV_ENOMEM;
    if (status != 0) delete std::exchange(poll_, nullptr);
    else poll_->data = this;
  }
  if (status != 0) drop_attempt();
  else
    uv_poll_start(poll_, UV_WRITABLE, [](uv_poll_t* poll, int, int) {
      auto* connector = static_cast<Connector*>(poll->data);
      base::Log& log = connector->loop_.log();  // the connector may be destroyed within the call
      base::sheltered(log, "a connection of our own", [connector] { connector->go_on([connector] { connector->on_ready(); }); });
    });
  return status;
}

base::Time Connector::end_of_attempt() const {
  if (deadline_ == base::never) return base::never;
  const base::Time left = std::max(deadline_ - loop_.now(), base::Time{0});
  const base::Time share = left / static_cast<base::Time::rep>(addresses_.size() - next_);
  return loop_.now() + std::min(left, std::max(share, shortest_attempt));
}

void Connector::on_ready() {
  loop_.look_at_clock();
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) {
    last_reason_ = in_words(-error);
    drop_attempt();
    ++next_;
    return attempt();
  }
  Loop& loop = loop_;
  loop.close_and_free(std::exchange(poll_, nullptr));
  const int socket = std::exchange(socket_, -1);
  const session::SessionMaker connected = std::move(connected_);
  const Failed failed = std::move(failed_);
  const base::PeerAddress target = peer_address(addresses_[next_]);
  finished();
  if (!Connection::adopt(loop, socket, connected, Connection::Origin::outgoing, target))
    failed("the system refuses to watch the connection");
}

void Connector::drop_attempt() {
  if (poll_ != nullptr) loop_.close_and_free(std::exchange(poll_, nullptr));
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

// ---- The end ----

void Connector::on_timer() {
  go_on([this] { time_has_come(); });
}

void Connector::time_has_come() {
  if (socket_ >= 0 && is_writable(socket_)) return on_ready();  // the loop was late, not the peer
  if (failure_.empty() && deadline_ <= loop_.now()) failure_ = "timed out";
  if (!failure_.empty()) return report_failure();
  if (addresses_.empty() && known_) return use_known();
  if (socket_ >= 0) {
    last_reason_ = "timed out";
    drop_attempt();
    ++next_;
  }
  attempt();
}

void Connector::cancel() {
  loop_.wheel().cancel(*this);
  drop_attempt();
  finished();
}

void Connector::fail_soon(std::string reason) {
  failure_ = std::move(reason);
  loop_.wheel().set(*this, loop_.now());
}

void Connector::report_failure() {
  const Failed failed = std::move(failed_);
  const std::string reason = std::move(failure_);
  if (known_ && !addresses_.empty()) known_->doubtful = true;
  cancel();
  failed(reason);
}

}  // namespace wharf::io
