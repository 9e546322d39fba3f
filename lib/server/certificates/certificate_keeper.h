#pragma once
#include <memory>

#include "base/clock.h"
#include "io/executor.h"
#include "io/loop.h"
#include "server/certificates/certificates.h"

namespace wharf::server {

/// Looks after the certificates while the server runs: reads their files again when it is told, or when they have changed, and warns
/// once a day. Everything on the thread of one loop, which outlives it; files are read by the executor.
class CertificateKeeper final : public io::Timed, public std::enable_shared_from_this<CertificateKeeper> {
 public:
  /// What is lent outlives this.
  CertificateKeeper(io::Loop& loop, io::Executor& files, Certificates& certificates);

  /// Begins; once.
  void begin();
  /// Reads all files again, soon.
  void reload();

  static constexpr base::Time day = std::chrono::hours(24);
  static constexpr base::Time shortest_watch{100};

 private:
  enum class Stage : std::uint8_t {
    waiting,
    reading,
    reading_to_read_again  // it was told so meanwhile
  };

  void on_timer() override;
  void read(Certificates::Cause cause);
  void was_read(Certificates::Reading& reading, Certificates::Cause cause);
  void set_timer();

  io::Loop& loop_;
  io::Executor& files_;
  Certificates& certificates_;
  base::Time period_;  // of looks at files; 0: none
  base::Time next_warning_{0};
  Stage stage_ = Stage::waiting;
};

}  // namespace wharf::server
