#pragma once
#include <cstddef>
#include <string_view>

#include "codec/http/request_head.h"
#include "files/representation.h"
#include "http/exchange.h"

namespace wharf::server {

/// The fields of a request that matter to files, found in one pass.
struct FileRequest {
  explicit FileRequest(const codec::RequestHead& head);

  bool is_conditional = false;       ///< it has one of the If- fields, or Range
  std::string_view accept_encoding;  ///< of the first line of that name
  std::size_t accept_encodings = 0;  ///< lines of that name
};

/// Responds to GET and HEAD with 200, 206, 304, 412 or 416 (RFC 9110 sections 13 and 14). The representation is ready. Several
/// ranges of one in a content coding are ignored: multipart/byteranges cannot name the coding.
void answer_with_file(session::Exchange& exchange, const FileRequest& request, const Representation& representation);

/// The whole of it: 200.
void answer_with_whole_file(session::Exchange& exchange, const Representation& representation);

/// Responds with 304 or 412 if the request's conditions say so; the representation need not be ready. False: they do not.
bool answer_conditions(session::Exchange& exchange, const FileRequest& request, const Representation& representation);

/// The same for a representation without validators, such as one that is made anew for each response.
bool answer_conditions(session::Exchange& exchange);

}  // namespace wharf::server
