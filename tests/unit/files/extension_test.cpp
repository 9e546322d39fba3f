#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include "codec/gzip.h"
#include "unit/files/mounted.h"
#include "unit/files/www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;

std::string gzipped(std::string_view text) {
  std::string out;
  codec::GzipWriter writer;
  writer.write(text, out);
  writer.finish(out);
  return out;
}

const std::string every = "Accept-Encoding: gzip, deflate, br, zstd\r\n";
const std::string gzip_only = "Accept-Encoding: gzip\r\n";

}  // namespace

TEST_CASE("file coding: an .svgz is compressed already, and never once more (RFC 9110 section 8.4)") {
  const WwwFolder site;
  const std::string image = "<svg xmlns='http://www.w3.org/2000/svg'>" + page_of(4000) + "</svg>";
  const std::string packed = gzipped(image);
  site.write("a.svgz", packed);
  site.write("b.SVGZ", packed);
  site.write("a.svgz.gz", gzipped(packed));
  site.write("long.svgz", gzipped(noise(200'000)));
  Mounted mounted({site.www()});
  for (const std::string& fields : {every, gzip_only, std::string(), std::string("Accept-Encoding: identity\r\n")}) {
    CAPTURE(fields);
    for (const char* target : {"/a.svgz", "/b.SVGZ"}) {
      const Answer answer = mounted.get(target, fields);
      CHECK(answer.status == 200);
      CHECK(answer.field("Content-Type") == "image/svg+xml");
      CHECK(answer.field("Content-Encoding") == "gzip");
      CHECK(answer.field("Vary") == "none");
      CHECK(answer.body == packed);
    }
    CHECK(mounted.get("/long.svgz", fields).field("Content-Encoding") == "gzip");
  }
  mounted.now += base::Time{2000};
  CHECK(mounted.get("/a.svgz", every).body == packed);
  CHECK(mounted.get("/a.svgz", "Range: bytes=0-1\r\n").body == "\x1F\x8B");
  CHECK(mounted.get("/a.svgz", "If-None-Match: " + mounted.get("/a.svgz").field("ETag") + "\r\n").status == 304);
}

TEST_CASE("file coding: an .svgz that holds no gzip, or to which the mount gives a type, is sent as it is") {
  const WwwFolder site;
  site.write("plain.svgz", "<svg/>");
  site.write("empty.svgz", "");
  site.write("a.svgz", gzipped("<svg/>"));
  Mounted mounted({site.www()});
  CHECK(mounted.get("/plain.svgz").field("Content-Encoding") == "none");
  CHECK(mounted.get("/plain.svgz").field("Content-Type") == "image/svg+xml");
  CHECK(mounted.get("/empty.svgz").field("Content-Encoding") == "none");
  Files own{site.www()};
  own.types["svgz"] = "application/gzip";
  Mounted typed(own);
  CHECK(typed.get("/a.svgz", every).field("Content-Encoding") == "none");
  CHECK(typed.get("/a.svgz", every).field("Content-Type") == "application/gzip");
}

TEST_CASE("file coding: an archive that is requested by name has no coding, and is not compressed again (RFC 9110 section 8.4)") {
  const WwwFolder site;
  const std::string packed = gzipped(page_of(50'000));
  const std::pair<const char*, const char*> cases[] = {{"a.tgz", "application/gzip"},
                                                       {"a.tar.gz", "application/gzip"},
                                                       {"page.html.gz", "application/gzip"},
                                                       {"page.html.br", "application/octet-stream"},
                                                       {"page.html.zst", "application/zstd"}};
  for (const auto& each : cases) site.write(each.first, packed);
  Mounted mounted({site.www()});
  for (const auto& each : cases) {
    CAPTURE(each.first);
    const Answer answer = mounted.get(std::string("/") + each.first, every);
    CHECK(answer.field("Content-Type") == each.second);
    CHECK(answer.field("Content-Encoding") == "none");
    CHECK(answer.body == packed);
  }
}
