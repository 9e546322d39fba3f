#pragma once
#include <string_view>

namespace wharf::codec {

/// The media type for a file name by its last extension, ignoring case, with `; charset=utf-8` for text/*, which includes JavaScript;
/// `application/octet-stream` when unknown. Source text of programs is text/plain, which browsers show. Static storage.
std::string_view media_type(std::string_view file_name);

/// Whether content of that media type is usually made much smaller by a content coding: text, what JSON and XML are the syntax of, fonts
/// and documents without compression of their own. False for images, audio, video and archives, and for types not known. Parameters
/// are not looked at.
bool is_compressible(std::string_view media_type);

}  // namespace wharf::codec
