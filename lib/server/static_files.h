#pragma once
#include <string>
#include <string_view>

#include "session/exchange.h"
#include "wharf/server.hpp"

namespace wharf::server {

/// Serves the files of one mount: GET and HEAD, index files, content types. Nothing outside the folder, also not by symbolic links.
class StaticFiles {
 public:
  /// The folder must exist and be readable; see check_folder().
  explicit StaticFiles(const Mount& mount);

  /// An empty text, or why the folder can not be served, in one line.
  static std::string check_folder(const Mount& mount);

  /// The same mount with its folder as an absolute path without symbolic links, whatever the working folder is later on.
  static Mount resolved(Mount mount);

  [[nodiscard]] std::string_view prefix() const { return prefix_; }
  /// `path` is below the prefix, still percent-encoded, without query.
  void serve(session::Exchange& exchange, std::string_view path) const;

 private:
  [[nodiscard]] session::Response file_response(std::string_view decoded_path) const;
  [[nodiscard]] std::string resolve(const std::string& relative) const;

  std::string prefix_;
  std::string folder_;  // absolute, without symbolic links
  std::string index_;
};

}  // namespace wharf::server
