#pragma once
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace plugins {

/// A list of the visitors on all loops of the process. All of them hear of its changes. Safe from any thread.
class Attendance {
 public:
  using Text = std::shared_ptr<const std::string>;

  struct Visitor {
    std::string entry;           ///< an object of JSON
    std::function<void()> call;  ///< makes the visitor come soon, on its own loop
    bool called = false;         ///< `call` was made, and the visitor has not come yet
  };
  using Place = std::list<Visitor>::iterator;

  Place enter(Visitor visitor) {
    const std::lock_guard lock(mutex_);
    const Place place = visitors_.insert(visitors_.end(), std::move(visitor));
    change();
    return place;
  }
  void leave(Place place) {
    const std::lock_guard lock(mutex_);
    visitors_.erase(place);
    change();
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return visitors_.size();
  }

  /// The present list: a count and the entries, like `"wsi":"2","conns":[{...},{...}]`. A change from here on calls the
  /// visitor again.
  Text answer(Place place) {
    const std::lock_guard lock(mutex_);
    place->called = false;
    if (text_ == nullptr) text_ = std::make_shared<const std::string>(list());
    return text_;
  }

 private:
  void change() {
    text_ = nullptr;
    for (Visitor& visitor : visitors_)
      if (!std::exchange(visitor.called, true)) visitor.call();
  }
  [[nodiscard]] std::string list() const {
    std::string text = "\"wsi\":\"" + std::to_string(visitors_.size()) + "\",\"conns\":[";
    for (const Visitor& visitor : visitors_) (text += &visitor == &visitors_.front() ? "" : ",") += visitor.entry;
    return text += "]";
  }

  mutable std::mutex mutex_;
  std::list<Visitor> visitors_;
  Text text_;  // nullptr: the list has changed since
};

}  // namespace plugins
