#pragma once
/// How http.hpp turns classes into the C callbacks of abi_http.h. Nothing here is for authors.

#include <concepts>
#include <cstddef>
#include <new>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "wharf/hidden.hpp"
#include "wharf/http.hpp"

// Authors' classes are aggregates whose further members need no initializer.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace WHARF_HIDDEN wharf {

namespace detail {

/// What an author's class is made from: {Handle, Shared&}, {Handle}, or {}.
template <class T, class Shared, class Handle>
void construct_from(void* state, Shared* shared, Handle handle) {
  if constexpr (requires(Shared & s) { T{handle, s}; }) ::new (state) T{handle, *shared};
  else if constexpr (requires { T{handle}; }) ::new (state) T{handle};
  else ::new (state) T{};
}

// ---- Requests ----

/// Whether T has a member of a name: deriving from T and from a class that has it makes the name ambiguous.
struct ResponderNames {
  int request, body, body_end, drained, tick, closing;
};
template <class T>
struct WithResponderNames : T, ResponderNames {};

#define WHARF_DETAIL_RESPONDER_HAS(name)                                \
  template <class T>                                                    \
  WHARF_HIDDEN inline constexpr bool responder_has_##name = !requires { \
    &WithResponderNames<T>::name;                                       \
  };
WHARF_DETAIL_RESPONDER_HAS(request)
WHARF_DETAIL_RESPONDER_HAS(body)
WHARF_DETAIL_RESPONDER_HAS(body_end)
WHARF_DETAIL_RESPONDER_HAS(drained)
WHARF_DETAIL_RESPONDER_HAS(tick)
WHARF_DETAIL_RESPONDER_HAS(closing)
#undef WHARF_DETAIL_RESPONDER_HAS

template <class T>
concept HasResponder = requires {
  typename T::Responder;
};

template <class R, class Shared>
constexpr void check_responder() {
  static_assert(std::is_class_v<R> && !std::is_final_v<R>, "a Responder is a class that is not final");
  static_assert(alignof(R) <= alignof(std::max_align_t), "a Responder must not be over-aligned");
  static_assert(responder_has_request<R>, "a Responder needs request(); it is: void request()");
  // clang-format off
  static_assert(requires(Exchange e, Shared& s) { R{e, s}; } || requires(Exchange e) { R{e}; } || requires { R{}; },
                "a Responder is made from {wharf::Exchange, Shared&}, from {wharf::Exchange}, or from {}");
  static_assert(!responder_has_request<R> || requires(R r) { r.request(); }, "request has the wrong signature; it is: void request()");
  static_assert(!responder_has_body<R> || requires(R r) { r.body(std::string_view()); },
                "body has the wrong signature; it is: void body(std::string_view piece)");
  static_assert(!responder_has_body_end<R> || requires(R r) { r.body_end(); }, "body_end has the wrong signature; it is: void body_end()");
  static_assert(!responder_has_drained<R> || requires(R r) { r.drained(); }, "drained has the wrong signature; it is: void drained()");
  static_assert(!responder_has_tick<R> || requires(R r) { r.tick(); }, "tick has the wrong signature; it is: void tick()");
  static_assert(!responder_has_closing<R> || requires(R r) { r.closing(true); },
                "closing has the wrong signature; it is: void closing(bool complete)");
  // clang-format on
}

/// Runs a call of the author's; if it throws, that is logged, and the client gets 500.
template <class Call>
int guarded_exchange(wharf_exchange* exchange, const char* where, Call&& call) noexcept {
  try {
    call();
    return 0;
  } catch (...) {
    log_exception(exchange->services->http->scope(exchange), where);
    return 1;
  }
}

/// The callbacks for a class with a Responder. The shared state begins with a Shared.
template <class T, class Shared>
struct ResponderRow {
  using R = typename T::Responder;
  // The author's object with its exchange behind it, so that the exchange of a fault is known whatever the object keeps.
  struct State {
    R object;
    wharf_exchange* exchange;
  };

  static R& self(void* state) { return *static_cast<R*>(state); }

  template <class Call>
  static void guarded(void* state, const char* where, Call&& call) noexcept {
    wharf_exchange* const exchange = static_cast<State*>(state)->exchange;
    if (guarded_exchange(exchange, where, [&] { call(self(state)); }) != 0) exchange->services->http->fail(exchange);
  }

