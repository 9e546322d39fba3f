#include "server/certificates/certificate_keeper.h"

#include <algorithm>
#include <utility>

#include "io/work.h"

namespace wharf::server {

CertificateKeeper::CertificateKeeper(io::Loop& loop, io::Executor& files, Certificates& certificates)
    : loop_(loop), files_(files), certificates_(certificates), period_(certificates.watch_period()) {
  if (period_ > base::Time{0}) period_ = std::clamp(period_, shortest_watch, day);
}

void CertificateKeeper::begin() {
  next_warning_ = loop_.now() + day;
  set_timer();
}

void CertificateKeeper::set_timer() {
  const base::Time look = period_ > base::Time{0} ? loop_.now() + period_ : base::never;
  loop_.wheel().set(*this, std::min(look, next_warning_));
}

void CertificateKeeper::on_timer() {
  if (loop_.now() >= next_warning_) {
    certificates_.warn();
    next_warning_ = loop_.now() + day;
  }
  if (period_ > base::Time{0} && stage_ == Stage::waiting) read(Certificates::Cause::watched);
  set_timer();
}

void CertificateKeeper::reload() {
  if (certificates_.empty()) return;
  if (stage_ == Stage::waiting) read(Certificates::Cause::asked);
  else stage_ = Stage::reading_to_read_again;
}

void CertificateKeeper::read(Certificates::Cause cause) {
  auto reading = certificates_.begin(cause);
  const bool taken = io::work(
      loop_, files_, [reading] { Certificates::read(*reading); },
      [weak = weak_from_this(), reading, cause] {
        if (const auto self = weak.lock()) self->was_read(*reading, cause);
      },
      "certificates");
  if (taken) stage_ = Stage::reading;
  else if (cause == Certificates::Cause::asked)
    loop_.log().error("the certificates in use stay: there is no thread to read the files");
}

void CertificateKeeper::was_read(Certificates::Reading& reading, Certificates::Cause cause) {
  const bool again = std::exchange(stage_, Stage::waiting) == Stage::reading_to_read_again;
  const bool applied = certificates_.apply(reading);
  if (again) read(Certificates::Cause::asked);
  else if (!applied) read(cause);
}

}  // namespace wharf::server
