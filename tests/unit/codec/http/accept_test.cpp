#include "codec/http/accept.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using wharf::codec::choose_coding;
using wharf::codec::RequestHead;

namespace {

constexpr std::string_view all[] = {"br", "zstd", "gzip", "identity"};

std::string chosen(std::vector<std::string_view> values, std::span<const std::string_view> offered = all) {
  RequestHead head;
  head.method = "GET";
  head.fields.push_back({"Accept", "gzip"});
  for (const std::string_view value : values) head.fields.push_back({"Accept-Encoding", value});
  return std::string(choose_coding(head, offered).value_or("none"));
}

}  // namespace

TEST_CASE("without Accept-Encoding, or with an empty one, there is no coding (RFC 9110 section 12.5.3)") {
  CHECK(chosen({}) == "identity");
  CHECK(chosen({""}) == "identity");
  CHECK(chosen({" , ,"}) == "identity");
  const std::string_view gzip_first[] = {"gzip", "identity"};
  CHECK(chosen({}, gzip_first) == "identity");
}

TEST_CASE("the examples of RFC 9110 section 12.5.3") {
  CHECK(chosen({"compress, gzip"}) == "gzip");
  CHECK(chosen({""}) == "identity");
  CHECK(chosen({"*"}) == "br");
  CHECK(chosen({"compress;q=0.5, gzip;q=1.0"}) == "gzip");
  CHECK(chosen({"gzip;q=1.0, identity; q=0.5, *;q=0"}) == "gzip");
}

TEST_CASE("the greatest weight wins, and of several such the first offered") {
  CHECK(chosen({"gzip, deflate, br, zstd"}) == "br");
  CHECK(chosen({"gzip, zstd"}) == "zstd");
  CHECK(chosen({"br;q=0.9, gzip"}) == "gzip");
  CHECK(chosen({"br;q=0.001, gzip;q=0.002"}) == "gzip");
  CHECK(chosen({"br;q=0.998, gzip;q=0.999, zstd;q=0.99"}) == "gzip");
  CHECK(chosen({"identity, gzip;q=0.5"}) == "identity");
  CHECK(chosen({"identity;q=0.5, gzip;q=0.5"}) == "gzip");
  CHECK(chosen({"gzip;q=0.5, *;q=0.7"}) == "br");
}

TEST_CASE("a coding that is not named is not sent, except identity") {
  CHECK(chosen({"deflate"}) == "identity");
  CHECK(chosen({"deflate, compress;q=0.5"}) == "identity");
  CHECK(chosen({"gzip;q=0"}) == "identity");
  CHECK(chosen({"gzip;q=0.001"}) == "gzip");
  const std::string_view identity_first[] = {"identity", "gzip"};
  CHECK(chosen({"gzip;q=0.001"}, identity_first) == "gzip");
}

TEST_CASE("identity is acceptable unless it is excluded") {
  const std::string_view plain[] = {"identity"};
  CHECK(chosen({"gzip"}, plain) == "identity");
  CHECK(chosen({"identity;q=0"}, plain) == "none");
  CHECK(chosen({"identity;q=0.000, gzip;q=0"}) == "none");
  CHECK(chosen({"*;q=0"}, plain) == "none");
  CHECK(chosen({"*;q=0"}) == "none");
  CHECK(chosen({"gzip, *;q=0"}, plain) == "none");
  CHECK(chosen({"gzip, *;q=0"}) == "gzip");
  CHECK(chosen({"identity, *;q=0"}) == "identity");
  CHECK(chosen({"identity;q=0.5, *;q=0"}, plain) == "identity");
  CHECK(chosen({"identity;q=0, *"}, plain) == "none");
  CHECK(chosen({"identity;q=0, *"}) == "br");
}

