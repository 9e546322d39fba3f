#pragma once
#include <memory>

namespace wharf::session {

/// Something that lasts as long as a link, such as a place among the connections of its client. Destroyed on the link's thread.
class Belonging {
 public:
  Belonging() = default;
  Belonging(const Belonging&) = delete;
  Belonging& operator=(const Belonging&) = delete;
  virtual ~Belonging() = default;

  std::unique_ptr<Belonging> next{};  ///< of the link, which keeps them in a list that is threaded through them
};

}  // namespace wharf::session
