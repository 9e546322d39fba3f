#include "session/site.h"

#include <doctest/doctest.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <future>
#include <stdexcept>
#include <utility>

#include "http/h1.h"
#include "io/listener.h"
#include "temporary_folder.h"
#include "tls/self_signed.h"
#include "tls/tls_link.h"

namespace wharf::test {
namespace {

/// libuv opens a pipe for signals with the first loop and keeps it.
void open_what_stays_open() {
  static const bool once = [] {
    uv_loop_t loop;
    return uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0;
  }();
  static_cast<void>(once);
}

struct Folder : TemporaryFolder {
  Folder() {
    write("big", big_file());
    write("small", "small");
  }

  std::string name = path;
};

}  // namespace

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

DescriptorCheck::DescriptorCheck() : before_((open_what_stays_open(), open_descriptors())) {}
DescriptorCheck::~DescriptorCheck() { CHECK(open_descriptors() == before_); }

void wait_until(const std::function<bool()>& so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("waited for a minute in vain");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

server::RoomLimits room_limits(const Limits& limits) { return {limits, 1000}; }

const std::string& files_folder() {
  static const Folder folder;
  return folder.name;
}

std::string big_file() {
  std::string bytes(3'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
  return bytes;
}

std::vector<wharf_row>& more_rows() {
  static std::vector<wharf_row> the;
  return the;
}

SiteParts::SiteParts(const server::RoomLimits& rooms) : limits(rooms) {
  actor_record().clear();
  for (const wharf_row& row : {wharf_row(protocol<Echo>("echo")), wharf_row(protocol<Actor>("actor"))})
    if (const Error error = rows.add(row)) throw std::runtime_error(error.message);
  for (const wharf_row& row : more_rows())
    if (const Error error = rows.add(row)) throw std::runtime_error(error.message);
  hosts.front().mounts.push_back({"/", Files{files_folder()}});
}

const tls::Context& tls_of_localhost() {
  static const std::unique_ptr<tls::Context> context = [] {
    const std::array<std::string, 1> names{"localhost"};
    const auto pair = tls::self_signed(names);
    if (!pair) throw std::runtime_error(pair.error());
    auto made = tls::Context::for_server(*pair, {});
    if (!made) throw std::runtime_error(made.error());
    return std::move(*made);
  }();
  return *context;
}

server::OpenDoor open_door(const Door& settings) {
  server::OpenDoor door;
  door.settings = settings;
  for (const std::string& text : settings.proxy_header_from) door.proxy_networks.push_back(*base::PeerNetwork::parse(text));
  if (settings.tls) {
    const std::shared_ptr<const tls::Context> context(std::shared_ptr<void>(), &tls_of_localhost());
    door.tls = std::make_shared<tls::CurrentContexts>(std::make_shared<tls::NamedContexts>(context));
  }
  return door;
}

// ---- In memory ----

MemorySite::MemorySite(const server::RoomLimits& limits) : parts_(limits) {
  mailbox_.open([] {});
  auto router = server::Router::start(parts_.rows, parts_.hosts, {parts_.limits.ws, parts_.limits.http}, home_);
  if (!router) throw std::runtime_error(router.error().message);
  router_ = std::move(*router);
  http_.emplace(*router_, parts_.limits.http, parts_.log);
}

MemorySite::MemorySite(const Door& door) : MemorySite() {
  const server::RoomLimits& limits = parts_.limits;
  door_ = open_door(door);
  entrance_.emplace(door_,
                    server::EntranceParts{*http_, *router_, &tls_, parts_.log, limits.tls_handshake, limits.proxy_header_time,
                                          limits.proxy_header, nullptr, [](session::Link&) { return true; }});
}

std::unique_ptr<MemoryWire> MemorySite::connect() {
  auto link = std::make_unique<session::MemoryLink>(pool_, parts_.limits.loop.output, now_);
  link->open(entrance_ ? entrance_->first(*link) : std::make_unique<session::H1>(*link, *http_));
  return std::make_unique<MemoryWire>(std::move(link));
}

std::unique_ptr<TlsWire> MemorySite::connect_by_tls() {
  auto link = std::make_unique<session::MemoryLink>(pool_, parts_.limits.loop.output, now_);
  link->open(std::make_unique<tls::TlsLink>(*link, tls_of_localhost(), tls_,
                                            [this](session::Link& above) { return std::make_unique<session::H1>(above, *http_); }));
  return std::make_unique<TlsWire>(std::make_unique<MemoryWire>(std::move(link)));
}

Error MemorySite::change(const server::HostChange& change) {
  if (Error error = router_->prepare(change)) {
    router_->abandon();
    return error;
  }
  const std::uint64_t gone = router_->commit();
  const bool removes = change.kind == server::HostChange::Kind::remove;
  if (removes && change.removal.web_sockets == Removal::WebSockets::end) router_->send_away(gone);
  return {};
}

// ---- On sockets ----

namespace {

std::string next_abstract_name() {
  static int count = 0;
  return base::concat("@wharf-test-", ::getpid(), "-", ++count);
}

}  // namespace

SocketSite::SocketSite(const server::RoomLimits& limits, Begin when, SocketKind kind, const Door& door) : parts_(limits) {
  auto worker = server::Worker::create(nullptr, parts_.limits, parts_.for_worker());
  if (!worker) throw std::runtime_error(worker.error().message);
  worker_ = std::move(*worker);
  const auto address =
      kind == SocketKind::unix_socket ? io::unix_address(next_abstract_name()) : io::resolve_interface("127.0.0.1", 0);
  if (!address) throw std::runtime_error(address.error());
  auto socket = io::ListeningSocket::open(*address, 511, io::ListeningSocket::Sharing::alone);
  if (!socket) throw std::runtime_error(socket.error());
  address_ = socket->address();
  Door settings = door;
  if (kind == SocketKind::tls) settings.tls = Tls{};
  door_ = open_door(settings);
  if (const Error error = worker_->accept_from(std::move(*socket), door_)) throw std::runtime_error(error.message);
  if (when == Begin::at_once) begin();
}

SocketSite::~SocketSite() {
  if (thread_.joinable()) stop(base::Time{0});
  join();
}

void SocketSite::begin() {
  thread_ = std::thread([this] { worker_->loop().run(); });
}

Error SocketSite::change(const server::HostChange& change) {
  Error error;
  on_loop([&](io::Loop&) {
    error = worker_->prepare(change);
    if (error) worker_->give_up_change();
    else worker_->commit(change);
  });
  return error;
}

void SocketSite::on_loop(const std::function<void(io::Loop&)>& task) {
  std::promise<void> done;
  const bool taken = worker_->loop().mailbox().post([&] {
    task(worker_->loop());
    done.set_value();
  });
  if (!taken) throw std::runtime_error("the loop has ended");
  done.get_future().get();
}

std::size_t SocketSite::connections() {
  std::size_t count = 0;
  on_loop([&count](io::Loop& loop) { count = loop.connection_count(); });
  return count;
}

void SocketSite::wait_for_connections(std::size_t count) {
  wait_until([this, count] { return connections() == count; });
}

void SocketSite::stop(base::Time grace) {
  worker_->loop().mailbox().post([this, grace] { worker_->loop().stop(grace, nullptr); });
}

void SocketSite::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace wharf::test