  static int request(void* state, void* shared, wharf_exchange* exchange) noexcept {
    bool made = false;
    const int status = guarded_exchange(exchange, "request()", [&] {
      construct_from<R, Shared>(state, static_cast<Shared*>(shared), Exchange(exchange));
      static_cast<State*>(state)->exchange = exchange;
      made = true;
      self(state).request();
    });
    if (status != 0 && made) destroy(state);
    return status;
  }
  static void body(void* state, const char* data, size_t size) {
    guarded(state, "body()", [&](R& object) { object.body(std::string_view(data, size)); });
  }
  static void body_end(void* state) {
    guarded(state, "body_end()", [](R& object) { object.body_end(); });
  }
  static void drained(void* state) {
    guarded(state, "drained()", [](R& object) { object.drained(); });
  }
  static void tick(void* state) {
    guarded(state, "tick()", [](R& object) { object.tick(); });
  }
  static void closing(void* state, int complete) {
    guarded(state, "closing()", [&](R& object) { object.closing(complete != 0); });
  }
  static void destroy(void* state) { self(state).~R(); }

  static constexpr wharf_http_row make() {
    wharf_http_row row{};
    row.size = sizeof(wharf_http_row);
    row.state_size = sizeof(State);
    row.request = request;
    if constexpr (responder_has_body<R>) row.body = body;
    if constexpr (responder_has_body_end<R>) row.body_end = body_end;
    if constexpr (responder_has_drained<R>) row.drained = drained;
    if constexpr (responder_has_tick<R>) row.tick = tick;
    if constexpr (responder_has_closing<R>) row.closing = closing;
    row.destroy = destroy;
    return row;
  }
};

/// The callbacks for a class with a static request().
template <class T, class Shared>
struct FunctionRow {
  static int request(void* /*state*/, [[maybe_unused]] void* shared, wharf_exchange* exchange) noexcept {
    return guarded_exchange(exchange, "request()", [&] {
      if constexpr (requires(Exchange e, Shared & s) { T::request(e, s); })
        T::request(Exchange(exchange), *static_cast<Shared*>(shared));
      else T::request(Exchange(exchange));
    });
  }
  static constexpr wharf_http_row make() {
    wharf_http_row row{};
    row.size = sizeof(wharf_http_row);
    row.request = request;
    return row;
  }
};

// ---- Pipes ----

struct PipeNames {
  int data, ended, drained, tick, closing;
};
template <class T>
struct WithPipeNames : T, PipeNames {};

#define WHARF_DETAIL_PIPE_HAS(name)                                \
  template <class T>                                               \
  WHARF_HIDDEN inline constexpr bool pipe_has_##name = !requires { \
    &WithPipeNames<T>::name;                                       \
  };
WHARF_DETAIL_PIPE_HAS(data)
WHARF_DETAIL_PIPE_HAS(ended)
WHARF_DETAIL_PIPE_HAS(drained)
WHARF_DETAIL_PIPE_HAS(tick)
WHARF_DETAIL_PIPE_HAS(closing)
#undef WHARF_DETAIL_PIPE_HAS

template <class T, class... Arguments>
struct PipeRow {
  using Tuple = std::tuple<Arguments&&...>;
  struct State {
    T object;
    wharf_pipe* pipe;
  };

  static T& self(void* state) { return *static_cast<T*>(state); }

  template <class Call>
  static int guarded(wharf_pipe* pipe, const char* where, Call&& call) noexcept {
    try {
      call();
      return 0;
    } catch (...) {
      log_exception(pipe->services->http->pipe_scope(pipe), where);
      pipe->services->http->pipe_abort(pipe);
      return 1;
    }
  }
  template <class Call>
  static void guarded_self(void* state, const char* where, Call&& call) noexcept {
    guarded(static_cast<State*>(state)->pipe, where, [&] { call(self(state)); });
  }

