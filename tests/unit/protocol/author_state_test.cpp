#include "protocol/author_state.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "base/mailbox.h"

namespace {

using namespace wharf;
using session::AuthorState;
using session::Handles;
using session::StateSize;

/// Stands for a session: its size is no multiple of any alignment.
class Thing final : public AuthorState<Thing> {
 public:
  enum class Constructor : std::uint8_t { returns, throws };

  explicit Thing(Handles& handles, Constructor constructor = Constructor::returns) : handles_(handles) {
    if (constructor == Constructor::throws) throw std::runtime_error("no thing");
  }
  ~Thing() { end(); }
  Thing(const Thing&) = delete;
  Thing& operator=(const Thing&) = delete;

  bool make(int status) {
    return make_state(handles_, [&](void*) { return status == 0; });
  }
  void end() {
    end_state(handles_, [this](void* state) { ended_with = state, ++endings; });
  }
  wharf_handle handle() { return take_handle(handles_, this); }
  using AuthorState<Thing>::has_state;

  void* ended_with = nullptr;
  int endings = 0;

 private:
  Handles& handles_;
  [[maybe_unused]] char odd_[3] = {};
};

struct Loop {
  Loop() {
    mailbox.open([] {});
  }

  base::Mailbox mailbox;
  Handles handles{mailbox};

  /// Whether something posted finds the thing.
  bool finds(wharf_handle handle) {
    bool found = false;
    CHECK(Handles::post(handle, [&found](void* thing, void*) { found = thing != nullptr; }));
    mailbox.run();
    return found;
  }
};

}  // namespace

TEST_CASE("author's state: it begins behind the object, aligned, and is zeros") {
  Loop loop;
  const std::unique_ptr<Thing> thing(new (StateSize{1000}) Thing(loop.handles));
  auto* const bytes = static_cast<unsigned char*>(thing->state());
  CHECK(reinterpret_cast<std::uintptr_t>(bytes) % alignof(std::max_align_t) == 0);
  CHECK(bytes >= reinterpret_cast<unsigned char*>(thing.get()) + sizeof(Thing));
  CHECK(std::all_of(bytes, bytes + 1000, [](unsigned char byte) { return byte == 0; }));
}

TEST_CASE("author's state: a constructor that throws leaves nothing behind") {
  Loop loop;
  CHECK_THROWS_AS(std::unique_ptr<Thing>(new (StateSize{64}) Thing(loop.handles, Thing::Constructor::throws)), std::runtime_error);
}

TEST_CASE("author's state: a state that was made is destroyed once") {
  Loop loop;
  const std::unique_ptr<Thing> thing(new (StateSize{8}) Thing(loop.handles));
  CHECK_FALSE(thing->has_state());
  CHECK(thing->make(0));
  CHECK(thing->has_state());
  thing->end();
  thing->end();
  CHECK(thing->endings == 1);
  CHECK(thing->ended_with == thing->state());
}

TEST_CASE("author's state: a state that was never made is not destroyed, and posted tasks do not find it") {
  Loop loop;
  const std::unique_ptr<Thing> thing(new (StateSize{8}) Thing(loop.handles));
  const wharf_handle early = thing->handle();
  CHECK(loop.finds(early));
  CHECK_FALSE(thing->make(1));
  CHECK_FALSE(loop.finds(early));
  thing->end();
  CHECK(thing->endings == 0);
}

TEST_CASE("author's state: a handle finds the thing until its state ends") {
  Loop loop;
  const std::unique_ptr<Thing> thing(new (StateSize{0}) Thing(loop.handles));
  CHECK(thing->make(0));
  const wharf_handle handle = thing->handle();
  CHECK(loop.finds(handle));
  thing->end();
  CHECK_FALSE(loop.finds(handle));
}
