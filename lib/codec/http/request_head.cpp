#include "codec/http/request_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "codec/http/target.h"

namespace wharf::codec {
namespace {

constexpr std::size_t longest_method = 32;
constexpr std::size_t largest_head = 0x7FFFFFFF;  // offsets are 32 bits wide
constexpr std::string_view version_pattern = "HTTP/0.0";

constexpr std::string_view bare_line_feed = "A line feed stands without a carriage return before it.";
constexpr std::string_view bare_carriage_return = "A carriage return stands without a line feed behind it.";

using CharClass = std::uint8_t;
constexpr CharClass token_char = 1;
constexpr CharClass target_char = 2;
constexpr CharClass value_char = 4;  // VCHAR, obs-text, SP, HTAB (RFC 9110 section 5.5)

constexpr std::array<CharClass, 256> make_classes() {
  std::array<CharClass, 256> classes{};
  for (std::size_t byte = 0; byte < classes.size(); ++byte) {
    CharClass in = 0;
    if (byte < 0x80 && base::is_token_char(static_cast<char>(byte))) in |= token_char;
    if (byte > 0x20 && byte < 0x7F && byte != '#') in |= target_char;
    if ((byte >= 0x20 && byte != 0x7F) || byte == '\t') in |= value_char;
    classes[byte] = in;
  }
  return classes;
}
constexpr std::array<CharClass, 256> classes = make_classes();

/// The first place from `at` on whose byte is not of the class, or the end.
std::size_t scan(std::string_view bytes, std::size_t at, CharClass wanted) {
  const std::size_t end = bytes.size();
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  for (; at + 4 <= end; at += 4) {
    if ((classes[data[at]] & wanted) == 0) return at;
    if ((classes[data[at + 1]] & wanted) == 0) return at + 1;
    if ((classes[data[at + 2]] & wanted) == 0) return at + 2;
    if ((classes[data[at + 3]] & wanted) == 0) return at + 3;
  }
  while (at < end && (classes[data[at]] & wanted) != 0) ++at;
  return at;
}

using Offset = std::uint32_t;

std::string bytes_of(const RequestHead& head) {
  const char* end = head.method.data() + head.method.size();
  const auto reach = [&end](std::string_view view) { end = std::max(end, view.data() + view.size()); };
  reach(head.protocol);
  reach(head.target);
  reach(head.host);
  for (const Field& field : head.fields) {
    reach(field.name);
    reach(field.value);
  }
  return {head.method.data(), end};
}

}  // namespace

std::string_view name_of(HttpVersion version) {
  switch (version) {
    case HttpVersion::http10: return "HTTP/1.0";
    case HttpVersion::http11: return "HTTP/1.1";
    case HttpVersion::http2: return "HTTP/2.0";
  }
  return {};
}

std::string_view RequestHead::field(std::string_view name) const {
  for (const Field& each : fields)
    if (base::equal_ignoring_case(each.name, name)) return each.value;
  return {};
}

std::size_t RequestHead::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(fields.begin(), fields.end(),
                                                [name](const Field& each) { return base::equal_ignoring_case(each.name, name); }));
}

bool RequestHead::has_token(std::string_view name, std::string_view token) const {
  bool found = false;
  for (const Field& each : fields) {
    if (!base::equal_ignoring_case(each.name, name)) continue;
    base::for_each_list_item(each.value, [&](std::string_view item) { found = found || base::equal_ignoring_case(item, token); });
  }
  return found;
}

KeptHead::KeptHead(const RequestHead& head) : bytes_(bytes_of(head)), head_(head) { move_views(head.method.data()); }

KeptHead::KeptHead(RequestHead head, std::string&& bytes) : head_(std::move(head)) {
  const char* const from = bytes.data();
  bytes_ = std::move(bytes);
  move_views(from);
}

/// They pointed into bytes that began at `from`.
void KeptHead::move_views(const char* from) {
  const auto move = [from, to = bytes_.data(), end = from + bytes_.size()](std::string_view& view) {
    const bool is_in = !std::less<>()(view.data(), from) && !std::less<>()(end, view.data());
    if (is_in) view = {to + (view.data() - from), view.size()};  // others are constants
  };
  move(head_.method);
  move(head_.protocol);
  move(head_.target);
  move(head_.path);
  move(head_.query);
  move(head_.host);
  for (Field& field : head_.fields) {
    move(field.name);
    move(field.value);
  }
}

