// A plugin that does everything that a plugin should not do, for the soak: one fault for each message and each request, chosen by
// its first byte. None of this may harm clients that do not use it.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <wharf/protocol.hpp>

namespace {

using std::chrono::milliseconds;

constexpr std::size_t most_handles = 100;
const std::string large(256UL * 1024, 'u');

void block() { std::this_thread::sleep_for(milliseconds(20)); }

struct Unruly {
  struct Responder;
  struct Shared;

  wharf::Peer peer;
  Shared& shared;
  unsigned posted = 0;

  Unruly(wharf::Peer its_peer, Shared& its_shared);
  ~Unruly();

  static int accept(const wharf::Request& request) {
    if (request.query() == "throws") throw std::runtime_error("accept");
    return request.query() == "refuses" ? 9999 : 0;
  }
  void opened(const wharf::Request& request) const {
    if (request.query() == "opened-throws") throw std::runtime_error("opened");
    if (request.query() == "opened-closes") peer.close(4000, "so soon");
    if (request.query() == "opened-aborts") peer.abort();
  }

  void message(wharf::Kind kind, std::string_view data);
  void drained() const { peer.send(wharf::Kind::binary, large); }
  void tick() {
    peer.resume();
    if (++ticks > 10) throw std::runtime_error("tick");
  }
  void pong(std::string_view data) const {
    if (data == "abort") peer.abort();
  }
  void closing(std::uint16_t code, std::string_view /*why*/) const {
    peer.send_text("too late");
    peer.close(1000);
    if (code % 2 == 0) throw std::runtime_error("closing");
  }

  void again() {
    if (++posted < 1000) peer.handle<Unruly>().post([](Unruly& self) { self.again(); });
  }

  // The faults.
  void throws() const { throw std::runtime_error("message"); }
  void throws_no_exception() const { throw 7; }
  void runs_out_of_memory() const { throw std::bad_alloc(); }
  void aborts_and_goes_on() const {
    peer.abort();
    peer.send_text("a");
    peer.ping("b");
    peer.close(1000);
    peer.every(milliseconds(1));
  }
  void closes_and_goes_on() const {
    peer.close(1000, "enough");
    peer.send_text("a");
    peer.close(1001);
    peer.abort();
  }
  void closes_badly() const { peer.close(1006, large); }
  void sends_no_text() const { peer.send_text("\xFF\xFE"); }
  void mixes_pieces() const {
    peer.send_part(wharf::Kind::text, wharf::Part::first, "a");
    peer.send_text("b");
    peer.send_part(wharf::Kind::text, wharf::Part::next, "c");
  }
  void leaves_a_piece() const { peer.send_part(wharf::Kind::binary, wharf::Part::first, large); }
  void never_waits() const {
    for (int i = 0; i < 20; ++i) peer.send(wharf::Kind::binary, large);
  }
  void blocks() const { block(); }
  void pauses_for_long() const {
    peer.pause();
    peer.every(milliseconds(100));
  }
  void ticks_quickly() const { peer.every(milliseconds(1)); }
  void posts_for_ever() { again(); }
  void hands_itself_out() const;
  void ends_another() const;
  void logs_much() const {
    for (int i = 0; i < 100; ++i) peer.log(wharf::Level::error, "noise\nof a plugin, forged\r\n\x1b[31m");
  }

  int ticks = 0;
};

/// What all peers of a loop share, with a thread that talks to them when they are gone.
struct Unruly::Shared {
  explicit Shared(wharf::Scope its_scope) : scope(its_scope), thread([this] { talk(); }) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  Shared(Shared&&) = delete;
  Shared& operator=(Shared&&) = delete;
  ~Shared() {
    {
      const std::lock_guard lock(mutex);
      over = true;
    }
    thread.join();
    scope.log(wharf::Level::info, "unruly until " + std::to_string(scope.now().count()) + " ms, of " +
                                      std::to_string(scope.server_statistics().rows) + " rows");
  }

  void talk() {
    for (;;) {
      std::this_thread::sleep_for(milliseconds(5));
      const std::lock_guard lock(mutex);
      if (over) return;
      for (const wharf::Handle<Unruly>& handle : handles) handle.post([](Unruly& self) { self.peer.send_text("from afar"); });
      for (const wharf::ExchangeHandle<>& exchange : exchanges) {
        exchange.post([](wharf::Exchange self) { self.respond(200, "text/plain", "from afar"); });
        exchange.post([](wharf::Exchange) { throw std::runtime_error("a task"); });
      }
      if (!handles.empty()) handles.front().post([](Unruly&) { throw std::runtime_error("a task"); });
      while (handles.size() > most_handles) handles.pop_front();
      exchanges.clear();
    }
  }
  template <class T>
  void keep(std::deque<T>& all, T one) {
    const std::lock_guard lock(mutex);
    all.push_back(one);
  }

