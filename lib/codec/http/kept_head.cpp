#include "codec/http/kept_head.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace wharf::codec {
namespace {

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

}  // namespace wharf::codec
