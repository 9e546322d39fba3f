#include "files/response.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "codec/http/date.h"
#include "unit/files/mounted.h"
#include "unit/files/www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::time_t changed = 1'700'000'000;

std::string date(std::time_t when) { return std::string(codec::HttpDate(when).text()); }

/// Ten bytes in memory and 200,000 on disk, both last changed at `changed`.
struct Site : WwwFolder {
  Site() : long_text(noise(200'000)) {
    write("short.txt", "0123456789");
    write("long.bin", long_text);
    write("empty.txt", "");
    for (const char* name : {"short.txt", "long.bin", "empty.txt"}) set_time(name, changed * second + 123'456'789);
  }
  std::string long_text;
};

/// A part of a multipart/byteranges body.
struct RangePart {
  std::string head;
  std::string bytes;
};

/// Cuts the body by its boundary, to the letter of RFC 2046 section 5.1.1.
std::vector<RangePart> parts_of(const Answer& answer) {
  const std::string type = answer.field("Content-Type");
  const std::string start = "multipart/byteranges; boundary=";
  REQUIRE(type.starts_with(start));
  const std::string boundary = type.substr(start.size());
  const std::string delimiter = "\r\n--" + boundary;
  std::string rest = "\r\n" + answer.body;
  REQUIRE(rest.starts_with(delimiter + "\r\n"));
  REQUIRE(rest.ends_with(delimiter + "--\r\n"));
  rest.resize(rest.size() - delimiter.size() - 4);
  std::vector<RangePart> parts;
  while (!rest.empty()) {
    rest.erase(0, delimiter.size() + 2);
    const std::size_t head_end = rest.find("\r\n\r\n");
    REQUIRE(head_end != std::string::npos);
    const std::size_t end = std::min(rest.find(delimiter), rest.size());
    parts.push_back({rest.substr(0, head_end + 2), rest.substr(head_end + 4, end - head_end - 4)});
    rest.erase(0, end);
  }
  return parts;
}

}  // namespace

TEST_CASE("file response: validators (RFC 9110 sections 8.8.2 and 8.8.3)") {
  const Site site;
  Mounted mounted({site.www()});
  const Answer answer = mounted.get("/short.txt");
  CHECK(answer.field("Last-Modified") == date(changed));
  const std::string etag = answer.field("ETag");
  CHECK(etag.size() > 10);
  CHECK(etag.front() == '"');
  CHECK(etag.back() == '"');
  CHECK(etag.starts_with("\"a-1797"));  // the size and the time, in hexadecimal
  mounted.next_turn();
  CHECK(mounted.get("/short.txt").field("ETag") == etag);
  CHECK(mounted.get("/long.bin").field("ETag") != etag);
  site.set_time("short.txt", changed * second + 123'456'790);  // within the same second
  mounted.next_turn();
  const Answer later = mounted.get("/short.txt");
  CHECK(later.field("ETag") != etag);
  CHECK(later.field("Last-Modified") == date(changed));
}

TEST_CASE("file response: Last-Modified is not in the future (RFC 9110 section 8.8.2.1)") {
  const Site site;
  const std::time_t before = std::time(nullptr);
  site.set_time("short.txt", (before + 1'000'000) * second);
  Mounted mounted({site.www()});
  const auto modified = codec::parse_http_date(mounted.get("/short.txt").field("Last-Modified"), before);
  REQUIRE(modified);
  CHECK(*modified >= before);
  CHECK(*modified <= std::time(nullptr));
}

