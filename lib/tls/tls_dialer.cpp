#include "tls/tls_dialer.h"

#include <utility>

#include "base/log.h"

namespace wharf::tls {

/// One attempt. It belongs to the calls that are still to come: first those of the dialer below, then those of the link. So it is gone
/// when neither can come any more.
class TlsDialer::Dial final {
 public:
  Dial(session::SessionMaker connected, std::function<void(std::string_view)> failed)
      : connected_(std::move(connected)), failed_(std::move(failed)) {}

  /// The stages.
  void dials(std::unique_ptr<server::Attempt> below) { below_ = std::move(below); }
  void shakes_hands(session::Link& link) { link_ = &link; }
  void fail(std::string_view why) {
    link_ = nullptr;
    if (const auto failed = std::exchange(failed_, nullptr)) failed(why);
  }
  std::unique_ptr<session::Session> begin(session::Link& link) {
    link_ = nullptr;
    try {
      return connected_(link);
    } catch (...) {
      fail("no memory");
      throw;
    }
  }

  /// Nobody is to be called any more.
  void give_up() {
    failed_ = nullptr;
    below_.reset();
    if (link_ != nullptr) std::exchange(link_, nullptr)->abort();
  }

 private:
  session::SessionMaker connected_;
  std::function<void(std::string_view)> failed_;
  std::unique_ptr<server::Attempt> below_;
  session::Link* link_ = nullptr;  // in the handshake
};

class TlsDialer::Handle final : public server::Attempt {
 public:
  explicit Handle(std::weak_ptr<Dial> dial) : dial_(std::move(dial)) {}
  ~Handle() override {
    if (const auto dial = dial_.lock()) dial->give_up();
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  std::weak_ptr<Dial> dial_;
};

std::unique_ptr<server::Attempt> TlsDialer::connect(const base::Endpoint& to, base::Time limit, session::SessionMaker connected,
                                                    std::function<void(std::string_view)> failed) {
  auto dial = std::make_shared<Dial>(std::move(connected), std::move(failed));
  auto handle = std::make_unique<Handle>(dial);
  const base::Time now = outside_.now();
  const base::Time until = limit < base::never - now ? now + limit : base::never;
  dial->dials(outside_.connect(
      to, limit, [this, until, dial](session::Link& below) { return shake_hands(below, until, dial); },
      [dial](std::string_view why) { dial->fail(why); }));
  return handle;
}

/// What the link keeps does not need this: an attempt that was given up may end after it.
std::unique_ptr<session::Session> TlsDialer::shake_hands(session::Link& below, base::Time until,
                                                         const std::shared_ptr<Dial>& dial) const {
  const std::shared_ptr<const NamedContexts> contexts = contexts_->get();
  auto link = std::make_unique<TlsLink>(
      below, contexts->own(), parts_, [dial, contexts](session::Link& above) { return dial->begin(above); }, server_name_,
      [dial](std::string_view why) { dial->fail(base::concat("no TLS, ", why)); });
  link->finish_handshake_by(until);
  dial->shakes_hands(below);
  return link;
}

}  // namespace wharf::tls
