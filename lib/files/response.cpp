#include "files/response.h"

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "codec/http/conditions.h"
#include "codec/http/multipart_range.h"
#include "codec/http/range.h"
#include "files/body.h"

namespace wharf::server {
namespace {

using codec::ByteRange;
using codec::Condition;
using Held = Representation::Held;

/// Longer content is not copied for a client before it takes it.
constexpr std::size_t copied_up_to = 64 * 1024;

std::string_view part_of(const Representation& representation, const ByteRange& range) {
  return std::string_view(*representation.bytes)
      .substr(static_cast<std::size_t>(range.first), static_cast<std::size_t>(range.size()));
}

void set_body(session::Response& response, const Representation& representation, const ByteRange& range) {
  if (representation.held == Held::bytes) response.content = part_of(representation, range);
  else response.source = std::make_unique<FileRangeBody>(representation.file, range.first, range.size());
}

void answer_one_range(session::Exchange& exchange, session::Response& response, const Representation& representation,
                      const ByteRange& range) {
  response.fields.emplace_back("Content-Range", codec::content_range(range, representation.size()));
  set_body(response, representation, range);
  exchange.respond(std::move(response));
}

void answer_ranges(session::Exchange& exchange, session::Response& response, const Representation& representation,
                   std::vector<ByteRange> ranges) {
  std::optional<std::string> boundary = codec::random_boundary();
  if (!boundary) return answer_with_whole_file(exchange, representation);
  codec::MultipartRanges parts(std::move(*boundary), std::string(representation.type), std::move(ranges), representation.size());
  response.fields.emplace_back("Content-Type", parts.content_type());
  if (representation.held == Held::file) {
    response.source = std::make_unique<MultipartFileBody>(representation.file, std::move(parts));
  } else {
    for (std::size_t part = 0; part < parts.ranges().size(); ++part)
      (response.body += parts.part_head(part)) += part_of(representation, parts.ranges()[part]);
    response.body += parts.closing();
  }
  exchange.respond(std::move(response));
}

void answer_unsatisfiable(session::Exchange& exchange, const Representation& representation) {
  session::Response response = session::text_response(416, "The file has no such bytes.");
  response.fields.emplace_back("Content-Range", codec::unsatisfied_range(representation.size()));
  exchange.respond(std::move(response));
}

/// A client that asks with If-Range has the other fields already (RFC 9110 section 15.3.7).
void answer_partial(session::Exchange& exchange, const codec::ConditionalFields& fields, const Representation& representation) {
  codec::RangeAnswer answer = codec::resolve_ranges(fields.range.first, representation.size());
  if (answer.kind == codec::RangeAnswer::Kind::unsatisfiable) return answer_unsatisfiable(exchange, representation);
  const bool several = answer.ranges.size() > 1;
  if (answer.kind == codec::RangeAnswer::Kind::whole || (several && representation.is_coded()))
    return answer_with_whole_file(exchange, representation);
  session::Response response;
  response.status = 206;
  if (fields.if_range) response.prepared = representation.validator_fields();
  else response.prepared = several ? representation.fields_without_type() : representation.fields;
  if (several) answer_ranges(exchange, response, representation, std::move(answer.ranges));
  else answer_one_range(exchange, response, representation, answer.ranges.front());
}

/// `of_304` are those of a 304.
bool answered_by_conditions(session::Exchange& exchange, const codec::ConditionalFields& fields,
                            const codec::Validators& validators, codec::PreparedFields::Part of_304, std::time_t now) {
  session::Response response;
  switch (codec::evaluate_conditions(exchange.request(), fields, validators, now)) {
    case Condition::proceed: return false;
    case Condition::not_modified:
      response.status = 304;
      response.prepared = of_304;
      break;
    case Condition::precondition_failed:
      response = session::text_response(412, "The file is not what the request's conditions say.");
      break;
  }
  exchange.respond(std::move(response));
  return true;
}

}  // namespace

/// The first letter rules out most fields.
FileRequest::FileRequest(const codec::RequestHead& head) {
  for (const codec::Field& field : head.fields) {
    const char initial = field.name.empty() ? '\0' : base::lower(field.name.front());
    if (initial == 'i') is_conditional = is_conditional || base::equal_ignoring_case(field.name.substr(0, 3), "if-");
    else if (initial == 'r') is_conditional = is_conditional || base::equal_ignoring_case(field.name, "range");
    else if (initial == 'a' && base::equal_ignoring_case(field.name, "accept-encoding") && accept_encodings++ == 0)
      accept_encoding = field.value;
  }
}

void answer_with_file(session::Exchange& exchange, const FileRequest& request, const Representation& representation) {
  if (!request.is_conditional) return answer_with_whole_file(exchange, representation);
  const codec::RequestHead& head = exchange.request();
  const codec::ConditionalFields fields(head);
  const std::time_t now = std::time(nullptr);
  if (answered_by_conditions(exchange, fields, representation.validators(), representation.validator_fields(), now)) return;
  if (!representation.is_made_here() && codec::range_applies(head, fields, representation.validators(), now))
    return answer_partial(exchange, fields, representation);
  answer_with_whole_file(exchange, representation);
}

void answer_with_whole_file(session::Exchange& exchange, const Representation& representation) {
  session::Response response;
  response.prepared = representation.fields;
  if (representation.held == Held::file)
    response.source = std::make_unique<FileRangeBody>(representation.file, 0, representation.size());
  else if (representation.bytes->size() > copied_up_to) response.source = std::make_unique<MemoryBody>(representation.bytes);
  else response.content = *representation.bytes;
  exchange.respond(std::move(response));
}

bool answer_conditions(session::Exchange& exchange, const FileRequest& request, const Representation& representation) {
  return request.is_conditional &&
         answered_by_conditions(exchange, codec::ConditionalFields(exchange.request()), representation.validators(),
                                representation.validator_fields(), std::time(nullptr));
}

bool answer_conditions(session::Exchange& exchange) {
  return answered_by_conditions(exchange, codec::ConditionalFields(exchange.request()), {}, {}, std::time(nullptr));
}

}  // namespace wharf::server