  wharf::Scope scope;
  std::set<const Unruly*> peers;
  std::mutex mutex;
  bool over = false;
  std::deque<wharf::Handle<Unruly>> handles;
  std::deque<wharf::ExchangeHandle<>> exchanges;
  std::thread thread;
};

Unruly::Unruly(wharf::Peer its_peer, Shared& its_shared) : peer(its_peer), shared(its_shared) { shared.peers.insert(this); }
Unruly::~Unruly() { shared.peers.erase(this); }

void Unruly::hands_itself_out() const { shared.keep(shared.handles, peer.handle<Unruly>()); }
void Unruly::ends_another() const {
  const Unruly* const other = *shared.peers.begin();
  other->peer.send_text("it was me");
  other->peer.abort();
}

void Unruly::message(wharf::Kind /*kind*/, std::string_view data) {
  using Fault = void (*)(Unruly&);
  static constexpr Fault faults[] = {
      [](Unruly& self) { self.throws(); },
      [](Unruly& self) { self.throws_no_exception(); },
      [](Unruly& self) { self.runs_out_of_memory(); },
      [](Unruly& self) { self.aborts_and_goes_on(); },
      [](Unruly& self) { self.closes_and_goes_on(); },
      [](Unruly& self) { self.closes_badly(); },
      [](Unruly& self) { self.sends_no_text(); },
      [](Unruly& self) { self.mixes_pieces(); },
      [](Unruly& self) { self.leaves_a_piece(); },
      [](Unruly& self) { self.never_waits(); },
      [](Unruly& self) { self.blocks(); },
      [](Unruly& self) { self.pauses_for_long(); },
      [](Unruly& self) { self.ticks_quickly(); },
      [](Unruly& self) { self.posts_for_ever(); },
      [](Unruly& self) { self.hands_itself_out(); },
      [](Unruly& self) { self.ends_another(); },
      [](Unruly& self) { self.logs_much(); },
  };
  const std::size_t choice = data.empty() ? 0 : static_cast<unsigned char>(data.front());
  faults[choice % std::size(faults)](*this);
}

/// For connections that were upgraded to it.
struct Tunnel {
  wharf::Pipe pipe;
  void data(std::string_view bytes) const {
    switch (bytes.front() % 5) {
      case 0: throw std::runtime_error("data");
      case 1: return pipe.abort();
      case 2: pipe.close(); break;
      case 3: pipe.end(); break;
      default: pipe.cork(); break;
    }
    pipe.write(large);
    pipe.every(milliseconds(1));
  }
  void tick() const { throw std::runtime_error("tick"); }
};

/// A request's fault is the byte behind '?', from 'a' on.
struct Unruly::Responder {
  wharf::Exchange exchange;
  Shared& shared;

  void request() {
    const std::string_view query = exchange.query();
    switch (query.empty() ? 0 : query.front() - 'a') {
      case 0: throw std::runtime_error("request");
      case 1: throw 7;
      case 2:
        exchange.respond(200, "text/plain", "once");
        exchange.respond(200, "text/plain", "twice");
        return exchange.abort();
      case 3:
        exchange.begin(200, "text/plain", 100);
        exchange.write("too little");
        return exchange.end();
      case 4:
        exchange.begin(200, "text/plain", 3);
        exchange.write("too much");
        return exchange.end();
      case 5: return exchange.answer_within(milliseconds(100));
      case 6: return shared.keep(shared.exchanges, exchange.handle());
      case 7: exchange.respond(200, "text/plain", "done"); throw std::runtime_error("after the answer");
      case 8: exchange.respond(42); return;
      case 9:
        exchange.add_field("X", "a\r\nSet-Cookie: b");
        exchange.add_field("Content-Length", "7");
        exchange.respond(200, "text/plain\r\nX: y", "fields");
        return;
      case 10:
        exchange.begin(200, "text/plain");
        for (int i = 0; i < 20; ++i) exchange.write(large);
        return exchange.end();
      case 11:
        exchange.begin(200, "text/plain");
        exchange.write("some of it");
        throw std::runtime_error("half way");
      case 12:
        if (!exchange.upgrade<Tunnel>("tunnel")) exchange.respond(400);
        return;
      case 13:
        if (!exchange.respond_file(200, "/nowhere")) throw std::runtime_error("no file");
        return;
      case 14: exchange.end(); return;
      case 15: exchange.write("before it began"); return exchange.every(milliseconds(1));
      case 16: block(); return exchange.abort();
      case 17: exchange.begin(200, "text/plain"); return;  // and nothing more
      default: break;                                      // body() decides
    }
  }
  void body(std::string_view piece) {
    switch (piece.front() % 4) {
      case 0: throw std::runtime_error("body");
      case 1: exchange.pause_body(); return exchange.every(milliseconds(1));
      case 2: return exchange.abort();
      default: break;
    }
    if (!begun) exchange.begin(200, "text/plain");
    begun = true;
    exchange.write(piece);
  }
  void body_end() const { exchange.respond(200, "text/plain", "the end"); }
  void drained() const { throw std::runtime_error("drained"); }
  void tick() {
    exchange.resume_body();
    if (++ticks > 10) throw std::runtime_error("tick");
  }
  void closing(bool complete) const {
    exchange.respond(500);
    if (!complete) throw std::runtime_error("closing");
  }

  bool begun = false;
  int ticks = 0;
};

}  // namespace

WHARF_EXPORT(wharf::protocol<Unruly>("unruly"))
