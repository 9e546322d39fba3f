#include "protocol/raw.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/peer_address.h"
#include "http/tunnel.h"
#include "protocol/services.h"

namespace wharf::session {

std::unique_ptr<Session> Raw::open(Link& link, Protocol& protocol, const wharf_raw& raw, void* argument) {
  std::unique_ptr<Raw> session(new (StateSize{raw.state_size}) Raw(link, protocol, raw));
  const wharf_raw& row = session->raw_;
  const bool made = session->make_state(
      protocol.home.handles, [&](void* state) { return row.open == nullptr || row.open(state, session.get(), argument) == 0; });
  if (made) {
    add(protocol.counts->opened);
    add(protocol.counts->open);
  } else {
    link.abort();
  }
  return session;
}

Raw::Raw(Link& link, Protocol& protocol, const wharf_raw& raw)
    : wharf_pipe{&service_table()}, link_(link), protocol_(protocol), heard_(link.now()) {
  std::memcpy(&raw_, &raw, std::min(raw.size, sizeof(raw_)));
  link_.resume_input();  // it was held for a response that came late
  set_timer();
  arrive(*protocol.guests);
}

Raw::~Raw() {
  destroy_state();
  depart(*protocol_.guests);
}

void Raw::ended() { destroy_state(); }

void Raw::destroy_state() {
  end_state(protocol_.home.handles, [this](void* state) {
    add(protocol_.counts->open, std::uint64_t{0} - 1);
    if (raw_.closing != nullptr) raw_.closing(state);
    if (raw_.destroy != nullptr) raw_.destroy(state);
  });
}

// ---- Input ----

std::size_t Raw::input(std::span<char> bytes) {
  if (holds_input()) return 0;
  heard_ = link_.now();
  if (raw_.data != nullptr) raw_.data(state(), bytes.data(), bytes.size());
  return bytes.size();
}

void Raw::end_of_input() {
  marks_.add(Mark::input_over);
  if (marks_.has(Mark::forwarding)) return;  // the next session is told
  if (raw_.ended == nullptr || marks_.has(Mark::output_over)) return link_.finish();
  raw_.ended(state());
}

void Raw::pause() {
  marks_.add(Mark::paused);
  update_input();
}

void Raw::resume() {
  marks_.remove(Mark::paused);
  update_input();
}

void Raw::update_input() {
  if (holds_input()) link_.hold_input();
  else link_.resume_input();
}

// ---- Output ----

wharf_flow Raw::write(std::string_view bytes) {
  if (marks_.has_any(Mark::output_over, Mark::forwarding) || link_.ending()) return WHARF_CLOSED;
  if (link_.beyond_cap()) {
    protocol_.home.log.warn(base::LogKind("connections that were cut"), link_.address(), ": cut, ", link_.out().size(),
                            " bytes were queued on a pipe already when there was more to send, as the peer does not read as fast; "
                            "the cap is ",
                            link_.limits().hard_cap);
    link_.abort();
    return WHARF_CLOSED;
  }
  heard_ = link_.now();
  link_.out().append(bytes);
  link_.touch();
  if (!link_.overfull()) return WHARF_GO;
  marks_.add(Mark::overfull);
  update_input();
  link_.want_room();
  return WHARF_HOLD;
}

void Raw::end_output() {
  if (marks_.has_any(Mark::output_over, Mark::forwarding)) return;
  marks_.add(Mark::output_over);
  if (marks_.has(Mark::input_over)) link_.finish();
  else link_.end_output();
}

void Raw::room() {
  if (!marks_.take(Mark::overfull)) return;
  update_input();
  if (raw_.drained != nullptr && !marks_.has(Mark::forwarding)) raw_.drained(state());
}

void Raw::shut_down() { link_.finish(); }

// ---- Time ----

void Raw::tick_every(base::Time period) {
  tick_period_ = period;
  tick_due_ = period > base::Time{0} ? link_.now() + period : base::never;
  set_timer();
}

void Raw::set_timer() {
  if (marks_.has(Mark::forwarding)) return link_.set_deadline(base::never);  // the making of the connection has its own
  const base::Time idle = protocol_.limits.pipe_idle;
  link_.set_deadline(std::min(tick_due_, idle == base::never ? base::never : heard_ + idle));
}

void Raw::deadline() {
  const base::Time now = link_.now();
  const base::Time idle = protocol_.limits.pipe_idle;
  if (idle != base::never && heard_ + idle <= now) {
    protocol_.home.log.info(base::LogKind("idle pipes"), link_.address(), ": a pipe is closed that was idle for ", idle.count(),
                            " ms");
    return link_.finish();
  }
  if (tick_due_ <= now) {
    tick_due_ = now + tick_period_;
    if (raw_.tick != nullptr) raw_.tick(state());
  }
  set_timer();
}

// ---- To another server ----

namespace {

/// nullopt if it is none.
std::optional<base::Endpoint> endpoint_of(std::string_view to) {
  constexpr std::string_view unix_scheme = "unix:";
  if (to.starts_with(unix_scheme)) {
    const std::string_view path = to.substr(unix_scheme.size());
    if (!(path.starts_with('/') || path.starts_with('@')) || !base::fault_of_socket_path(path).empty()) return std::nullopt;
    return base::Endpoint{{}, {}, std::string(path)};
  }
  const auto parts = base::split_host_and_port(to);
  if (!parts || parts->bare_host().empty() || !parts->port || parts->port->empty()) return std::nullopt;
  return base::Endpoint{std::string(parts->bare_host()), std::string(*parts->port)};
}

}  // namespace

bool Raw::forward(std::string_view to, std::string_view first, base::Time within) {
  const auto endpoint = endpoint_of(to);
  server::Outside* const outside = protocol_.home.outside;
  if (!endpoint || outside == nullptr || link_.ending() || marks_.has_any(Mark::output_over, Mark::forwarding)) return false;
  attempt_ = outside->connect(
      *endpoint, within, [this, bytes = std::string(first)](Link& other) { return join(other, bytes); },
      [this, name = std::string(to)](std::string_view why) { not_reached(name, why); });
  marks_.add(Mark::forwarding);
  update_input();
  set_timer();
  return true;
}

/// Both links become a tunnel, and this session ends.
std::unique_ptr<Session> Raw::join(Link& other, const std::string& first) {
  other.out().append(first);
  return Tunnel::to(link_, other, protocol_.limits.pipe_idle);
}

void Raw::not_reached(std::string_view to, std::string_view why) {
  protocol_.home.log.error(base::LogKind("servers that raw connections go to"), link_.address(), ": closed, '", to,
                           "' could not be reached: ", why);
  link_.finish();
}

std::string_view Raw::address() const {
  if (address_.empty()) address_ = link_.address();
  return address_;
}

wharf_handle Raw::handle() { return take_handle(protocol_.home.handles, static_cast<wharf_pipe*>(this)); }

}  // namespace wharf::session
