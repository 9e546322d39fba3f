#include "codec/http/media_type.h"

#include <doctest/doctest.h>

using wharf::codec::is_compressible;
using wharf::codec::media_type;

TEST_CASE("media types go by the last extension, ignoring case") {
  CHECK(media_type("index.html") == "text/html; charset=utf-8");
  CHECK(media_type("a/b.c/INDEX.HTML") == "text/html; charset=utf-8");
  CHECK(media_type("app.min.js") == "text/javascript; charset=utf-8");
  CHECK(media_type("style.css") == "text/css; charset=utf-8");
  CHECK(media_type("data.json") == "application/json");
  CHECK(media_type("logo.svg") == "image/svg+xml");
  CHECK(media_type("favicon.ico") == "image/vnd.microsoft.icon");
  CHECK(media_type("code.wasm") == "application/wasm");
  CHECK(media_type("page.tar.gz") == "application/gzip");
  CHECK(media_type(".html") == "text/html; charset=utf-8");
  for (const std::string_view name : {"", "html", "a.", "a.unknown", "a.html/b", "a.htmlx", "page.html.bak", "a.webmanifestx",
                                      "a.htm ", "a.webmanifestwebmanifestwebmanifest", "a.\xE9", "html.", "."}) {
    CAPTURE(name);
    CHECK(media_type(name) == "application/octet-stream");
  }
}

TEST_CASE("of the extensions that are codings, .svgz alone is one of its content (SVG 1.1)") {
  using wharf::codec::content_coding;
  CHECK(media_type("a.svgz") == "image/svg+xml");
  CHECK(content_coding("a.svgz") == "gzip");
  CHECK(content_coding("x/A.SVGZ") == "gzip");
  for (const std::string_view name :
       {"a.svg", "a.tgz", "a.tar.gz", "a.gz", "a.svg.gz", "a.br", "a.zst", "a.svgz.html", "svgz", ""}) {
    CAPTURE(name);
    CHECK(content_coding(name).empty());
  }
  CHECK(media_type("a.tgz") == "application/gzip");
  CHECK(media_type("a.tar.gz") == "application/gzip");
  CHECK(media_type("a.br") == "application/octet-stream");
}

TEST_CASE("an extension is not the beginning of another, nor one that holds a NUL") {
  CHECK(media_type("a.m3u") == "audio/mpegurl");
  CHECK(media_type("a.m3u8") == "application/vnd.apple.mpegurl");
  CHECK(media_type("a.js") == "text/javascript; charset=utf-8");
  CHECK(media_type("a.jso") == "application/octet-stream");
  CHECK(media_type(std::string_view("a.js\0", 5)) == "application/octet-stream");
}

TEST_CASE("the first and the last of the table are found, and the longest") {
  CHECK(media_type("a.3g2") == "video/3gpp2");
  CHECK(media_type("a.zst") == "application/zstd");
  CHECK(media_type("a.WebManifest") == "application/manifest+json");
}

TEST_CASE("files of pages have the types that browsers want") {
  CHECK(media_type("a.mjs") == "text/javascript; charset=utf-8");
  CHECK(media_type("a.txt") == "text/plain; charset=utf-8");
  CHECK(media_type("a.cpp") == "text/plain; charset=utf-8");
  CHECK(media_type("a.md") == "text/markdown; charset=utf-8");
  CHECK(media_type("a.csv") == "text/csv; charset=utf-8");
  CHECK(media_type("a.xml") == "application/xml");
  CHECK(media_type("a.xhtml") == "application/xhtml+xml");
  CHECK(media_type("a.map") == "application/json");
  CHECK(media_type("a.png") == "image/png");
  CHECK(media_type("a.jpg") == "image/jpeg");
  CHECK(media_type("a.jpeg") == "image/jpeg");
  CHECK(media_type("a.webp") == "image/webp");
  CHECK(media_type("a.avif") == "image/avif");
  CHECK(media_type("a.woff2") == "font/woff2");
  CHECK(media_type("a.mp4") == "video/mp4");
  CHECK(media_type("a.webm") == "video/webm");
  CHECK(media_type("a.mp3") == "audio/mpeg");
  CHECK(media_type("a.ts") == "video/mp2t");
  CHECK(media_type("a.m3u8") == "application/vnd.apple.mpegurl");
  CHECK(media_type("a.pdf") == "application/pdf");
  CHECK(media_type("a.zip") == "application/zip");
  CHECK(media_type("a.docx") == "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
}

TEST_CASE("a charset is named for text alone") {
  for (const std::string_view name :
       {"a.html", "a.css", "a.js", "a.vtt", "a.ics", "a.vcf", "a.tsv", "a.appcache", "a.uri", "a.ttl"}) {
    CAPTURE(name);
    CHECK(media_type(name).starts_with("text/"));
    CHECK(media_type(name).ends_with("; charset=utf-8"));
  }
  for (const std::string_view name : {"a.json", "a.svg", "a.xml", "a.jsonld", "a.yaml", "a.png", "a.sh", "a.rtf", "a"}) {
    CAPTURE(name);
    CHECK(media_type(name).find("charset") == std::string_view::npos);
  }
}

TEST_CASE("text and formats with the syntax of JSON and XML are compressible") {
  for (const std::string_view type : {"text/html; charset=utf-8",
                                      "text/plain",
                                      "TEXT/CSS",
                                      "text/x-of-its-own",
                                      "application/json",
                                      "application/JSON ; x=y",
                                      "application/javascript",
                                      "application/xml",
                                      "application/wasm",
                                      "image/svg+xml",
                                      "application/manifest+json",
                                      "application/atom+xml;charset=utf-8",
                                      "application/vnd.api+JSON",
                                      "application/yaml",
                                      "application/openapi+yaml",
                                      "application/x-tar",
                                      "font/ttf",
                                      "font/otf",
                                      "model/obj",
                                      "application/vnd.ms-fontobject",
                                      " application/json "}) {
    CAPTURE(type);
    CHECK(is_compressible(type));
  }
}

TEST_CASE("compressed formats and unknown types are not compressible") {
  for (const std::string_view type : {"",
                                      "text",
                                      ";text/html",
                                      "image/png",
                                      "image/jpeg",
                                      "image/webp",
                                      "image/bmp",
                                      "audio/mpeg",
                                      "video/mp4",
                                      "video/mp2t",
                                      "application/zip",
                                      "application/gzip",
                                      "application/zstd",
                                      "application/epub+zip",
                                      "application/pdf",
                                      "font/woff",
                                      "font/woff2",
                                      "application/octet-stream",
                                      "application/vnd.rar",
                                      "application/x-7z-compressed",
                                      "application/jsonx",
                                      "application/x-json",
                                      "+jso",
                                      "image/png; x=+json",
                                      "image/png;application/json",
                                      "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}) {
    CAPTURE(type);
    CHECK_FALSE(is_compressible(type));
  }
}

TEST_CASE("of the types in the table those compress that are said to") {
  for (const std::string_view name :
       {"a.html", "a.js", "a.json", "a.svg", "a.wasm", "a.ttf", "a.eot", "a.doc", "a.m3u8", "a.ps", "a.toml", "a.tar"}) {
    CAPTURE(name);
    CHECK(is_compressible(media_type(name)));
  }
  for (const std::string_view name :
       {"a.png", "a.ico", "a.zip", "a.tgz", "a.docx", "a.odt", "a.mp4", "a.ogg", "a.woff2", "a.bin", "a", "a.jar"}) {
    CAPTURE(name);
    CHECK_FALSE(is_compressible(media_type(name)));
  }
}