  static int open(void* state, wharf_pipe* pipe, void* argument) {
    return guarded(pipe, "the making of what speaks on a pipe", [&] {
      std::apply(
          [&](auto&&... each) {
            ::new (state) T{Pipe(pipe), std::forward<decltype(each)>(each)...};
          },
          std::move(*static_cast<Tuple*>(argument)));
      static_cast<State*>(state)->pipe = pipe;
    });
  }
  static void data(void* state, const char* bytes, size_t size) {
    guarded_self(state, "data()", [&](T& object) { object.data(std::string_view(bytes, size)); });
  }
  static void ended(void* state) {
    guarded_self(state, "ended()", [](T& object) { object.ended(); });
  }
  static void drained(void* state) {
    guarded_self(state, "drained()", [](T& object) { object.drained(); });
  }
  static void tick(void* state) {
    guarded_self(state, "tick()", [](T& object) { object.tick(); });
  }
  static void closing(void* state) {
    guarded_self(state, "closing()", [](T& object) { object.closing(); });
  }
  static void destroy(void* state) { self(state).~T(); }

  /// All but `open`.
  static constexpr wharf_raw callbacks() {
    static_assert(alignof(T) <= alignof(std::max_align_t), "what speaks on a pipe must not be over-aligned");
    static_assert(pipe_has_data<T>, "what speaks on a pipe needs data(); it is: void data(std::string_view bytes)");
    // clang-format off
    static_assert(!pipe_has_data<T> || requires(T t) { t.data(std::string_view()); },
                  "data has the wrong signature; it is: void data(std::string_view bytes)");
    static_assert(!pipe_has_ended<T> || requires(T t) { t.ended(); }, "ended has the wrong signature; it is: void ended()");
    static_assert(!pipe_has_drained<T> || requires(T t) { t.drained(); }, "drained has the wrong signature; it is: void drained()");
    static_assert(!pipe_has_tick<T> || requires(T t) { t.tick(); }, "tick has the wrong signature; it is: void tick()");
    static_assert(!pipe_has_closing<T> || requires(T t) { t.closing(); }, "closing has the wrong signature; it is: void closing()");
    // clang-format on
    wharf_raw raw{};
    raw.size = sizeof(wharf_raw);
    raw.state_size = sizeof(State);
    raw.data = data;
    if constexpr (pipe_has_ended<T>) raw.ended = ended;
    if constexpr (pipe_has_drained<T>) raw.drained = drained;
    if constexpr (pipe_has_tick<T>) raw.tick = tick;
    if constexpr (pipe_has_closing<T>) raw.closing = closing;
    raw.destroy = destroy;
    return raw;
  }
  static constexpr wharf_raw make() {
    wharf_raw raw = callbacks();
    raw.open = open;
    return raw;
  }
};

template <class T, class... Arguments>
WHARF_HIDDEN inline constexpr wharf_raw pipe_row = PipeRow<T, Arguments...>::make();

/// What speaks on a connection from its first byte: made from {Pipe, Shared&}, or from {Pipe}.
template <class T, class Shared>
struct RawRow : PipeRow<T> {
  using Base = PipeRow<T>;

  static int open(void* state, wharf_pipe* pipe, void* shared) {
    return Base::guarded(pipe, "the opening of a connection", [&] {
      constexpr bool takes_shared = requires(Shared & s) { T{Pipe(pipe), s}; };
      if constexpr (takes_shared) ::new (state) T{Pipe(pipe), *static_cast<Shared*>(shared)};
      else {
        static_assert(
            requires { T{Pipe(pipe)}; }, "a raw wharf protocol is made from {wharf::Pipe, Shared&} or from {wharf::Pipe}");
        ::new (state) T{Pipe(pipe)};
      }
      static_cast<typename Base::State*>(state)->pipe = pipe;
    });
  }

  static constexpr wharf_raw make() {
    wharf_raw raw = Base::callbacks();
    raw.open = open;
    return raw;
  }
};

template <class T, class Shared>
WHARF_HIDDEN inline constexpr wharf_raw raw_row = RawRow<T, Shared>::make();

}  // namespace detail

template <class T, class... Arguments>
bool Exchange::upgrade(const char* token, Arguments&&... arguments) const {
  using Row = detail::PipeRow<T, Arguments...>;
  typename Row::Tuple tuple(std::forward<Arguments>(arguments)...);
  return http().upgrade(exchange_, token, &detail::pipe_row<T, Arguments...>, &tuple) == 0;
}

}  // namespace wharf

#pragma GCC diagnostic pop
