#include "files/listing.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base64.h"
#include "unit/files/mounted.h"
#include "unit/files/www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;
namespace fs = std::filesystem;

Files listed(const WwwFolder& site) {
  Files files{site.www()};
  files.listing = Listing::on;
  return files;
}

/// Each text between the two.
std::vector<std::string> between(const std::string& text, const std::string& begin, const std::string& end) {
  std::vector<std::string> found;
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    at += begin.size();
    found.push_back(text.substr(at, text.find(end, at) - at));
  }
  return found;
}

/// The hash of the page's only style, as a source of a Content-Security-Policy.
std::string hash_of_style(const std::string& page) {
  const std::vector<std::string> style = between(page, "<style>", "</style>");
  REQUIRE(style.size() == 1);
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  REQUIRE(EVP_Digest(style[0].data(), style[0].size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  return "'sha256-" + base64({reinterpret_cast<const char*>(digest.data()), size}) + "'";
}

std::vector<std::string> links(const std::string& page) { return between(page, "<a href=\"", "\""); }

}  // namespace

TEST_CASE("listing: only if the mount has it, and the folder has no index") {
  const WwwFolder site;
  site.write("sub/index.html", "index");
  site.write("bare/file.txt", "file");
  Mounted off({site.www()});
  CHECK(off.get("/").status == 404);
  CHECK(off.get("/bare/").status == 404);
  Mounted mounted(listed(site));
  CHECK(mounted.get("/sub/").body == "index");
  const Answer answer = mounted.get("/bare/");
  CHECK(answer.status == 200);
  CHECK(answer.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(answer.field("X-Content-Type-Options") == "nosniff");
  CHECK(answer.field("Accept-Ranges") == "none");
  CHECK(links(answer.body) == std::vector<std::string>{"../", "./file.txt"});
  CHECK(links(mounted.get("/").body) == std::vector<std::string>{"./bare/", "./sub/"});
  CHECK(mounted.get("/bare").field("Location") == "/bare/");
  CHECK(mounted.get("/missing/").status == 404);
  CHECK(mounted.get("/bare/file.txt/").status == 404);
  const Answer head = mounted.ask(Mounted::head("HEAD", "/bare/"));
  CHECK(head.head == answer.head);
  CHECK(head.body.empty());
}

TEST_CASE("listing: folders first, then by name, with sizes and times") {
  const WwwFolder site;
  for (const char* name : {"b.txt", "B.txt", "a/x", "z/x", "10"}) site.write(name, "12345");
  site.write("large", std::string(1536, 'x'));
  site.set_time("b.txt", std::int64_t{1'700'000'000} * 1'000'000'000);
  Mounted mounted(listed(site));
  const std::string page = mounted.get("/").body;
  CHECK(links(page) == std::vector<std::string>{"./a/", "./z/", "./10", "./B.txt", "./b.txt", "./large"});
  CHECK(page.find("\">b.txt</a></td><td>5 B</td><td>2023-11-14 22:13</td>") != std::string::npos);
  CHECK(page.find("\">large</a></td><td>1.5 KiB</td>") != std::string::npos);
  CHECK(page.find("\">a/</a></td><td></td><td>2") != std::string::npos);
}

TEST_CASE("listing: sizes in the unit that suits them") {
  const std::pair<std::uint64_t, const char*> sizes[] = {{0, "0 B"},
                                                         {1023, "1023 B"},
                                                         {1024, "1.0 KiB"},
                                                         {1024 * 1024 - 1, "1.0 MiB"},
                                                         {1024 * 1024, "1.0 MiB"},
                                                         {std::uint64_t{5} << 40U, "5.0 TiB"},
                                                         {~std::uint64_t{0}, "16.0 EiB"}};
  for (const auto& [size, text] : sizes) {
    const std::string page = listing_page({{{"f", FileKind::regular, size, 0}}, true}, "/", Parent::none);
    CHECK(page.find(base::concat("</a></td><td>", text, "</td>")) != std::string::npos);
  }
}

TEST_CASE("listing: names are text and never markup, and every link leads to its file") {
  const WwwFolder site;
  const std::vector<std::string> names{
      "<script>alert(1)<", "a\"b'c", "javascript:alert(1)", "a&amp;b", "a?b#c%41", "w\xC3\xB6rld", "x y", "\xFF\xFE",
      "new\nline",         "https:"};
  for (const std::string& name : names) site.write(name, name);
  Mounted mounted(listed(site));
  const std::string page = mounted.get("/").body;
  CHECK(page.find("<script") == std::string::npos);
  std::vector<std::string> found;
  for (const std::string& link : links(page)) {
    CAPTURE(link);
    REQUIRE(link.starts_with("./"));
    found.push_back(mounted.get(link.substr(1)).body);
  }
  std::vector<std::string> wanted = names;
  std::sort(wanted.begin(), wanted.end());
  CHECK(found == wanted);
  CHECK(page.find("&lt;script&gt;alert(1)&lt;") != std::string::npos);
  CHECK(page.find("a&amp;amp;b") != std::string::npos);
  CHECK(page.find("a&quot;b&#39;c") != std::string::npos);
  fs::create_directory(site.www() / "<b>");
  CHECK(mounted.get("/%3Cb%3E/").body.find("<title>/&lt;b&gt;/</title>") != std::string::npos);
}

TEST_CASE("listing: names that cannot be requested are not shown") {
  const WwwFolder site;
  site.write("../secret/file", "secret");
  site.write("shown", "x");
  site.write(".hidden", "x");
  site.write(".folder/x", "x");
  site.write("back\\slash", "x");
  site.write("folder/x", "x");
  REQUIRE(mkfifo((site.www() / "pipe").c_str(), 0644) == 0);
  fs::create_symlink("shown", site.www() / "link");
  fs::create_symlink(site.www() / "shown", site.www() / "absolute");
  fs::create_directory_symlink("../www/folder", site.www() / "folder-link");
  fs::create_symlink("../secret/file", site.www() / "out");
  fs::create_directory_symlink("../secret", site.www() / "out-folder");
  fs::create_directory_symlink("/", site.www() / "root");
  fs::create_symlink("nowhere", site.www() / "dangling");
  fs::create_symlink("pipe", site.www() / "pipe-link");
  fs::create_symlink("../shown", site.www() / "folder/up");
  fs::create_symlink("../../secret/file", site.www() / "folder/out");
  Mounted mounted(listed(site));
  CHECK(links(mounted.get("/").body) == std::vector<std::string>{"./folder/", "./folder-link/", "./absolute", "./link", "./shown"});
  CHECK(links(mounted.get("/folder/").body) == std::vector<std::string>{"../", "./up", "./x"});
  CHECK(mounted.get("/out-folder/").status == 404);
  CHECK(mounted.get("/root/").status == 404);
  CHECK(mounted.get("/.folder/").status == 404);
}

TEST_CASE("listing: no more names are looked at than Files::listed") {
  const WwwFolder site;
  for (int i = 0; i < 12; ++i) site.write(base::concat("file", i), "x");
  Files files = listed(site);
  CHECK(files.listed == 10'000);
  files.listed = 12;
  Mounted all(files);
  CHECK(links(all.get("/").body).size() == 12);
  CHECK(all.get("/").body.find("There are more names") == std::string::npos);
  files.listed = 11;
  Mounted some(files);
  const std::string page = some.get("/").body;
  CHECK(links(page).size() <= 11);
  CHECK(links(page).size() >= 9);
  CHECK(page.find("There are more names") != std::string::npos);
}

TEST_CASE("listing: the policy lets the page have its own style and nothing else") {
  const WwwFolder site;
  Mounted mounted(listed(site));
  const Answer answer = mounted.get("/");
  const std::string hash = hash_of_style(answer.body);
  CHECK(answer.field("Content-Security-Policy") ==
        "default-src 'none'; style-src " + hash + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  CHECK(answer.body.find("<script") == std::string::npos);
  CHECK(answer.body.find("style=") == std::string::npos);
}

TEST_CASE("listing: every policy of a response with security fields allows the style of the page") {
  const WwwFolder site;
  site.write("index/index.html", "index");
  const std::string mark = "\r\nContent-Security-Policy: ";
  VirtualHost host;
  host.mounts = {{"/", listed(site)}, {"/plain/", Files{site.www()}}};
  for (Mount& mount : host.mounts) mount.security = SecurityFields::on;
  Served served({host});
  const Answer answer = served.get("/");
  CHECK(answer.status == 200);
  const std::string hash = hash_of_style(answer.body);
  const std::vector<std::string> policies = between(answer.head, mark, "\r\n");
  REQUIRE(policies.size() == 2);
  for (const std::string& policy : policies) {
    CAPTURE(policy);
    const std::vector<std::string> sources = between(policy, "; style-src ", ";");
    REQUIRE(sources.size() == 1);
    CHECK((sources[0] == hash || sources[0].ends_with(" " + hash)));
    CHECK(between(policy, "; script-src", ";").empty());
    CHECK(policy.find("unsafe") == std::string::npos);
  }
  CHECK(between(served.get("/index/").head, mark, "\r\n").size() == 1);
  const std::vector<std::string> plain = between(served.get("/plain/index/").head, mark, "\r\n");
  REQUIRE(plain.size() == 1);
  CHECK(plain[0] == "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'");
}

TEST_CASE("listing: conditions, for a page without validators") {
  const WwwFolder site;
  Mounted mounted(listed(site));
  CHECK(mounted.get("/", "If-Match: \"x\"\r\n").status == 412);
  CHECK(mounted.get("/", "If-Match: *\r\n").status == 200);
  CHECK(mounted.get("/", "If-None-Match: \"x\"\r\n").status == 200);
  CHECK(mounted.get("/", "Range: bytes=0-1\r\n").status == 200);
}

TEST_CASE("listing: a folder is read on another thread, once for all who ask") {
  const WwwFolder site;
  site.write("sub/file", "x");
  TestOutside thread;
  Mounted mounted(listed(site), settled_at_once(), &thread);
  std::vector<std::unique_ptr<session::MemoryLink>> clients;
  for (const char* target : {"/", "/", "/sub/"}) {
    clients.push_back(mounted.connect());
    clients.back()->receive(Mounted::head("GET", target));
    CHECK(clients.back()->take().empty());
  }
  CHECK(thread.waiting() == 2);
  thread.do_one();
  thread.do_one();
  for (const auto& link : clients) {
    link->run();
    const Answer answer = Mounted::answer_on(*link);
    CHECK(answer.status == 200);
    CHECK(links(answer.body).size() == (link == clients.back() ? 2 : 1));
    link->abort();
    link->run();
  }
}

namespace {

/// Clients that ask for listings and wait.
struct Askers {
  Askers(Mounted& mounted, const std::vector<std::string>& targets) {
    for (const std::string& target : targets) {
      links.push_back(mounted.connect());
      links.back()->receive(Mounted::head("GET", target));
    }
  }
  ~Askers() {
    for (const auto& link : links) {
      link->abort();
      link->run();
    }
  }
  Askers(const Askers&) = delete;
  Askers& operator=(const Askers&) = delete;
  int status(std::size_t which) const {
    links[which]->run();
    return Mounted::answer_on(*links[which]).status;
  }
  std::vector<std::unique_ptr<session::MemoryLink>> links;
};

std::vector<std::string> folders(const WwwFolder& site, int count) {
  std::vector<std::string> targets;
  for (int i = 0; i < count; ++i) {
    site.write(base::concat("f", i, "/name"), "x");
    targets.push_back(base::concat("/f", i, "/"));
  }
  return targets;
}

}  // namespace

TEST_CASE("listing: many folders at once are listed by other threads in turn, or it is 503, and never by the loop's") {
  const WwwFolder site;
  FileLimits limits = settled_at_once();
  limits.jobs = 4;
  limits.jobs_of_mount = 2;
  limits.waiting_listings = 3;
  TestOutside thread;
  Mounted mounted(listed(site), limits, &thread);
  const Askers askers(mounted, folders(site, 6));
  CHECK(thread.waiting() == 2);
  for (std::size_t i = 0; i < 5; ++i) CHECK(askers.status(i) == 0);
  const auto& refused = askers.links[5];
  const Answer answer = Mounted::answer_on(*refused);
  CHECK(answer.status == 503);
  CHECK(answer.field("Retry-After") == "1");
  const Askers same(mounted, {"/f4/"});  // that is in the queue already
  CHECK(same.status(0) == 0);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(thread.waiting() == std::min<std::size_t>(2, 5 - i));
    thread.do_one();
    CHECK(askers.status(i) == 200);
  }
  CHECK(same.status(0) == 200);
  CHECK(thread.waiting() == 0);
}

TEST_CASE("listing: one that nobody waits for any more is not begun") {
  const WwwFolder site;
  FileLimits limits = settled_at_once();
  limits.jobs_of_mount = 1;
  TestOutside thread;
  Mounted mounted(listed(site), limits, &thread);
  const std::vector<std::string> targets = folders(site, 3);
  const Askers first(mounted, {targets[0]});
  { const Askers gone(mounted, {targets[1]}); }
  const Askers last(mounted, {targets[2]});
  thread.do_one();
  CHECK(first.status(0) == 200);
  thread.do_one();
  CHECK(last.status(0) == 200);
  CHECK(thread.waiting() == 0);
}

TEST_CASE("listing: a mount whose disk hangs leaves threads to the others") {
  const WwwFolder slow;
  const WwwFolder quick;
  TestOutside thread;
  Mounted mounted(listed(slow), settled_at_once(), &thread);
  auto other = FileMount::open(listed(quick), mounted.shared);
  REQUIRE(other);
  const Askers hung(mounted, folders(slow, 10));
  CHECK(thread.waiting() == FileLimits{}.jobs_of_mount);
  CHECK(thread.abouts == std::vector<std::string>(thread.waiting(), slow.www()));  // by which all loops together leave some, too
  CHECK(mounted.shared.jobs.has_room(**other));
  CHECK_FALSE(mounted.shared.jobs.has_room(mounted.mount()));
  thread.drop_all();
}

TEST_CASE("listing: is kept for as long as the folder is the same, and at least a second") {
  const WwwFolder site;
  site.write("one", "x");
  TestOutside thread;
  Mounted mounted(listed(site), settled_at_once(), &thread);
  const auto names = [&mounted, &thread](bool reads) {
    const Askers asker(mounted, {"/"});
    CHECK(thread.waiting() == (reads ? 1 : 0));
    if (reads) thread.do_one();
    asker.links[0]->run();
    return links(Mounted::answer_on(*asker.links[0]).body).size();
  };
  CHECK(names(true) == 1);
  mounted.now += base::Time{5000};
  CHECK(names(false) == 1);
  site.write("two", "x");
  site.set_time(".", 1'700'000'000'000'000'000);  // the clock of the file system may stand still for a while
  CHECK(names(true) == 2);
  site.write("three", "x");
  site.set_time(".", 1'700'000'001'000'000'000);
  CHECK(names(false) == 2);  // less than a second old
  mounted.now += KeptListings::shortest;
  CHECK(names(true) == 3);
  mounted.now += KeptListings::longest - base::Time{1};
  CHECK(names(false) == 3);
  mounted.now += base::Time{1};
  CHECK(names(true) == 3);  // the sizes may have changed
  CHECK(mounted.shared.listings.size() == 1);
  mounted.unmount();
  CHECK(mounted.shared.listings.size() == 0);
  CHECK(mounted.shared.listings.bytes() == 0);
}

TEST_CASE("listing: one of a folder that has just changed is kept for a second and no longer") {
  const WwwFolder site;
  site.write("one", "x");
  const auto folder = OpenFolder::open(site.www());
  REQUIRE(folder);
  const FileIdentity as_it_is = folder->look(".").identity;
  FileLimits limits;
  for (const auto settling : {std::chrono::milliseconds(0), std::chrono::milliseconds(std::chrono::hours(1))}) {
    limits.settling = settling;
    Mounted mounted(listed(site), limits);
    CHECK(links(mounted.get("/").body).size() == 1);
    const auto is_kept = [&](base::Time age) {
      return static_cast<bool>(mounted.shared.listings.find(mounted.mount(), "/", as_it_is, mounted.now + age));
    };
    CHECK(is_kept(KeptListings::shortest - base::Time{1}));
    CHECK(is_kept(KeptListings::shortest) == (settling.count() == 0));  // a later change might not show
  }
}

TEST_CASE("listing: no more pages and bytes are kept than FileLimits says, those used last") {
  const WwwFolder site;
  const std::vector<std::string> targets = folders(site, 4);
  FileLimits limits = settled_at_once();
  limits.kept_listings = 3;
  Mounted mounted(listed(site), limits);
  for (const std::string& target : targets) mounted.get(target);
  CHECK(mounted.shared.listings.size() == 3);
  const std::size_t each = mounted.shared.listings.bytes() / 3;
  limits.kept_listing_bytes = each * 2;
  Mounted smaller(listed(site), limits);
  for (const std::string& target : targets) CHECK(smaller.get(target).status == 200);
  CHECK(smaller.shared.listings.size() == 2);
  CHECK(smaller.shared.listings.bytes() == each * 2);
  limits.kept_listing_bytes = each - 1;
  Mounted none(listed(site), limits);
  CHECK(none.get(targets[0]).status == 200);
  CHECK(none.shared.listings.size() == 0);
}
