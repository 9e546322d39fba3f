#include "echo.h"

#include <algorithm>

namespace bench {

namespace {

constexpr std::uint8_t close_opcode = 8;
constexpr std::size_t copy_below = 16 * 1024;
constexpr std::size_t copied_size = receive_size + 2 * copy_below;

std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Reply::Reply() : copied_(copied_size) {}

void Reply::clear() {
  used_ = run_ = size_ = 0;
  pieces_.clear();
  if (!kept_.empty()) kept_ = {};
}

void Reply::add(std::string_view text) {
  std::memcpy(copied_.data() + used_, text.data(), text.size());
  used_ += text.size();
  size_ += text.size();
}

void Reply::add(const FrameHeader& header, std::uint8_t* payload) {
  const std::size_t header_size = write_header(copied_.data() + used_, header.first, header.payload, 0);
  used_ += header_size;
  size_ += header_size + header.payload;
  if (header.payload < copy_below) {
    apply_mask(copied_.data() + used_, payload, header.payload, header.mask);
    used_ += header.payload;
    return;
  }
  apply_mask(payload, payload, header.payload, header.mask);
  end_run();
  pieces_.push_back({payload, header.payload});
}

void Reply::end_run() {
  if (used_ > run_) pieces_.push_back({copied_.data() + run_, used_ - run_});
  run_ = used_;
}

std::span<const iovec> Reply::pieces() {
  end_run();
  return pieces_;
}

Next Echo::take(std::span<std::uint8_t> received, Reply& reply) {
  if (!upgraded_ && upgrade(received, reply) == Next::close) return Next::close;
  if (!upgraded_) return Next::go_on;
  if (!partial_.empty() && finish_partial(received, reply) == Next::close) return Next::close;
  while (!received.empty()) {
    FrameHeader header;
    const Read read = read_header(received, header);
    if (read == Read::bad) return Next::close;
    if (read == Read::more || header.frame() > received.size()) {
      if (read == Read::whole) partial_.reserve(header.frame());
      partial_.insert(partial_.end(), received.begin(), received.end());
      break;
    }
    reply.add(header, received.data() + header.size);
    if ((header.first & 0x0f) == close_opcode) return Next::close;
    received = received.subspan(header.frame());
  }
  return Next::go_on;
}

Next Echo::upgrade(std::span<std::uint8_t>& received, Reply& reply) {
  const std::size_t before = partial_.size();
  std::string_view head = text_of(received);
  if (before > 0) {
    for (const std::uint8_t byte : received)
      partial_.push_back(byte);  // with insert(), g++ 14 warns of an overflow that cannot happen
    head = text_of(partial_);
  }
  const std::size_t end = head.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (before == 0) partial_.assign(received.begin(), received.end());
    received = {};
    return partial_.size() > longest_head ? Next::close : Next::go_on;
  }
  head = head.substr(0, end + 4);
  const std::string_view key = field(head, "Sec-WebSocket-Key");
  if (!head.starts_with("GET ") || key.size() != 24) {
    reply.add(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 46\r\nConnection: close\r\n\r\nThis server answers WebSocket upgrades "
        "alone.\n");
    return Next::close;
  }
  reply.add("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
  reply.add(accept_value(key));
  reply.add("\r\n\r\n");
  received = received.subspan(head.size() - before);
  partial_ = {};
  upgraded_ = true;
  return Next::go_on;
}

// Takes no more than the frame needs; the frames behind it are echoed from the receive buffer.
Next Echo::finish_partial(std::span<std::uint8_t>& received, Reply& reply) {
  const auto fill_to = [&](std::size_t size) {
    const std::size_t count = std::min(size - std::min(size, partial_.size()), received.size());
    partial_.insert(partial_.end(), received.begin(), received.begin() + static_cast<std::ptrdiff_t>(count));
    received = received.subspan(count);
  };
  FrameHeader header;
  Read read = read_header(partial_, header);
  while (read == Read::more && !received.empty()) {
    fill_to(partial_.size() + 1);
    read = read_header(partial_, header);
  }
  if (read != Read::whole) return read == Read::bad ? Next::close : Next::go_on;
  partial_.reserve(header.frame());
  fill_to(header.frame());
  if (partial_.size() < header.frame()) return Next::go_on;
  reply.add(header, partial_.data() + header.size);
  if (header.payload >= copy_below) reply.keep(std::move(partial_));
  partial_ = {};
  return Next::go_on;
}

std::vector<std::uint8_t> rest_of(std::span<const iovec> pieces, std::size_t written) {
  std::vector<std::uint8_t> rest;
  for (const iovec& piece : pieces) {
    const std::size_t skip = std::min(written, piece.iov_len);
    written -= skip;
    const auto* bytes = static_cast<const std::uint8_t*>(piece.iov_base);
    rest.insert(rest.end(), bytes + skip, bytes + piece.iov_len);
  }
  return rest;
}

}  // namespace bench
