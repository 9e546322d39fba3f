// The floor over libuv: the cost of a server that only unmasks and echoes. It has the canonical form: one receive buffer for all
// connections, one uv_try_write for each read, uv_write for what that did not take.
#include <signal.h>
#include <uv.h>

#include <algorithm>
#include <array>

#include "echo.h"
#include "process.h"
#include "secure.h"

namespace bench {
namespace {

struct Connection {
  uv_tcp_t tcp;
  Echo echo;
  std::optional<Secure> secure;
};

struct Rest {
  uv_write_t request;
  std::vector<std::uint8_t> bytes;
};

constexpr std::size_t most_pieces = 128;  // a read brings at most 33 frames that are not copied

std::array<std::uint8_t, receive_size> receive_buffer;
std::array<std::uint8_t, receive_size> plain_buffer;
Reply reply;
TlsContext tls;

uv_stream_t* stream_of(Connection& connection) { return reinterpret_cast<uv_stream_t*>(&connection.tcp); }
uv_handle_t* handle_of(Connection& connection) { return reinterpret_cast<uv_handle_t*>(&connection.tcp); }

void close_connection(Connection& connection) {
  if (uv_is_closing(handle_of(connection))) return;
  uv_close(handle_of(connection), [](uv_handle_t* handle) { delete static_cast<Connection*>(handle->data); });
}

void lend_buffer(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
  *buffer = uv_buf_init(reinterpret_cast<char*>(receive_buffer.data()), receive_buffer.size());
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*);

// The peer is slower than we are: nothing more is read from it until this is out.
void write_rest(Connection& connection, std::span<const iovec> pieces, std::size_t written) {
  auto* rest = new Rest{{}, rest_of(pieces, written)};
  rest->request.data = rest;
  const uv_buf_t buffer = uv_buf_init(reinterpret_cast<char*>(rest->bytes.data()), static_cast<unsigned>(rest->bytes.size()));
  uv_read_stop(stream_of(connection));
  uv_write(&rest->request, stream_of(connection), &buffer, 1, [](uv_write_t* request, int status) {
    auto& owner = *static_cast<Connection*>(request->handle->data);
    delete static_cast<Rest*>(request->data);
    if (status != 0) return close_connection(owner);
    uv_read_start(stream_of(owner), lend_buffer, on_read);
  });
}

void write_pieces(Connection& connection, std::span<const iovec> pieces, std::size_t size) {
  if (pieces.empty()) return;
  std::array<uv_buf_t, most_pieces> buffers;
  std::transform(pieces.begin(), pieces.end(), buffers.begin(), [](const iovec& piece) {
    return uv_buf_t{static_cast<char*>(piece.iov_base), piece.iov_len};
  });
  const int taken = uv_try_write(stream_of(connection), buffers.data(), static_cast<unsigned>(pieces.size()));
  if (taken < 0 && taken != UV_EAGAIN) return close_connection(connection);
  const std::size_t written = static_cast<std::size_t>(std::max(taken, 0));
  if (written < size) write_rest(connection, pieces, written);
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
  auto& connection = *static_cast<Connection*>(stream->data);
  if (count < 0) return close_connection(connection);
  if (count == 0) return;
  const std::span received = std::span(receive_buffer).first(static_cast<std::size_t>(count));
  Next next{};
  if (connection.secure) {
    next = answer(*connection.secure, connection.echo, received, plain_buffer, reply);
    const std::span<const std::uint8_t> sealed = connection.secure->records();
    const iovec piece{const_cast<std::uint8_t*>(sealed.data()), sealed.size()};
    write_pieces(connection, std::span(&piece, sealed.empty() ? 0 : 1), sealed.size());
    connection.secure->sent();
  } else {
    reply.clear();
    next = connection.echo.take(received, reply);
    write_pieces(connection, reply.pieces(), reply.size());
  }
  if (next == Next::close) close_connection(connection);
}

void on_connection(uv_stream_t* listener, int status) {
  if (status != 0) {
    std::fprintf(stderr, "floor-uv: cannot accept: %s\n", uv_strerror(status));
    return;
  }
  auto* connection = new Connection{};
  uv_tcp_init(listener->loop, &connection->tcp);
  connection->tcp.data = connection;
  if (uv_accept(listener, stream_of(*connection)) != 0) return close_connection(*connection);
  uv_tcp_nodelay(&connection->tcp, 1);
  if (tls) connection->secure.emplace(tls.get());
  uv_read_start(stream_of(*connection), lend_buffer, on_read);
}

int listen_on(uv_loop_t* loop, uv_tcp_t& listener, int& port) {
  sockaddr_in address;
  uv_tcp_init(loop, &listener);
  listener.data = nullptr;
  uv_ip4_addr("127.0.0.1", port, &address);
  int status = uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0);
  if (status == 0) status = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, on_connection);
  int size = sizeof address;
  if (status == 0) status = uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return status;
}

void end_all(uv_signal_t* handle, int) {
  uv_walk(
      handle->loop,
      [](uv_handle_t* each, void*) {
        if (uv_is_closing(each)) return;
        if (each->type == UV_TCP && each->data != nullptr) return close_connection(*static_cast<Connection*>(each->data));
        uv_close(each, nullptr);
      },
      nullptr);
}

int run(const FloorOptions& options) {
  if (!options.certificate.empty() && !(tls = server_context(options.certificate, options.key))) return 1;
  int port = options.port;
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener;
  if (const int status = listen_on(loop, listener, port); status != 0) {
    std::fprintf(stderr, "floor-uv: cannot listen on 127.0.0.1: %s\n", uv_strerror(status));
    return 1;
  }
  std::array<uv_signal_t, 2> signals;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    uv_signal_init(loop, &signals[i]);
    uv_signal_start(&signals[i], end_all, i == 0 ? SIGTERM : SIGINT);
  }
  announce(options, port);
  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto options = bench::floor_options(argc, argv, exit_code);
  return options ? bench::run(*options) : exit_code;
}