/// Each step takes at least one byte, or changes the phase, or fails; there is a byte for it.
RequestParser::State RequestParser::parse(std::string_view bytes) {
  while (state_ == State::more) {
    if (position_ >= limit_) {
      if (phase_ <= Phase::version) fail(414, "The request line is longer than this server takes.");
      else fail(431, "The request head is larger than this server takes.");
      break;
    }
    if (position_ >= bytes.size()) break;
    const std::string_view part = bytes.substr(0, limit_);
    switch (phase_) {
      case Phase::start:
        phase_ = part[position_] == '\r' ? Phase::empty_line_feed : Phase::method;
        if (phase_ == Phase::empty_line_feed) ++position_;
        break;
      case Phase::method: read_method(part); break;
      case Phase::target: read_target(part); break;
      case Phase::version: read_version(part); break;
      case Phase::request_line_end: read_request_line_end(part[position_]); break;
      case Phase::field_start: start_field(part); break;
      case Phase::field_name: read_field_name(part); break;
      case Phase::before_value:
      case Phase::field_value: read_field_value(part); break;
      case Phase::empty_line_feed:
      case Phase::request_line_feed:
      case Phase::field_line_feed:
      case Phase::last_line_feed: read_line_feed(part); break;
    }
  }
  return state_;
}

void RequestParser::reset() {
  head_.method = head_.target = head_.path = head_.query = head_.host = {};
  head_.version = HttpVersion::http11;
  head_.fields.clear();
  head_.body = BodyFraming::none;
  head_.content_length = 0;
  head_.keep_alive = true;
  error_ = {};
  line_ = position_ = 0;
  field_spans_.clear();
  method_ = target_ = host_ = {};
  state_ = State::more;
  phase_ = Phase::start;
  field_kind_ = FieldKind::other;
  seen_ = {};
  set_limit();
}

/// The latest end of the phase's bytes. Each phase needs at least one byte more to go on.
void RequestParser::set_limit() {
  const std::size_t head = std::min(limits_.head, largest_head);
  limit_ = line_ + (phase_ <= Phase::version ? std::min(limits_.request_line, head) : head);
}

void RequestParser::read_method(std::string_view bytes) {
  const std::size_t too_far = line_ + longest_method + 1;
  position_ = scan(bytes.substr(0, too_far), position_, token_char);
  if (position_ == too_far) return fail(400, "The method is longer than 32 characters.");
  if (position_ == bytes.size()) return;
  if (bytes[position_] != ' ' || position_ == line_)
    return refuse(bytes[position_], "The request line does not start with a method and a space.");
  method_ = {Offset(line_), Offset(position_ - line_)};
  target_.at = Offset(++position_);
  phase_ = Phase::target;
}

void RequestParser::read_target(std::string_view bytes) {
  position_ = scan(bytes, position_, target_char);
  if (position_ == bytes.size()) return;
  if (bytes[position_] != ' ' || position_ == target_.at)
    return refuse(bytes[position_], "The method is not followed by a target, a space and a version.");
  target_.size = Offset(position_ - target_.at);
  ++position_;
  phase_ = Phase::version;
  check_target(bytes);
}

void RequestParser::check_target(std::string_view bytes) {
  const std::string_view method = bytes.substr(method_.at, method_.size);
  const std::string_view target = bytes.substr(target_.at, target_.size);
  if (method == "CONNECT") {
    const std::optional<Authority> authority = split_authority(target);
    if (!authority || authority->port.empty()) fail(400, "CONNECT takes a host and a port as its target.");
  } else if (target == "*") {
    // PRI is the start of HTTP/2 (RFC 9113 section 3.4): its version decides.
    if (method != "OPTIONS" && method != "PRI") fail(400, "The target * goes with OPTIONS only.");
  } else if (target.front() != '/' && !split_authority(target_authority(target))) {
    fail(400, "The target is neither a path nor an http or https URL with a host.");
  }
}

void RequestParser::read_version(std::string_view bytes) {
  const std::size_t start = target_.at + target_.size + 1;
  for (; position_ < bytes.size() && position_ < start + version_pattern.size(); ++position_) {
    const char expected = version_pattern[position_ - start];
    const char found = bytes[position_];
    if (expected == '0' ? !base::is_digit(found) : found != expected)
      return refuse(found, "The target is not followed by one space and an HTTP version.");
  }
  if (position_ < start + version_pattern.size()) return;
  phase_ = Phase::request_line_end;
  set_limit();
}

