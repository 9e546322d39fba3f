#include "codec/gzip.h"

#include <array>
#include <cstddef>
#include <new>
#include <stdexcept>

#include "codec/zlib_stream.h"

namespace wharf::codec {
namespace {

constexpr int window_bits = 15;
constexpr int with_gzip_header = 16;
constexpr int memory_level = 8;

using Scratch = std::array<Bytef, std::size_t{16} * 1024>;

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
  Scratch scratch;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  while (!piece.empty()) {
    give_input(*stream_, piece);
    piece.remove_prefix(stream_->avail_in);
    drain(*stream_, Z_NO_FLUSH, scratch, out);
  }
}

void GzipWriter::finish(std::string& out) {
  Scratch scratch;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  drain(*stream_, Z_FINISH, scratch, out);
}

}  // namespace wharf::codec
