#include "files/listing_job.h"

#include <new>

#include "files/body.h"
#include "files/listing.h"

namespace wharf::server {

void answer_with_listing(session::Exchange& exchange, Shared<std::string> page) {
  session::Response response;
  response.prepared = listing_fields();
  response.source = std::make_unique<MemoryBody>(std::move(page));
  exchange.respond(std::move(response));
}

void ListingJob::run() {
  const std::string name = folder_.path.substr(1);
  try {
    const FolderNames names = read_folder(*folder_.root, std::move(folder_.folder), name, folder_.most);
    page_.text = Shared<std::string>(listing_page(names, folder_.title, name.empty() ? Parent::none : Parent::shown));
  } catch (const std::bad_alloc&) {
    page_.text = {};
  }
}

void ListingJob::answer(session::Exchange& exchange) {
  page_.made = exchange.now();
  if (page_.text) return answer_with_listing(exchange, page_.text);
  session::Response response = session::text_response(503, "The folder cannot be listed now.");
  response.fields.emplace_back("Retry-After", "1");
  exchange.respond(std::move(response));
}

void ListingJob::over() {
  if (page_.text) taker_.listed(folder_.path, page_);
}

}  // namespace wharf::server
