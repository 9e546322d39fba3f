#pragma once
#include <string_view>

namespace wharf::codec {

/// The media type for a file name by its last extension, ignoring case, with `; charset=utf-8` for text/*, which includes
/// JavaScript;
/// `application/octet-stream` if it is unknown. Source text of programs is text/plain, which browsers show. Static storage.
std::string_view media_type(std::string_view file_name);

/// The content coding that a file's extension stands for: `gzip` for .svgz, as SVG 1.1 has it, else empty. Not for .gz, .tgz, .br
/// or .zst: a client that asks for an archive by its name wants it as it is. Static storage.
std::string_view content_coding(std::string_view file_name);

/// Whether content of that media type is usually made much smaller by a content coding: text, formats with the syntax of JSON or
/// XML, fonts and documents without compression of their own. False for images, audio, video and archives, and for unknown types.
/// Parameters are ignored.
bool is_compressible(std::string_view media_type);

}  // namespace wharf::codec
