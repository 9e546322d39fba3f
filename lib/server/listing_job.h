#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "server/file_jobs.h"
#include "server/open_folder.h"
#include "server/shared.h"

namespace wharf::server {

/// Makes the page that lists a folder.
class ListingJob final : public FileJob {
 public:
  /// `name` is that of the folder in `root`: "" or ending in '/'. `most` names are looked at.
  ListingJob(std::shared_ptr<const OpenFolder> root, Descriptor folder, std::string name, std::string title, std::size_t most)
      : root_(std::move(root)), folder_(std::move(folder)), name_(std::move(name)), title_(std::move(title)), most_(most) {}

  void run() override;
  void answer(session::Exchange& exchange) override;

 private:
  std::shared_ptr<const OpenFolder> root_;
  Descriptor folder_;
  std::string name_;
  std::string title_;
  std::size_t most_;
  Shared<std::string> page_;
};

}  // namespace wharf::server
