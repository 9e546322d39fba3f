#include "http/tunnel.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace wharf::session {

std::unique_ptr<Session> Tunnel::to(Link& other, Link& link, base::Time idle, LinkShare share) {
  std::unique_ptr<Tunnel> here(new Tunnel(link, idle));
  std::unique_ptr<Tunnel> there(new Tunnel(other, idle));
  here->other_ = there.get();
  there->other_ = here.get();
  there->share_ = std::move(share);
  other.become(std::move(there));
  return here;
}

Tunnel::Tunnel(Link& link, base::Time idle) : link_(link), idle_(idle), heard_(link.now()) {}

/// Even without ended(), if its link ended before its turn.
Tunnel::~Tunnel() { leave(); }

void Tunnel::ended() { leave(); }

void Tunnel::leave() {
  if (other_ == nullptr) return;
  other_->other_ = nullptr;
  std::exchange(other_, nullptr)->link_.finish();
}

/// Undoes what the session before this one asked of the link's input and time.
void Tunnel::start() {
  link_.set_deadline(idle_ == base::never ? base::never : heard_ + idle_);
  link_.resume_input();
}

std::size_t Tunnel::input(std::span<char> bytes) {
  heard_ = link_.now();
  Link& to = other_->link_;
  const std::string_view text(bytes.data(), bytes.size());
  if (text.size() >= write_through_from) to.write_through({}, text);
  else to.out().append(text);
  to.touch();
  if (to.overfull()) {
    link_.hold_input();
    to.want_room();
  }
  return bytes.size();
}

void Tunnel::end_of_input() {
  input_over_ = true;
  if (other_->input_over_) link_.finish();
  else other_->link_.end_output();
}

void Tunnel::room() { other_->link_.resume_input(); }

void Tunnel::deadline() {
  const base::Time due = std::max(heard_, other_->heard_) + idle_;
  if (due <= link_.now()) link_.finish();
  else link_.set_deadline(due);
}

void Tunnel::shut_down() { link_.finish(); }

}  // namespace wharf::session
