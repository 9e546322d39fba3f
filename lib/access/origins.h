#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace wharf::server {

/// The pages from which a browser may send requests, by Origin (RFC 6454). It keeps other people's pages out, not other people: a
/// client that is no browser can send any Origin.
class AllowedOrigins {
 public:
  /// How a request came in. Plain may still mean that TLS ended in front of this server.
  enum class Transport : std::uint8_t { plain, tls };

  /// Entries in which check() finds no fault; others match nothing. No entries at all: everything is allowed.
  explicit AllowedOrigins(const std::vector<std::string>& entries);

  /// An empty text, or what is wrong with an entry, in one line. An entry is an origin like https://example.com or
  /// http://example.com:8080, in any case; `same-origin`, which stands for a page of the host that the request is for; `null`, the
  /// origin of pages without one, such as files and sandboxes; or `file://`, which some embedded browsers send for files. These two
  /// stand for nobody in particular: any page can make a sandbox whose origin is `null`.
  static std::string check(const std::string& entry);

  /// `origin` is the value of the only one of `origin_fields` fields, `host` that of Host or :authority. Without the field it is no
  /// browser, or a request for the page's own host: allowed. Repeated or not exactly one origin: refused.
  [[nodiscard]] bool allows(std::string_view origin, std::size_t origin_fields, std::string_view host, Transport transport) const;
  /// If a trusted front says which scheme and host it was asked for, these count.
  [[nodiscard]] bool allows(const session::Exchange& exchange) const;

 private:
  std::vector<std::string> origins_;  // serialised as in RFC 6454 section 6.2, or null
  bool all_;
  bool same_origin_ = false;
};

}  // namespace wharf::server
