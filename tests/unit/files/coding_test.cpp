#include <doctest/doctest.h>
#include <zlib.h>

#include <filesystem>
#include <string>

#include "codec/gzip.h"
#include "unit/files/mounted.h"
#include "unit/files/www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;
namespace fs = std::filesystem;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t changed = 1'700'000'000 * second;

std::string gzipped(std::string_view text) {
  std::string out;
  codec::GzipWriter writer;
  writer.write(text, out);
  writer.finish(out);
  return out;
}

const std::string every = "Accept-Encoding: gzip, deflate, br, zstd\r\n";
const std::string gzip_only = "Accept-Encoding: gzip\r\n";

/// A page with ready-made files that are not really compressed.
struct Site : WwwFolder {
  Site() {
    for (const char* name : {"page.html", "page.html.br", "page.html.zst", "page.html.gz"}) {
      write(name, std::string("this is ") + name);
      set_time(name, changed);
    }
  }
};

/// The response to a request for a file that another thread compresses first.
Answer get_made(Mounted& mounted, TestOutside& thread, std::string_view target) {
  const auto link = mounted.connect();
  link->receive(Mounted::head("GET", target, every));
  CHECK(link->take().empty());
  REQUIRE(thread.waiting() == 1);
  thread.do_one();
  link->run();
  Answer answer = Mounted::answer_on(*link);
  link->abort();
  link->run();
  return answer;
}

}  // namespace

TEST_CASE("file coding: the ready-made one that the client likes best (RFC 9110 section 12.5.3)") {
  const Site site;
  Mounted mounted({site.www()});
  const std::pair<const char*, const char*> cases[] = {{"gzip, deflate, br, zstd", "br"},
                                                       {"gzip, zstd", "zstd"},
                                                       {"x-gzip", "gzip"},
                                                       {"br;q=0.5, gzip", "gzip"},
                                                       {"*", "br"},
                                                       {"br;q=0, *", "zstd"},
                                                       {"deflate", "none"},
                                                       {"identity", "none"},
                                                       {"", "none"},
                                                       {"gzip;q=0", "none"},
                                                       {"identity, gzip;q=0.5", "none"},
                                                       {"identity;q=0, x", "none"}};
  for (const auto& each : cases) {
    const auto& accepted = each.first;
    const auto& coding = each.second;
    CAPTURE(accepted);
    for (int again = 0; again < 2; ++again) {
      const Answer answer = mounted.get("/page.html", base::concat("Accept-Encoding: ", accepted, "\r\n"));
      CHECK(answer.status == 200);
      CHECK(answer.field("Content-Encoding") == coding);
      CHECK(answer.field("Content-Type") == "text/html; charset=utf-8");
      CHECK(answer.field("Vary") == "Accept-Encoding");
      CHECK(answer.field("Accept-Ranges") == "bytes");
      const std::string_view suffix = coding == std::string("br") ? ".br" : coding == std::string("zstd") ? ".zst" : ".gz";
      CHECK(answer.body == (coding == std::string("none") ? "this is page.html" : base::concat("this is page.html", suffix)));
    }
  }
  const Answer none = mounted.get("/page.html");
  CHECK(none.field("Content-Encoding") == "none");
  CHECK(none.field("Vary") == "Accept-Encoding");
  CHECK(mounted.get("/page.html", "Accept-Encoding: gzip\r\nAccept-Encoding: br;q=0.5\r\n").field("Content-Encoding") == "gzip");
}

TEST_CASE("file coding: each representation has a tag of its own (RFC 9110 section 8.8.3.3)") {
  const Site site;
  Mounted mounted({site.www()});
  const std::string plain = mounted.get("/page.html").field("ETag");
  const std::string br = mounted.get("/page.html", "Accept-Encoding: br\r\n").field("ETag");
  const std::string gzip = mounted.get("/page.html", gzip_only).field("ETag");
  CHECK(plain != br);
  CHECK(plain != gzip);
  CHECK(br != gzip);
  const auto status = [&mounted](const std::string& tag) {
    return mounted.get("/page.html", base::concat(gzip_only, "If-None-Match: ", tag, "\r\n")).status;
  };
  CHECK(status(gzip) == 304);
  CHECK(status(plain) == 200);
  CHECK(status(br) == 200);
  const Answer answer = mounted.get("/page.html", base::concat(gzip_only, "If-None-Match: ", gzip, "\r\n"));
  CHECK(answer.field("ETag") == gzip);
  CHECK(answer.field("Vary") == "Accept-Encoding");
  CHECK(answer.field("Content-Encoding") == "none");
}

