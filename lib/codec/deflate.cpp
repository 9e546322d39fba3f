#include "codec/deflate.h"

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

#include "codec/zlib_stream.h"

namespace wharf::codec {
namespace {

constexpr int least_window_bits = 8;
constexpr int least_window_bits_of_zlib = 9;
constexpr int most_window_bits = 15;

/// deflate() writes to this, and it is appended then: large enough that a short message is one append, and nothing is allocated
/// ahead of the output.
using Scratch = std::array<Bytef, std::size_t{8} * 1024>;

void require_window(int window_bits) {
  if (window_bits < least_window_bits || window_bits > most_window_bits)
    throw std::invalid_argument("a window has 8 to 15 bits, not " + std::to_string(window_bits));
}

void require_started(int result) {
  if (result == Z_MEM_ERROR) throw std::bad_alloc();
  if (result != Z_OK) throw std::invalid_argument(std::string("zlib: ") + zError(result));
}

}  // namespace

// ---- Deflater ----

void Deflater::End::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

Deflater::Deflater(int window_bits, DeflateTuning tuning) {
  require_window(window_bits);
  auto stream = std::make_unique<z_stream>();
  const int window = std::max(window_bits, least_window_bits_of_zlib);
  require_started(deflateInit2(stream.get(), tuning.level, Z_DEFLATED, -window, tuning.memory_level, Z_DEFAULT_STRATEGY));
  stream_.reset(stream.release());
}

Deflater::~Deflater() = default;
Deflater::Deflater(Deflater&&) noexcept = default;
Deflater& Deflater::operator=(Deflater&&) noexcept = default;

void Deflater::compress(std::string_view piece, Piece place, std::string& out) {
  if (piece.empty()) {
    // Everything before is flushed. The lone 00 begins the empty block whose other four bytes are left out (section 7.2.3.6).
    if (place == Piece::last) out += '\0';
    return;
  }
  Scratch scratch;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  while (!piece.empty()) {
    give_input(*stream_, piece);
    piece.remove_prefix(stream_->avail_in);
    drain(*stream_, Z_BLOCK, scratch, out);
  }
  // The block is written. The marker alone fits the scratch, so it is never interrupted; otherwise zlib would write a second one.
  drain(*stream_, Z_SYNC_FLUSH, scratch, out);
  if (place == Piece::last) out.resize(out.size() - Inflater::tail.size());
}

void Deflater::reset() { deflateReset(stream_.get()); }

// ---- Inflater ----

void Inflater::End::operator()(z_stream_s* stream) const {
  inflateEnd(stream);
  delete stream;
}

Inflater::Inflater(int window_bits) {
  require_window(window_bits);
  auto stream = std::make_unique<z_stream>();
  require_started(inflateInit2(stream.get(), -window_bits));
  stream_.reset(stream.release());
}

Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

Inflater::Status Inflater::inflate(std::string_view& input, char* room, std::size_t room_size, std::size_t& written) {
  constexpr int behind_a_block = 128;  // in data_type, whose low bits count the unused bits of the last byte
  constexpr int in_the_last_block = 64;
  char none = 0;  // zlib accepts no null pointer, not even for no room
  written = 0;
  while (!invalid_) {
    give_input(*stream_, input);
    const uInt given = stream_->avail_in;
    stream_->next_out = reinterpret_cast<Bytef*>(room == nullptr ? &none : room + written);
    const uInt room_now = stream_->avail_out = static_cast<uInt>(std::min(room_size - written, most_at_once));
    const int result = ::inflate(stream_.get(), Z_SYNC_FLUSH);
    input.remove_prefix(given - stream_->avail_in);
    written += room_now - stream_->avail_out;
    if (result != Z_BUF_ERROR)  // Z_BUF_ERROR only says that nothing happened
      at_boundary_ = result == Z_STREAM_END || (stream_->data_type & ~in_the_last_block) == behind_a_block;
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    // Not inflateReset(): it empties the window, which would have to be copied out and in again for a block of two bytes.
    if (result == Z_STREAM_END) invalid_ = inflateResetKeep(stream_.get()) != Z_OK;
    else if (result != Z_OK && result != Z_BUF_ERROR) invalid_ = true;
    else if (written == room_size) return Status::full;
    else if (input.empty()) return Status::more;
  }
  return Status::invalid;
}

void Inflater::reset() {
  inflateReset(stream_.get());
  at_boundary_ = true;
  invalid_ = false;
}

}  // namespace wharf::codec
