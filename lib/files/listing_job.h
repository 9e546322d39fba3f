#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
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

/// Takes the result of a ListingJob. Outlives the calls that the job makes to it.
class ListingTaker {
 public:
  /// Takes the page that lists a folder.
  virtual void listed(std::string_view path, KeptListings::Page page) = 0;

 protected:
  ~ListingTaker() = default;
};

/// Makes the page that lists a folder. It goes to the taker, to be kept.
class ListingJob final : public FileJob {
 public:
  /// `page` says when it was asked for, and has the identity of the folder then.
  ListingJob(ListingTaker& taker, ListedFolder folder, KeptListings::Page page)
      : taker_(taker), folder_(std::move(folder)), page_(std::move(page)) {}

  void run() override;
  void answer(session::Exchange& exchange) override;
  void over() override;

 private:
  ListingTaker& taker_;
  ListedFolder folder_;
  KeptListings::Page page_;
};

}  // namespace wharf::server