TEST_CASE("file coding: a range is one of the representation chosen (RFC 9110 section 14.2)") {
  const Site site;
  Mounted mounted({site.www()});
  const Answer one = mounted.get("/page.html", gzip_only + "Range: bytes=-3\r\n");
  CHECK(one.status == 206);
  CHECK(one.body == ".gz");
  CHECK(one.field("Content-Encoding") == "gzip");
  CHECK(one.field("Content-Range") == "bytes 17-19/20");
  const Answer several = mounted.get("/page.html", gzip_only + "Range: bytes=0-1,4-5\r\n");
  CHECK(several.status == 200);  // multipart/byteranges has no place for a content coding
  CHECK(several.body == "this is page.html.gz");
  CHECK(mounted.get("/page.html", gzip_only + "Range: bytes=20-\r\n").field("Content-Range") == "bytes */20");
}

TEST_CASE("file coding: a file that was compressed before its original was changed does not count") {
  const Site site;
  Mounted mounted({site.www()});
  const auto coding = [&mounted] {
    mounted.now += base::Time{1000};
    return mounted.get("/page.html", every).field("Content-Encoding");
  };
  site.set_time("page.html.br", changed - 1);  // a second earlier
  CHECK(coding() == "zstd");
  site.set_time("page.html.br", changed);
  CHECK(coding() == "br");
  site.set_time("page.html", changed + second - 1);  // the same second
  CHECK(coding() == "br");
  site.set_time("page.html", changed + second);
  CHECK(coding() == "none");
  site.set_time("page.html.gz", changed + 100 * second);
  CHECK(coding() == "gzip");
}

TEST_CASE("file coding: ready-made ones that come, change and go") {
  const Site site;
  Mounted mounted({site.www()});
  const auto answer = [&mounted](base::Time later) {
    mounted.now += later;
    return mounted.get("/page.html", every);
  };
  CHECK(answer(base::Time{1}).body == "this is page.html.br");
  site.write("page.html.br", "changed");
  CHECK(answer(base::Time{1}).body == "changed");
  fs::remove(site.www() / "page.html.br");
  CHECK(answer(base::Time{1}).body == "this is page.html.zst");
  fs::remove(site.www() / "page.html.zst");
  fs::remove(site.www() / "page.html.gz");
  CHECK(answer(base::Time{1}).body == "this is page.html");
  site.write("page.html.gz", "new");
  CHECK(answer(base::Time{1000}).body == "new");  // it is looked for once a second
  fs::remove(site.www() / "page.html.gz");
  fs::create_symlink(site.write("../secret", "secret"), site.www() / "page.html.gz");
  CHECK(answer(base::Time{1000}).body == "this is page.html");
  fs::remove(site.www() / "page.html.gz");
  fs::create_directory(site.www() / "page.html.gz");
  CHECK(answer(base::Time{1000}).body == "this is page.html");
}

TEST_CASE("file coding: ready-made ones are files of their own, and files of any type have them") {
  const Site site;
  site.write("picture.png", "png");
  site.write("picture.png.br", "compressed png");
  site.write("lone.txt.gz", "lone");
  Mounted mounted({site.www()});
  const Answer direct = mounted.get("/page.html.gz", every);
  CHECK(direct.body == "this is page.html.gz");
  CHECK(direct.field("Content-Type") == "application/gzip");
  CHECK(direct.field("Content-Encoding") == "none");
  CHECK(direct.field("Vary") == "none");
  CHECK(mounted.get("/picture.png", every).body == "compressed png");
  CHECK(mounted.get("/picture.png").field("Vary") == "Accept-Encoding");
  CHECK(mounted.get("/lone.txt", every).status == 404);
}

TEST_CASE("file coding: none is looked for if the mount has none") {
  const Site site;
  Files files{site.www()};
  files.ready_made = Precompressed::off;
  Mounted mounted(files);
  const Answer answer = mounted.get("/page.html", every);
  CHECK(answer.body == "this is page.html");
  CHECK(answer.field("Vary") == "none");
}

