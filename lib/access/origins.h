#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace wharf::server {

/// From which pages a browser may send requests, by what it says in Origin (RFC 6454). It keeps other people's pages out, not other
/// people: what is no browser sends what it likes.
class AllowedOrigins {
 public:
  /// How a request came in. Plain may still mean that TLS ended in front of this server.
  enum class Transport : std::uint8_t { plain, tls };

  /// Entries that check() finds no fault with; others match nothing. No entries at all: everything is allowed.
  explicit AllowedOrigins(const std::vector<std::string>& entries);

  /// An empty text, or what is wrong with an entry, in one line. An entry is an origin like https://example.com or
  /// http://example.com:8080, in any case; `same-origin`, which stands for a page of the host that the request is for; `null`, which is
  /// what pages without an origin have: of files, of sandboxes; or `file://`, which some embedded browsers send for files. Those two stand
  /// for nobody in particular: any page in a sandbox of its own making has the first.
  static std::string check(const std::string& entry);

  /// `origin` is the value of the only one of `origin_fields` fields, `host` that of Host or :authority. Without the field it was no
  /// browser, or one that asks for something of its own page: allowed. Repeated or not exactly one origin: refused.
  [[nodiscard]] bool allows(std::string_view origin, std::size_t origin_fields, std::string_view host, Transport transport) const;
  /// Where fronts that are trusted say how they were asked, that counts.
  [[nodiscard]] bool allows(const session::Exchange& exchange) const;

 private:
  std::vector<std::string> origins_;  // serialised as RFC 6454 section 6.2 has it, or null
  bool all_;
  bool same_origin_ = false;
};

}  // namespace wharf::server