TEST_CASE("* stands for all that is not named, identity too") {
  CHECK(chosen({"*, br;q=0, zstd;q=0"}) == "gzip");
  CHECK(chosen({"br;q=0.1, *;q=0.1"}) == "br");
  const std::string_view identity_first[] = {"identity", "gzip"};
  CHECK(chosen({"*;q=0.3"}, identity_first) == "identity");
  CHECK(chosen({"*;q=0.3, identity;q=0.2"}, identity_first) == "gzip");
}

TEST_CASE("a coding that is not offered is not chosen") {
  CHECK(chosen({"gzip"}, {}) == "none");
  CHECK(chosen({}, {}) == "none");
  const std::string_view gzip_alone[] = {"gzip"};
  CHECK(chosen({}, gzip_alone) == "none");
  CHECK(chosen({"br"}, gzip_alone) == "none");
  CHECK(chosen({"br, gzip;q=0.1"}, gzip_alone) == "gzip");
}

TEST_CASE("names are compared ignoring case, and with their aliases (RFC 9110 section 8.4.1)") {
  CHECK(chosen({"GZip"}) == "gzip");
  CHECK(chosen({"X-GZIP"}) == "gzip");
  CHECK(chosen({"x-gzip;q=0, gzip"}) == "identity");
  const std::string_view old_names[] = {"x-gzip", "compress"};
  CHECK(chosen({"gzip"}, old_names) == "x-gzip");
  CHECK(chosen({"x-compress"}, old_names) == "compress");
  CHECK(chosen({"x-br, x-identity, xx-gzip, x-x-gzip"}) == "identity");
  CHECK(chosen({"IDENTITY;Q=0, *;Q=0"}) == "none");
}

TEST_CASE("lines of the field are one list") {
  CHECK(chosen({"deflate", "gzip;q=0.5", "br;q=0.4"}) == "gzip");
  CHECK(chosen({"gzip", "", "*;q=0"}) == "gzip");
}

TEST_CASE("of two weights for one coding the first counts") {
  CHECK(chosen({"gzip;q=0, gzip"}) == "identity");
  CHECK(chosen({"gzip, gzip;q=0"}) == "gzip");
  CHECK(chosen({"*;q=0, *"}) == "none");
}

TEST_CASE("a weight has up to three decimals (RFC 9110 section 12.4.2)") {
  for (const std::string_view weight : {"1", "1.", "1.0", "1.00", "1.000", "0.1", "0.12", "0.123", "0.001"}) {
    CAPTURE(weight);
    CHECK(chosen({"gzip;q=" + std::string(weight)}) == "gzip");
  }
  for (const std::string_view weight : {"0", "0.", "0.0", "0.00", "0.000"}) {
    CAPTURE(weight);
    CHECK(chosen({"identity;q=" + std::string(weight) + ",*;q=0"}) == "none");
  }
  CHECK(chosen({"gzip ; q=0.5 ,\tbr\t;\tq=0.4"}) == "gzip");
}

TEST_CASE("a member that breaks the grammar is not there") {
  for (const std::string_view member :
       {"gzip;q=",       "gzip;q",    "gzip;",        "gzip;q=1.001", "gzip;q=1.1", "gzip;q=2",     "gzip;q=0.5555",
        "gzip;q=.5",     "gzip;q=-1", "gzip;q=+1",    "gzip;q=0,5;",  "gzip;q=a",   "gzip;q=0.a",   "gzip;q=0x",
        "gzip;q =1",     "gzip;q= 1", "gzip;q=\"1\"", "gzip;level=9", "gzip;q=1;a", "gzip;q=1;q=1", ";q=1",
        "gzip zip",      "g zip;q=1", "gzip;;q=1",    "gzip;q=01",    "gzip;q=11",  "gzip;q=1 0",   "gzip;q=1-00",
        "gzip;q=1.0000", "\"gzip\"",  "gzip=1",       "gz/ip",        "gzip;q=00.1"}) {
    CAPTURE(member);
    CHECK(chosen({member}) == "identity");
    CHECK(chosen({std::string(member) + ", zstd;q=0.1"}) == "zstd");
  }
}
