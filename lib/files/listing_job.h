#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "base/shared.h"
#include "files/jobs.h"
#include "files/kept_listings.h"
#include "files/open_folder.h"

namespace wharf::server {

struct ListedFolder {
  std::shared_ptr<const OpenFolder> root;
  base::Descriptor folder;  ///< in it
  std::string path;         ///< of it: from '/' to '/'
  std::string title;
  std::size_t most = 0;  ///< names that are read
};

void answer_with_listing(session::Exchange& exchange, Shared<std::string> page);

/// Makes the page that lists a folder. It goes to the mount, to be kept.
class ListingJob final : public FileJob {
 public:
  /// `page` says when it was asked for, and has the identity of the folder then.
  ListingJob(FileMount& mount, ListedFolder folder, KeptListings::Page page)
      : mount_(mount), folder_(std::move(folder)), page_(std::move(page)) {}

  void run() override;
  void answer(session::Exchange& exchange) override;
  void over() override;

 private:
  FileMount& mount_;
  ListedFolder folder_;
  KeptListings::Page page_;
};

}  // namespace wharf::server