TEST_CASE("file coding: a folder's index has them too") {
  const Site site;
  site.write("index.html", "index");
  site.write("index.html.br", "index.br");
  Mounted mounted({site.www()});
  CHECK(mounted.get("/", every).body == "index.br");
  CHECK(mounted.get("/").body == "index");
}

// ---- Compressed here ----

TEST_CASE("file coding: compressible files are compressed") {
  const WwwFolder site;
  const std::string page = page_of(5000);
  site.write("page.html", page);
  Mounted mounted({site.www()});
  const Answer answer = mounted.get("/page.html", every);
  CHECK(answer.status == 200);
  CHECK(answer.body == gzipped(page));
  CHECK(answer.field("Content-Encoding") == "gzip");
  CHECK(answer.field("Content-Length") == std::to_string(gzipped(page).size()));
  CHECK(answer.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(answer.field("Vary") == "Accept-Encoding");
  CHECK(answer.field("Accept-Ranges") == "none");
  CHECK(answer.field("Last-Modified") != "none");
  const Answer plain = mounted.get("/page.html");
  CHECK(plain.body == page);
  CHECK(plain.field("Vary") == "Accept-Encoding");
  CHECK(plain.field("ETag") != answer.field("ETag"));
  const Answer head = mounted.ask(Mounted::head("HEAD", "/page.html", every));
  CHECK(head.head == answer.head);
  CHECK(head.body.empty());
}

TEST_CASE("file coding: a file that is compressed here has conditions, but no ranges") {
  const WwwFolder site;
  const std::string page = page_of(5000);
  site.write("page.html", page);
  Mounted mounted({site.www()});
  Answer answer;
  for (int again = 0; again < 2; ++again) {
    answer = mounted.get("/page.html", gzip_only + "Range: bytes=0-9\r\n");
    CHECK(answer.status == 200);
    CHECK(answer.body == gzipped(page));
  }
  const std::string condition = "If-None-Match: " + answer.field("ETag") + "\r\n";
  CHECK(mounted.get("/page.html", gzip_only + condition).status == 304);
  CHECK(mounted.get("/page.html", gzip_only + "If-Match: \"x\"\r\n").status == 412);
  CHECK(mounted.get("/page.html", "Range: bytes=0-9\r\n").body == page.substr(0, 10));
  TestOutside thread;
  site.write("long.html", page_of(100'000));
  Mounted threaded({site.www()}, settled_at_once(), &thread);
  CHECK(threaded.get("/long.html", gzip_only + "If-None-Match: *\r\n").status == 304);
  CHECK(thread.waiting() == 0);  // nothing has to be compressed to know that
}

TEST_CASE("file coding: only files that are worth it, and not too long for it") {
  const WwwFolder site;
  Files files{site.www()};
  files.compress_from = 2000;
  files.compress_to = 3000;
  site.write("less.txt", page_of(1999));
  site.write("least.txt", page_of(2000));
  site.write("most.txt", page_of(3000));
  site.write("more.txt", page_of(3001));
  site.write("noise.txt", noise(2500));
  site.write("page.png", page_of(2500));
  Mounted mounted(files);
  const auto coding = [&mounted](const char* target) { return mounted.get(target, gzip_only).field("Content-Encoding"); };
  CHECK(coding("/less.txt") == "none");
  CHECK(coding("/least.txt") == "gzip");
  CHECK(coding("/most.txt") == "gzip");
  CHECK(coding("/more.txt") == "none");
  CHECK(coding("/page.png") == "none");
  for (int i = 0; i < 2; ++i) {
    CHECK(coding("/noise.txt") == "none");  // it would not become shorter
    CHECK(mounted.get("/noise.txt", gzip_only).body == noise(2500));
  }
  CHECK(mounted.get("/less.txt").field("Vary") == "none");
  files.compression = OnTheFly::off;
  Mounted off(files);
  CHECK(off.get("/least.txt", gzip_only).field("Content-Encoding") == "none");
  CHECK(off.get("/least.txt").field("Vary") == "none");
}

TEST_CASE("file coding: defaults") {
  const Files files;
  CHECK(files.compress_from == 1024);
  CHECK(files.compress_to == 8 * 1024 * 1024);
  const WwwFolder site;
  site.write("less.txt", page_of(1023));
  site.write("enough.txt", page_of(1024));
  Mounted mounted({site.www()});
  CHECK(mounted.get("/less.txt", every).field("Content-Encoding") == "none");
  CHECK(mounted.get("/enough.txt", every).field("Content-Encoding") == "gzip");
}

TEST_CASE("file coding: long files are compressed on another thread, once for all who ask") {
  const WwwFolder site;
  const std::string page = page_of(100'000);
  site.write("page.html", page);
  TestOutside thread;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  const auto first = mounted.connect();
  const auto second_one = mounted.connect();
  const auto leaver = mounted.connect();
  for (const auto& link : {first.get(), second_one.get(), leaver.get()}) {
    link->receive(Mounted::head(link == second_one.get() ? "HEAD" : "GET", "/page.html", every));
    CHECK(link->take().empty());
  }
  CHECK(thread.waiting() == 1);
  CHECK(mounted.get("/page.html").body == page);  // others do not wait
  leaver->abort();
  leaver->run();
  thread.do_one();
  first->run();
  second_one->run();
  const Answer answer = Mounted::answer_on(*first);
  CHECK(answer.body == gzipped(page));
  CHECK(Mounted::answer_on(*second_one).head == answer.head);
  CHECK(mounted.get("/page.html", every).body == gzipped(page));
  mounted.next_turn();
  CHECK(mounted.get("/page.html", every).body == gzipped(page));
  CHECK(thread.waiting() == 0);
  first->receive(Mounted::head("GET", "/page.html"));  // the connection goes on
  CHECK(Mounted::answer_on(*first).body == page);
  for (const auto& link : {first.get(), second_one.get()}) {
    link->abort();
    link->run();
  }
}

TEST_CASE("file coding: up to 16 KiB are compressed on the loop's thread, one byte more on another") {
  const WwwFolder site;
  site.write("short.txt", page_of(16 * 1024));
  site.write("long.txt", page_of(16 * 1024 + 1));
  TestOutside thread;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  CHECK(mounted.get("/short.txt", every).body == gzipped(page_of(16 * 1024)));
  CHECK(thread.waiting() == 0);
  CHECK(get_made(mounted, thread, "/long.txt").body == gzipped(page_of(16 * 1024 + 1)));
}

TEST_CASE("file coding: a long file that is no shorter when compressed comes as it is, and is not tried again") {
  const WwwFolder site;
  site.write("noise.txt", noise(100'000));
  TestOutside thread;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  const Answer answer = get_made(mounted, thread, "/noise.txt");
  CHECK(answer.field("Content-Encoding") == "none");
  CHECK(answer.body == noise(100'000));
  CHECK(mounted.get("/noise.txt", every).body == noise(100'000));
  CHECK(thread.waiting() == 0);
}

TEST_CASE("file coding: a file that changes while it is compressed") {
  const WwwFolder site;
  site.write("page.html", page_of(100'000));
  TestOutside thread;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  const auto old = mounted.connect();
  old->receive(Mounted::head("GET", "/page.html", every));
  mounted.next_turn();
  site.write("page.html", "short now");
  CHECK(mounted.get("/page.html", every).body == "short now");
  const std::string again = page_of(90'000);
  mounted.next_turn();
  site.write("page.html", again);
  const auto later = mounted.connect();
  later->receive(Mounted::head("GET", "/page.html", every));
  CHECK(thread.waiting() == 2);
  thread.do_one();
  old->run();
  const Answer answer = Mounted::answer_on(*old);
  CHECK(answer.body == again);  // the old content is gone
  CHECK(answer.field("Content-Encoding") == "none");
  thread.do_one();
  later->run();
  CHECK(Mounted::answer_on(*later).body == gzipped(again));
  CHECK(mounted.get("/page.html", every).body == gzipped(again));
  for (const auto& link : {old.get(), later.get()}) {
    link->abort();
    link->run();
  }
}

TEST_CASE("file coding: if a file changes while it is compressed, the result is for those who asked before, and not kept") {
  const WwwFolder site;
  site.write("page.html", page_of(100'000));
  TestOutside thread;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  const auto before = mounted.connect();
  before->receive(Mounted::head("GET", "/page.html", every));
  thread.do_task();
  site.write("page.html", page_of(90'000));
  mounted.next_turn();
  const auto after = mounted.connect();
  after->receive(Mounted::head("GET", "/page.html", every));
  thread.tell();
  before->run();
  CHECK(Mounted::answer_on(*before).body == gzipped(page_of(100'000)));
  CHECK(after->take().empty());
  const auto later = mounted.connect();
  later->receive(Mounted::head("GET", "/page.html", every));
  CHECK(later->take().empty());
  thread.do_one();
  for (const auto& link : {after.get(), later.get()}) {
    link->run();
    CHECK(Mounted::answer_on(*link).body == gzipped(page_of(90'000)));
  }
  for (const auto& link : {before.get(), after.get(), later.get()}) {
    link->abort();
    link->run();
  }
}

TEST_CASE("file coding: no more jobs at once than FileLimits::jobs; then files come as they are") {
  const WwwFolder site;
  FileLimits limits = settled_at_once();
  limits.jobs = 2;
  TestOutside thread;
  for (const char* name : {"a.txt", "b.txt", "c.txt"}) site.write(name, page_of(100'000));
  Mounted mounted({site.www()}, limits, &thread);
  std::vector<std::unique_ptr<session::MemoryLink>> links;
  for (const char* name : {"/a.txt", "/b.txt", "/a.txt"}) {
    links.push_back(mounted.connect());
    links.back()->receive(Mounted::head("GET", name, every));
    CHECK(links.back()->take().empty());
  }
  CHECK(thread.waiting() == 2);
  const Answer answer = mounted.get("/c.txt", every);
  CHECK(answer.field("Content-Encoding") == "none");
  CHECK(answer.field("Vary") == "Accept-Encoding");
  CHECK(answer.body == page_of(100'000));
  thread.do_one();
  thread.do_one();
  for (const auto& link : links) {
    link->run();
    CHECK(Mounted::answer_on(*link).field("Content-Encoding") == "gzip");
    link->abort();
    link->run();
  }
}

TEST_CASE("file coding: if other threads accept no more, files are sent uncompressed, and tried again") {
  const WwwFolder site;
  site.write("page.html", page_of(100'000));
  TestOutside thread;
  thread.full = Executor::files;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  CHECK(mounted.get("/page.html", every).body == page_of(100'000));
  CHECK(thread.waiting() == 0);
  thread.full = Executor::passwords;
  CHECK(get_made(mounted, thread, "/page.html").field("Content-Encoding") == "gzip");
}

TEST_CASE("file coding: the loop stops, or the mount is destroyed, while somebody waits") {
  const WwwFolder site;
  site.write("page.html", page_of(100'000));
  TestOutside thread;
  Mounted mounted({site.www()}, settled_at_once(), &thread);
  const auto dropped = mounted.connect();
  dropped->receive(Mounted::head("GET", "/page.html", every));
  thread.drop_all();
  dropped->abort();
  dropped->run();
  site.write("other.html", page_of(100'000));
  const auto waiting = mounted.connect();
  waiting->receive(Mounted::head("GET", "/other.html", every));
  REQUIRE(thread.waiting() == 1);
  mounted.unmount();
  waiting->run();
  CHECK(Mounted::answer_on(*waiting).status == 503);
  thread.do_one();
  waiting->abort();
  waiting->run();
}

TEST_CASE("file coding: a compressed file that is too long to be kept is sent as it is") {
  const WwwFolder site;
  FileLimits limits = settled_at_once();
  limits.cached_bytes = 40'000;
  std::string half;  // compresses to some 15,000 bytes
  for (const char c : noise(20'000)) half += std::string(3, static_cast<char>('a' + (static_cast<unsigned char>(c) >> 3U)));
  site.write("half.txt", half);
  site.write("page.txt", page_of(50'000));
  Mounted mounted({site.www()}, limits);
  REQUIRE(gzipped(half).size() > 10'000);
  REQUIRE(gzipped(page_of(50'000)).size() < 10'000);
  CHECK(mounted.get("/half.txt", every).field("Content-Encoding") == "none");
  CHECK(mounted.get("/page.txt", every).field("Content-Encoding") == "gzip");
}
