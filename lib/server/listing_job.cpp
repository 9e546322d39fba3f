#include "server/listing_job.h"

#include <new>

#include "server/file_body.h"
#include "server/folder_listing.h"

namespace wharf::server {

void ListingJob::run() {
  try {
    const FolderNames names = read_folder(*root_, std::move(folder_), name_, most_);
    page_ = Shared<std::string>(listing_page(names, title_, name_.empty() ? Parent::none : Parent::shown));
  } catch (const std::bad_alloc&) {
    page_ = {};
  }
}

void ListingJob::answer(session::Exchange& exchange) {
  if (!page_) return exchange.respond(session::text_response(503, "The folder can not be listed now."));
  session::Response response;
  response.prepared = listing_lines();
  response.source = std::make_unique<MemoryBody>(page_);
  exchange.respond(std::move(response));
}

}  // namespace wharf::server
