#include "codec/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <stdexcept>

namespace wharf::codec {
namespace {

constexpr int window_bits = 15;
constexpr int with_gzip_header = 16;
constexpr int memory_level = 8;

/// zlib counts in unsigned int.
constexpr std::size_t most_at_once = std::size_t{1} << 30;

/// Lets deflate() write until it has nothing left for that kind of flush.
void drain(z_stream& stream, int flush, std::string& out) {
  std::array<Bytef, std::size_t{16} * 1024> room;
  do {
    stream.next_out = room.data();
    stream.avail_out = static_cast<uInt>(room.size());
    deflate(&stream, flush);
    out.append(reinterpret_cast<const char*>(room.data()), room.size() - stream.avail_out);
  } while (stream.avail_out == 0);
}

}  // namespace

void GzipWriter::End::operator()(z_stream_s* stream) const {
  deflateEnd(stream);
  delete stream;
}

GzipWriter::GzipWriter(int level) {
  if (level < Z_BEST_SPEED || level > Z_BEST_COMPRESSION)
    throw std::invalid_argument("a level of compression is 1 to 9, not " + std::to_string(level));
  auto stream = std::make_unique<z_stream>();
  if (deflateInit2(stream.get(), level, Z_DEFLATED, window_bits + with_gzip_header, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  stream_.reset(stream.release());
}

GzipWriter::~GzipWriter() = default;

void GzipWriter::write(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_->avail_in = static_cast<uInt>(std::min(piece.size(), most_at_once));
    piece.remove_prefix(stream_->avail_in);
    drain(*stream_, Z_NO_FLUSH, out);
  }
}

void GzipWriter::finish(std::string& out) { drain(*stream_, Z_FINISH, out); }

}  // namespace wharf::codec