void RequestParser::read_request_line_end(char found) {
  if (found != '\r') return refuse(found, "The request line does not end after the version.");
  ++position_;
  phase_ = Phase::request_line_feed;
}

void RequestParser::read_line_feed(std::string_view bytes) {
  if (bytes[position_] != '\n') return fail(400, bare_carriage_return);
  ++position_;
  switch (phase_) {
    case Phase::empty_line_feed:
      line_ = position_;
      phase_ = Phase::method;
      return set_limit();
    case Phase::request_line_feed: return end_request_line(bytes);
    case Phase::last_line_feed: return finish(bytes);
    default: phase_ = Phase::field_start; return;
  }
}

void RequestParser::end_request_line(std::string_view bytes) {
  const std::string_view version = bytes.substr(target_.at + target_.size + 1, version_pattern.size());
  if (!version.starts_with("HTTP/1.")) return fail(505, "This server speaks HTTP/1.1 and HTTP/1.0 here.");
  // A higher minor version is read as the highest known one (RFC 9110 section 2.5).
  if (version.ends_with('0')) head_.version = HttpVersion::http10;
  if (bytes.substr(method_.at, method_.size) == "PRI" && bytes.substr(target_.at, target_.size) == "*")
    return fail(400, "The target * goes with OPTIONS only.");
  phase_ = Phase::field_start;
}

void RequestParser::start_field(std::string_view bytes) {
  const char found = bytes[position_];
  if (found == '\r') {
    ++position_;
    phase_ = Phase::last_line_feed;
  } else if (found == ' ' || found == '\t') {
    fail(400, "A field line starts with white space; folded lines are not taken.");
  } else if ((classes[static_cast<unsigned char>(found)] & token_char) == 0) {
    refuse(found, "A field line does not start with a field name.");
  } else if (field_spans_.size() >= limits_.fields) {
    fail(431, "The request has more fields than this server takes.");
  } else {
    field_spans_.push_back({{Offset(position_), 0}, {}});
    phase_ = Phase::field_name;
    read_field_name(bytes);
  }
}

void RequestParser::read_field_name(std::string_view bytes) {
  position_ = scan(bytes, position_, token_char);
  if (position_ == bytes.size()) return;
  const char found = bytes[position_];
  if (found == ' ' || found == '\t') return fail(400, "White space stands before the colon of a field.");
  if (found != ':') return refuse(found, "A field name is not followed by a colon.");
  Span& name = field_spans_.back().name;
  name.size = Offset(position_ - name.at);
  ++position_;
  phase_ = Phase::before_value;
  check_field_name(bytes.substr(name.at, name.size));
}

void RequestParser::read_field_value(std::string_view bytes) {
  Span& value = field_spans_.back().value;
  if (phase_ == Phase::before_value) {
    while (position_ < bytes.size() && (bytes[position_] == ' ' || bytes[position_] == '\t')) ++position_;
    if (position_ == bytes.size()) return;
    value.at = Offset(position_);
    phase_ = Phase::field_value;
  }
  position_ = scan(bytes, position_, value_char);
  if (position_ == bytes.size()) return;
  if (bytes[position_] != '\r') return refuse(bytes[position_], "A field value holds a control character.");
  const std::string_view trimmed = base::trim(bytes.substr(value.at, position_ - value.at));
  value.size = Offset(trimmed.size());
  ++position_;
  phase_ = Phase::field_line_feed;
  if (field_kind_ != FieldKind::other) check_field_value(trimmed);
}