TEST_CASE("file response: files of the years 2400 and 1600, which nanoseconds since 1970 do not reach") {
  const Site site;
  for (const std::time_t when : {std::time_t{13'569'465'600}, std::time_t{-11'676'096'000}}) {
    CAPTURE(when);
    const timespec time{when, 999'999'999};
    const timespec times[] = {time, time};
    const std::string file = site.www() / "short.txt";
    REQUIRE(utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
    struct stat found {};
    REQUIRE(::stat(file.c_str(), &found) == 0);  // not every file system reaches as far
    const std::time_t before = std::time(nullptr);
    Mounted mounted({site.www()});
    const Answer answer = mounted.get("/short.txt");
    CHECK(answer.status == 200);
    CHECK(answer.body == "0123456789");
    const auto modified = codec::parse_http_date(answer.field("Last-Modified"), before);
    REQUIRE(modified);
    if (when > 0) {
      CHECK(*modified >= before);
      CHECK(*modified <= std::time(nullptr));
    } else {
      constexpr std::time_t most = std::numeric_limits<std::int64_t>::max() / second - 1;
      CHECK(*modified >= std::max(found.st_mtim.tv_sec, -most));
      CHECK(*modified <= std::max(found.st_mtim.tv_sec, -most) + 1);
      CHECK(mounted.get("/short.txt", "If-Modified-Since: " + date(before) + "\r\n").status == 304);
    }
    CHECK(mounted.get("/short.txt", "If-None-Match: " + answer.field("ETag") + "\r\n").status == 304);
    CHECK(mounted.get("/short.txt", "If-None-Match: \"x\"\r\n").status == 200);
    mounted.next_turn();
    CHECK(mounted.get("/short.txt").field("ETag") == answer.field("ETag"));
  }
}

TEST_CASE("file response: by time and size, copies on several machines have one tag (RFC 9110 section 8.8.3)") {
  const Site here;
  const Site there;
  Files files_here{here.www()};
  Files files_there{there.www()};
  files_here.etag = files_there.etag = EntityTags::by_time_and_size;
  there.set_time("short.txt", changed * second);  // as tar has it
  Mounted one(files_here);
  Mounted other(files_there);
  CHECK(one.get("/short.txt").field("ETag") == other.get("/short.txt").field("ETag"));
  CHECK(one.get("/long.bin").field("ETag") == other.get("/long.bin").field("ETag"));
  CHECK(one.get("/long.bin").field("ETag") != one.get("/short.txt").field("ETag"));
  const Answer by_inode = Mounted({here.www()}).get("/short.txt");
  CHECK(by_inode.field("ETag") != one.get("/short.txt").field("ETag"));
  CHECK(by_inode.field("ETag") != Mounted({there.www()}).get("/short.txt").field("ETag"));

  there.set_time("short.txt", (changed + 1) * second);
  other.next_turn();
  CHECK(one.get("/short.txt").field("ETag") != other.get("/short.txt").field("ETag"));
  there.write("short.txt", "012345678");
  there.set_time("short.txt", changed * second);
  other.next_turn();
  CHECK(one.get("/short.txt").field("ETag") != other.get("/short.txt").field("ETag"));
}

TEST_CASE("file response: by time and size, a change in the same second is another tag until it has settled") {
  const Site site;
  Files files{site.www()};
  files.etag = EntityTags::by_time_and_size;
  Mounted mounted(files, FileLimits{});
  const auto write_at = [&site](std::string_view text) {  // returns when the file was changed, which nobody can set
    site.write("new.txt", text);
    site.set_time("new.txt", changed * second);
    struct stat found {};
    REQUIRE(::stat((site.www() / "new.txt").c_str(), &found) == 0);
    return std::pair(found.st_ctim.tv_sec, found.st_ctim.tv_nsec);
  };
  const auto before = write_at("first");
  const std::string first = mounted.get("/new.txt").field("ETag");
  while (write_at("other") == before) std::this_thread::yield();  // the clock of the file system may stand still for a while
  mounted.next_turn();
  CHECK(mounted.get("/new.txt").field("ETag") != first);
  CHECK(mounted.get("/new.txt", "If-None-Match: " + first + "\r\n").body == "other");
}

TEST_CASE("file response: by time and size, files of a store that keeps no times are told apart all the same") {
  const Site site;
  Files files{site.www()};
  files.etag = EntityTags::by_time_and_size;
  for (const std::int64_t when : {std::int64_t{0}, std::int64_t{1}}) {
    site.write("a.txt", "one");
    site.write("b.txt", "two");
    for (const char* name : {"a.txt", "b.txt"}) site.set_time(name, when * second);
    Mounted mounted(files);
    CHECK(mounted.get("/a.txt").field("ETag") != mounted.get("/b.txt").field("ETag"));
  }
}

TEST_CASE("file response: other content of the same size, dated back, has another ETag (RFC 9110 section 8.8.3)") {
  const Site site;
  Mounted mounted({site.www()});
  const Answer before = mounted.get("/short.txt");
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // the system's clock for files is coarse
  site.write("short.txt", "9876543210");
  site.set_time("short.txt", changed * second + 123'456'789);
  mounted.next_turn();
  const Answer after = mounted.get("/short.txt");
  CHECK(after.body == "9876543210");
  CHECK(after.field("Last-Modified") == before.field("Last-Modified"));
  CHECK(after.field("ETag") != before.field("ETag"));
  CHECK(mounted.get("/short.txt", "If-None-Match: " + before.field("ETag") + "\r\n").body == "9876543210");
  CHECK(mounted.get("/short.txt", "If-None-Match: " + after.field("ETag") + "\r\n").status == 304);
  CHECK(mounted.get("/short.txt", "Range: bytes=0-1\r\nIf-Range: " + before.field("ETag") + "\r\n").status == 200);
  CHECK(mounted.get("/short.txt", "Range: bytes=0-1\r\nIf-Range: " + after.field("ETag") + "\r\n").body == "98");
}

TEST_CASE("file response: If-None-Match (RFC 9110 section 13.1.2)") {
  const Site site;
  Mounted mounted({site.www()});
  for (const char* target : {"/short.txt", "/long.bin"}) {
    const std::string etag = mounted.get(target).field("ETag");
    for (const std::string& value : {etag, "W/" + etag, "\"x\", " + etag, std::string("*"), "\"x\"\r\nIf-None-Match: " + etag}) {
      CAPTURE(value);
      for (const char* method : {"GET", "HEAD"}) {
        const Answer answer = mounted.ask(Mounted::head(method, target, "If-None-Match: " + value + "\r\n"));
        CHECK(answer.status == 304);
        CHECK(answer.body.empty());
        CHECK_FALSE(answer.closed);
      }
    }
    for (const std::string value : {"\"x\"", "x", "", "W/\"x\""})
      CHECK(mounted.get(target, "If-None-Match: " + value + "\r\n").status == 200);
  }
}

TEST_CASE("file response: a 304 has what a cache needs, and no more (RFC 9110 section 15.4.5)") {
  const Site site;
  site.write("text.txt", std::string(2000, 'x'));
  Files files{site.www()};
  files.cache_control = "max-age=60";
  Mounted mounted(files);
  const Answer whole = mounted.get("/text.txt");
  const Answer answer = mounted.get("/text.txt", "If-None-Match: " + whole.field("ETag") + "\r\n");
  CHECK(answer.status == 304);
  for (const char* name : {"ETag", "Cache-Control", "Vary"}) {
    CHECK(answer.field(name) != "none");
    CHECK(answer.field(name) == whole.field(name));
  }
  CHECK(answer.field("Date") != "none");
  for (const char* name : {"Content-Type", "Content-Length", "Content-Encoding", "Last-Modified", "Accept-Ranges"})
    CHECK(answer.field(name) == "none");
}

TEST_CASE("file response: If-Modified-Since (RFC 9110 section 13.1.3)") {
  const Site site;
  Mounted mounted({site.www()});
  const auto status = [&mounted](const std::string& when) {
    return mounted.get("/short.txt", "If-Modified-Since: " + when + "\r\n").status;
  };
  CHECK(status(date(changed)) == 304);
  CHECK(status(date(changed + 1)) == 304);
  CHECK(status(date(changed - 1)) == 200);
  CHECK(status("yesterday") == 200);
  // Ignored beside If-None-Match.
  CHECK(status(date(changed) + "\r\nIf-None-Match: \"x\"") == 200);
}

TEST_CASE("file response: If-Match and If-Unmodified-Since (RFC 9110 sections 13.1.1 and 13.1.4)") {
  const Site site;
  Mounted mounted({site.www()});
  const std::string etag = mounted.get("/short.txt").field("ETag");
  const auto status = [&mounted](const std::string& fields) { return mounted.get("/short.txt", fields + "\r\n").status; };
  CHECK(status("If-Match: " + etag) == 200);
  CHECK(status("If-Match: *") == 200);
  CHECK(status("If-Match: \"x\", " + etag) == 200);
  CHECK(status("If-Match: W/" + etag) == 412);
  CHECK(status("If-Match: \"x\"") == 412);
  CHECK(status("If-Unmodified-Since: " + date(changed)) == 200);
  CHECK(status("If-Unmodified-Since: " + date(changed - 1)) == 412);
  CHECK(status("If-Match: " + etag + "\r\nIf-Unmodified-Since: " + date(changed - 1)) == 200);
  CHECK(status("If-Match: \"x\"\r\nIf-None-Match: " + etag) == 412);
  CHECK(status("If-Match: " + etag + "\r\nIf-None-Match: " + etag) == 304);
  // Conditions apply only to something that exists (section 13.2.1).
  CHECK(mounted.get("/missing", "If-Match: *\r\n").status == 404);
  CHECK(mounted.get("/missing", "If-None-Match: *\r\n").status == 404);
}

TEST_CASE("file response: one range (RFC 9110 section 14.2)") {
  const Site site;
  Mounted mounted({site.www()});
  struct Case {
    const char* target;
    const char* range;
    std::size_t first;
    std::size_t size;
  };
  const Case cases[] = {{"/short.txt", "0-0", 0, 1},
                        {"/short.txt", "2-4", 2, 3},
                        {"/short.txt", "7-", 7, 3},
                        {"/short.txt", "-1", 9, 1},
                        {"/short.txt", "-100", 0, 10},
                        {"/short.txt", "5-100", 5, 5},
                        {"/short.txt", "0-4,5-9", 0, 10},
                        {"/long.bin", "0-0", 0, 1},
                        {"/long.bin", "199999-", 199'999, 1},
                        {"/long.bin", "-65537", 134'463, 65'537},
                        {"/long.bin", "1-199998", 1, 199'998},
                        {"/long.bin", "100-150099", 100, 150'000}};
  for (const Case& each : cases) {
    CAPTURE(each.target);
    CAPTURE(each.range);
    const Answer whole = mounted.get(each.target);
    const Answer answer = mounted.get(each.target, base::concat("Range: bytes=", each.range, "\r\n"));
    CHECK(answer.status == 206);
    CHECK(answer.body == whole.body.substr(each.first, each.size));
    CHECK(answer.field("Content-Length") == std::to_string(each.size));
    CHECK(answer.field("Content-Range") ==
          base::concat("bytes ", each.first, "-", each.first + each.size - 1, "/", whole.body.size()));
    for (const char* name : {"Content-Type", "ETag", "Last-Modified", "Accept-Ranges"})
      CHECK(answer.field(name) == whole.field(name));
  }
}

TEST_CASE("file response: a Range that does not apply is ignored") {
  const Site site;
  Mounted mounted({site.www()});
  for (const char* range :
       {"bytes=4-2", "bytes=x", "bytes", "lines=0-1", "bytes=", "bytes=0-0,1", "bytes=0-1\r\nRange: bytes=3-4"}) {
    CAPTURE(range);
    const Answer answer = mounted.get("/short.txt", base::concat("Range: ", range, "\r\n"));
    CHECK(answer.status == 200);
    CHECK(answer.body == "0123456789");
    CHECK(answer.field("Content-Range") == "none");
  }
  const Answer head = mounted.ask(Mounted::head("HEAD", "/short.txt", "Range: bytes=0-1\r\n"));
  CHECK(head.status == 200);
  CHECK(head.field("Content-Length") == "10");
  CHECK(mounted.get("/empty.txt", "Range: bytes=-5\r\n").status == 200);
}

TEST_CASE("file response: ranges beyond the end (RFC 9110 section 15.5.17)") {
  const Site site;
  Mounted mounted({site.www()});
  const std::pair<const char*, const char*> cases[] = {
      {"/short.txt", "bytes=10-"}, {"/short.txt", "bytes=10-20,30-"}, {"/short.txt", "bytes=-0"}, {"/empty.txt", "bytes=0-"}};
  for (const auto& each : cases) {
    const auto& target = each.first;
    const auto& range = each.second;
    CAPTURE(range);
    const Answer answer = mounted.get(target, base::concat("Range: ", range, "\r\n"));
    CHECK(answer.status == 416);
    CHECK(answer.field("Content-Range") == (std::string(target) == "/short.txt" ? "bytes */10" : "bytes */0"));
    CHECK_FALSE(answer.closed);
  }
}

TEST_CASE("file response: several ranges are a multipart/byteranges (RFC 9110 section 14.6)") {
  const Site site;
  Mounted mounted({site.www()});
  const Answer short_one = mounted.get("/short.txt", "Range: bytes=0-1, 4-5, -1\r\n");
  CHECK(short_one.status == 206);
  CHECK(short_one.field("Content-Range") == "none");
  CHECK(short_one.field("Content-Length") == std::to_string(short_one.body.size()));
  CHECK(short_one.field("ETag") == mounted.get("/short.txt").field("ETag"));
  const std::vector<RangePart> parts = parts_of(short_one);
  REQUIRE(parts.size() == 3);
  const std::string type = "\r\nContent-Type: text/plain; charset=utf-8\r\n";
  CHECK(("\r\n" + parts[0].head).starts_with(type));
  CHECK(parts[0].head.ends_with("Content-Range: bytes 0-1/10\r\n"));
  CHECK(parts[0].bytes == "01");
  CHECK(parts[1].head.ends_with("Content-Range: bytes 4-5/10\r\n"));
  CHECK(parts[1].bytes == "45");
  CHECK(parts[2].head.ends_with("Content-Range: bytes 9-9/10\r\n"));
  CHECK(parts[2].bytes == "9");

  const Answer long_one = mounted.get("/long.bin", "Range: bytes=100000-199999,0-9,20-70019\r\n");
  CHECK(long_one.status == 206);
  CHECK(long_one.field("Content-Length") == std::to_string(long_one.body.size()));
  const std::vector<RangePart> long_parts = parts_of(long_one);
  REQUIRE(long_parts.size() == 3);
  CHECK(long_parts[0].bytes == site.long_text.substr(100'000));
  CHECK(long_parts[1].bytes == site.long_text.substr(0, 10));
  CHECK(long_parts[2].bytes == site.long_text.substr(20, 70'000));
}

TEST_CASE("file response: too many ranges are ignored (RFC 9110 section 14.2)") {
  const Site site;
  Mounted mounted({site.www()});
  std::string ranges = "Range: bytes=0-0";
  for (int i = 2; i < 34; i += 2) ranges += base::concat(",", i, "-", i);
  const Answer answer = mounted.get("/long.bin", ranges + "\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.body == site.long_text);
}

TEST_CASE("file response: If-Range (RFC 9110 section 13.1.5)") {
  const Site site;
  Mounted mounted({site.www()});
  const std::string etag = mounted.get("/short.txt").field("ETag");
  const auto answer = [&mounted](const std::string& condition) {
    return mounted.get("/short.txt", "Range: bytes=0-1\r\nIf-Range: " + condition + "\r\n");
  };
  for (const std::string& condition : {etag, date(changed)}) {
    CHECK(answer(condition).status == 206);
    CHECK(answer(condition).body == "01");
  }
  for (const std::string& condition : {"W/" + etag, std::string("\"x\""), date(changed + 1), date(changed - 1), std::string("x")}) {
    CHECK(answer(condition).status == 200);
    CHECK(answer(condition).body == "0123456789");
  }
  // A client that asks with If-Range has the rest already (section 15.3.7).
  const Answer partial = answer(etag);
  CHECK(partial.field("ETag") == etag);
  for (const char* name : {"Content-Type", "Last-Modified", "Accept-Ranges"}) CHECK(partial.field(name) == "none");
  CHECK(mounted.get("/short.txt", "Range: bytes=20-\r\nIf-Range: " + etag + "\r\n").status == 416);
  CHECK(mounted.get("/short.txt", "Range: bytes=20-\r\nIf-Range: \"x\"\r\n").status == 200);
  CHECK(parts_of(mounted.get("/short.txt", "Range: bytes=0-1,4-5\r\nIf-Range: " + etag + "\r\n")).size() == 2);
}

TEST_CASE("file response: ranges through small windows, every byte") {
  const Site site;
  Mounted mounted({site.www()});
  const std::string request = Mounted::head("GET", "/long.bin", "Range: bytes=5-60004,70000-199999\r\n");
  const auto link = mounted.connect();
  link->set_window(0);
  link->receive(request);
  std::string taken;
  for (int turn = 0; turn < 10'000 && (taken.size() < 190'000 || !taken.ends_with("--\r\n")); ++turn) {
    link->set_window(997);
    link->run();
    taken += link->take();
  }
  Answer answer;
  const std::size_t end = taken.find("\r\n\r\n") + 4;
  answer.head = taken.substr(0, end);
  answer.body = taken.substr(end);
  const std::vector<RangePart> parts = parts_of(answer);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].bytes == site.long_text.substr(5, 60'000));
  CHECK(parts[1].bytes == site.long_text.substr(70'000, 130'000));
  link->abort();
  link->run();
}

TEST_CASE("file response: conditions come before ranges (RFC 9110 section 13.2.2)") {
  const Site site;
  Mounted mounted({site.www()});
  const std::string etag = mounted.get("/short.txt").field("ETag");
  CHECK(mounted.get("/short.txt", "Range: bytes=0-1\r\nIf-None-Match: " + etag + "\r\n").status == 304);
  CHECK(mounted.get("/short.txt", "Range: bytes=0-1\r\nIf-Match: \"x\"\r\n").status == 412);
  CHECK(mounted.get("/short.txt", "Range: bytes=20-\r\nIf-Match: \"x\"\r\n").status == 412);
  CHECK(mounted.get("/short.txt", "Range: bytes=0-1\r\nIf-Match: " + etag + "\r\n").status == 206);
}

TEST_CASE("file response: fields are found whatever their case and place") {
  codec::RequestHead head;
  head.fields = {{"accept", "x"}, {"IF", "x"}, {"Referer", "x"}, {"Ranger", "x"}, {"Accept-Encodings", "x"}};
  FileRequest plain(head);
  CHECK_FALSE(plain.is_conditional);
  CHECK(plain.accept_encodings == 0);
  for (const char* name : {"range", "RANGE", "if-match", "IF-NONE-MATCH", "If-Range"}) {
    head.fields.back() = {name, "x"};
    CHECK(FileRequest(head).is_conditional);
  }
  head.fields = {{"aCCEPT-eNCODING", "br"}, {"x", "y"}, {"Accept-Encoding", "gzip"}};
  const FileRequest coded(head);
  CHECK(coded.accept_encoding == "br");
  CHECK(coded.accept_encodings == 2);
  CHECK_FALSE(coded.is_conditional);
}
