#pragma once
#include <string>

#include "codec/http/request_head.h"

namespace wharf::codec {

/// A request head with its own copy of the bytes that its views point into, because those that it was parsed from are lent.
class KeptHead {
 public:
  /// Copies the bytes that the head's views point into, which lie in one piece from the method on.
  explicit KeptHead(const RequestHead& head);
  /// `bytes` are those that the head was parsed from.
  KeptHead(RequestHead head, std::string&& bytes);
  ~KeptHead() = default;
  KeptHead(const KeptHead&) = delete;
  KeptHead& operator=(const KeptHead&) = delete;

  [[nodiscard]] const RequestHead& head() const { return head_; }

 private:
  void move_views(const char* from);

  std::string bytes_;
  RequestHead head_;
};

}  // namespace wharf::codec
