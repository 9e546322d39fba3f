#pragma once
#include <string>
#include <utility>

#include "http/exchange.h"

namespace wharf::server {

/// The response that names another place (RFC 9110 section 15.4).
inline session::Response moved(int status, std::string location) {
  session::Response response = session::text_response(status, "It is at another place: " + location);
  response.fields.emplace_back("Location", std::move(location));
  return response;
}

}  // namespace wharf::server
