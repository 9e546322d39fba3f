#pragma once
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace wharf::codec {

/// Writes a gzip file (RFC 1952), which is the content coding gzip (RFC 9110 section 8.4.1.3), from pieces. Its header names no
/// file and no time: the same content gives the same bytes, however it was cut. Allocates some 260 KiB.
class GzipWriter {
 public:
  /// `level` 1 to 9. Throws std::bad_alloc, and std::invalid_argument for another level.
  explicit GzipWriter(int level = 6);
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;
  ~GzipWriter();

  /// Appends to `out` the bytes that are ready after that piece, often none.
  void write(std::string_view piece, std::string& out);
  /// Appends the rest. The last call, once.
  void finish(std::string& out);

 private:
  struct End {
    void operator()(z_stream_s* stream) const;
  };
  std::unique_ptr<z_stream_s, End> stream_;
};

}  // namespace wharf::codec
