#include "files/kept_listings.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace wharf::server {

KeptListings::Place KeptListings::place_of(const FileMount& mount, std::string_view path) {
  return std::find_if(kept_.begin(), kept_.end(), [&](const Kept& each) { return each.mount == &mount && each.path == path; });
}

Shared<std::string> KeptListings::find(const FileMount& mount, std::string_view path, const FileIdentity& folder, base::Time now) {
  const auto found = place_of(mount, path);
  if (found == kept_.end()) return {};
  const base::Time age = now - found->page.made;
  const bool is_same = found->page.settled && found->page.folder == folder;
  if (age >= longest || (age >= shortest && !is_same)) {
    drop(found);
    return {};
  }
  kept_.splice(kept_.begin(), kept_, found);
  return found->page.text;
}

void KeptListings::keep(const FileMount& mount, std::string_view path, Page page) {
  if (const auto known = place_of(mount, path); known != kept_.end()) drop(known);
  if (most_pages_ == 0 || page.text->size() > most_bytes_) return;
  bytes_ += page.text->size();
  kept_.push_front({&mount, std::string(path), std::move(page)});
  while (kept_.size() > most_pages_ || bytes_ > most_bytes_) drop(std::prev(kept_.end()));
}

void KeptListings::drop_all(const FileMount& mount) {
  for (auto each = kept_.begin(); each != kept_.end();) {
    const auto next = std::next(each);
    if (each->mount == &mount) drop(each);
    each = next;
  }
}

void KeptListings::drop(Place place) {
  bytes_ -= place->page.text->size();
  kept_.erase(place);
}

}  // namespace wharf::server