/// Faults that the name alone shows: fields that may not be repeated or stand together.
void RequestParser::check_field_name(std::string_view name) {
  field_kind_ = FieldKind::other;
  if (name.size() == 4 && base::equal_ignoring_case(name, "host")) {
    if (seen_.host) return fail(400, "The request has more than one Host.");
    seen_.host = true;
    field_kind_ = FieldKind::host;
  } else if (name.size() == 10 && base::equal_ignoring_case(name, "connection")) {
    field_kind_ = FieldKind::connection;
  } else if (name.size() == 14 && base::equal_ignoring_case(name, "content-length")) {
    if (head_.body == BodyFraming::length) return fail(400, "The request has more than one Content-Length.");
    if (head_.body == BodyFraming::chunked) return fail(400, "The request has both Content-Length and Transfer-Encoding.");
    head_.body = BodyFraming::length;
    field_kind_ = FieldKind::content_length;
  } else if (name.size() == 17 && base::equal_ignoring_case(name, "transfer-encoding")) {
    if (head_.version == HttpVersion::http10) return fail(400, "HTTP/1.0 has no Transfer-Encoding.");
    if (head_.body == BodyFraming::length) return fail(400, "The request has both Content-Length and Transfer-Encoding.");
    head_.body = BodyFraming::chunked;
    field_kind_ = FieldKind::transfer_encoding;
  }
}

void RequestParser::check_field_value(std::string_view value) {
  switch (field_kind_) {
    case FieldKind::host:
      if (value.empty() && head_.version == HttpVersion::http10) return;
      if (!split_authority(value)) return fail(400, "Host is not a host name or address with an optional port.");
      host_ = field_spans_.back().value;
      return;
    case FieldKind::content_length: return check_content_length(value);
    case FieldKind::transfer_encoding: return check_transfer_encoding(value);
    case FieldKind::connection:
      base::for_each_list_item(value, [this](std::string_view option) {
        if (base::equal_ignoring_case(option, "close")) seen_.close = true;
        if (base::equal_ignoring_case(option, "keep-alive")) seen_.keep_alive = true;
      });
      return;
    case FieldKind::other: return;
  }
}

void RequestParser::check_content_length(std::string_view value) {
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, head_.content_length);
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (error == std::errc::result_out_of_range || (error == std::errc() && head_.content_length > most))
    return fail(400, "Content-Length is larger than any length.");
  if (error != std::errc() || stop != end) fail(400, "Content-Length is not a decimal number.");
}

/// Stricter than RFC 9110 section 5.6.1 asks: an empty list element is no coding.
void RequestParser::check_transfer_encoding(std::string_view value) {
  std::size_t comma = 0;
  do {
    comma = value.find(',');
    const std::string_view coding = base::trim(value.substr(0, comma));
    const std::size_t semicolon = coding.find(';');
    const std::string_view name = base::trim(coding.substr(0, semicolon));
    if (!base::is_token(name)) return fail(400, "Transfer-Encoding is not a list of transfer codings.");
    if (seen_.chunked) return fail(400, "A transfer coding follows chunked.");
    if (!base::equal_ignoring_case(name, "chunked")) seen_.other_coding = true;
    else if (semicolon == std::string_view::npos) seen_.chunked = true;
    else return fail(400, "The transfer coding chunked takes no parameters.");
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
  } while (comma != std::string_view::npos);
}

void RequestParser::finish(std::string_view bytes) {
  if (!seen_.host && head_.version == HttpVersion::http11) return fail(400, "The request has no Host.");
  head_.method = bytes.substr(method_.at, method_.size);
  head_.target = bytes.substr(target_.at, target_.size);
  head_.host = bytes.substr(host_.at, host_.size);
  if (const Target target = cut_target(head_.target); !target.path.empty()) {
    head_.path = target.path;
    head_.query = target.query;
    if (!target.authority.empty() && seen_.host && !base::equal_ignoring_case(target.authority, head_.host))
      return fail(400, "The target names another host than the Host field.");
    if (!target.authority.empty()) head_.host = target.authority;
  }
  if (head_.body == BodyFraming::chunked) {
    if (!seen_.chunked) return fail(400, "The last transfer coding is not chunked.");
    if (seen_.other_coding) return fail(501, "This server takes no transfer coding but chunked.");
  }
  head_.keep_alive = !seen_.close && (head_.version == HttpVersion::http11 || seen_.keep_alive);
  head_.fields.reserve(field_spans_.size());
  for (const auto& [name, value] : field_spans_)
    head_.fields.push_back({bytes.substr(name.at, name.size), bytes.substr(value.at, value.size)});
  state_ = State::done;
}

void RequestParser::fail(int status, std::string_view reason) {
  error_ = {status, reason};
  state_ = State::failed;
}

void RequestParser::refuse(char found, std::string_view reason) { fail(400, found == '\n' ? bare_line_feed : reason); }

}  // namespace wharf::codec
