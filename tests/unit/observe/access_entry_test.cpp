#include "observe/access_entry.h"

#include <doctest/doctest.h>

#include <clocale>
#include <limits>
#include <string>
#include <string_view>

namespace {

using namespace wharf::server;
using wharf::base::PeerAddress;

/// The example of the format's own description.
AccessEntry example() {
  AccessEntry entry;
  entry.address = *PeerAddress::parse("127.0.0.1:4711");
  entry.user = "frank";
  entry.time = 971186136;
  entry.microseconds = 123;
  entry.method = "GET";
  entry.target = "/apache_pb.gif";
  entry.version = "HTTP/1.0";
  entry.status = 200;
  entry.body_bytes = 2326;
  entry.referer = "http://www.example.com/start.html";
  entry.user_agent = "Mozilla/4.08 [en] (Win98; I ;Nav)";
  entry.host = "www.example.com";
  entry.duration = 1234;
  return entry;
}

std::string between(const std::string& line, std::string_view before, std::string_view after) {
  const std::size_t start = line.find(before);
  REQUIRE(start != std::string::npos);
  const std::size_t end = line.find(after, start + before.size());
  REQUIRE(end != std::string::npos);
  return line.substr(start + before.size(), end - start - before.size());
}

std::string combined_agent(std::string_view agent) {
  AccessEntry entry;
  entry.user_agent = agent;
  return between(combined_line(entry) + "\n", "\"-\" - - \"-\" \"", "\"\n");
}

std::string json_agent(std::string_view agent) {
  AccessEntry entry;
  entry.user_agent = agent;
  return between(json_line(entry), "\"user_agent\":\"", "\",\"duration_us\"");
}

/// As both formats have it; "-" for none.
std::string shown_address(std::string_view address) {
  AccessEntry entry;
  entry.address = PeerAddress::parse(address).value_or(PeerAddress());
  const std::string line = combined_line(entry);
  const std::string shown = line.substr(0, line.find(' '));
  CHECK(between(json_line(entry), "\"address\":\"", "\"") == (shown == "-" ? "" : shown));
  return shown;
}

}  // namespace

TEST_CASE("access log: a line of the combined format") {
  const std::string expected = R"~(127.0.0.1 - frank [10/Oct/2000:13:55:36 +0000] "GET /apache_pb.gif HTTP/1.0" 200 2326 )~"
                               R"~("http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)")~";
  CHECK(combined_line(example()) == expected);
}

TEST_CASE("access log: an empty text is a dash in the combined format") {
  CHECK(combined_line({}) == R"(- - - [01/Jan/1970:00:00:00 +0000] "-" - - "-" "-")");
  AccessEntry entry;
  entry.method = "GET";
  entry.status = 400;
  CHECK(combined_line(entry) == R"(- - - [01/Jan/1970:00:00:00 +0000] "GET - -" 400 - "-" "-")");
}

TEST_CASE("access log: a line of JSON") {
  const std::string expected =
      R"~({"time":"2000-10-10T13:55:36.000123Z","address":"127.0.0.1","user":"frank","host":"www.example.com","method":"GET",)~"
      R"~("target":"/apache_pb.gif","version":"HTTP/1.0","status":200,"bytes":2326,"referer":"http://www.example.com/start.html",)~"
      R"~("user_agent":"Mozilla/4.08 [en] (Win98; I ;Nav)","duration_us":1234,"protocol":"","complete":true,)~"
      R"~("tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","tls_resumed":"no"})~";
  AccessEntry sealed = example();
  sealed.tls_version = "TLSv1.3";
  sealed.tls_cipher = "TLS_AES_128_GCM_SHA256";
  sealed.tls_resumed = "no";
  CHECK(json_line(sealed) == expected);
  CHECK(combined_line(sealed) == combined_line(example()));
  AccessEntry entry;
  entry.protocol = "chat";
  entry.delivery = AccessEntry::Delivery::cut;
  entry.body_bytes = std::numeric_limits<std::uint64_t>::max();
  const std::string empty =
      R"~({"time":"1970-01-01T00:00:00.000000Z","address":"","user":"","host":"","method":"","target":"","version":"","status":0,)~"
      R"~("bytes":18446744073709551615,"referer":"","user_agent":"","duration_us":0,"protocol":"chat","complete":false,)~"
      R"~("tls_version":"","tls_cipher":"","tls_resumed":""})~";
  CHECK(json_line(entry) == empty);
}

TEST_CASE("access log: times are UTC in every month, whatever the locale") {
  const char* const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::setlocale(LC_ALL, "");
  AccessEntry entry;
  entry.microseconds = 999'999;
  for (int month = 0; month < 12; ++month) {
    entry.time = 1704067199 + 2'629'800 * month + 1'296'000;  // about the middle of each month of 2024
    const std::string number = (month < 9 ? "0" : "") + std::to_string(month + 1);
    CAPTURE(month);
    CHECK(combined_line(entry).find(std::string("/") + months[month] + "/2024:") != std::string::npos);
    CHECK(json_line(entry).find("\"2024-" + number + "-") != std::string::npos);
  }
  std::setlocale(LC_ALL, "C");
  entry.time = 1704067199;
  CHECK(combined_line(entry).find("[31/Dec/2023:23:59:59 +0000]") != std::string::npos);
  CHECK(json_line(entry).find("\"2023-12-31T23:59:59.999999Z\"") != std::string::npos);
}

TEST_CASE("access log: an address is without its port") {
  CHECK(shown_address("127.0.0.1:4711") == "127.0.0.1");
  CHECK(shown_address("[::1]:4711") == "::1");
  CHECK(shown_address("[2001:db8::5]:1") == "2001:db8::5");
  CHECK(shown_address("127.0.0.1") == "127.0.0.1");
  CHECK(shown_address("[::1]") == "::1");
  CHECK(shown_address("2001:db8::5") == "2001:db8::5");
  CHECK(shown_address("::1") == "::1");
  CHECK(shown_address("unix:") == "unix:");
  CHECK(shown_address("") == "-");
}

TEST_CASE("access log: nothing in a value ends its field of the combined format") {
  CHECK(combined_agent("a\"b\\c") == R"(a\"b\\c)");
  CHECK(combined_agent("\b\n\r\t\v") == R"(\b\n\r\t\v)");
  CHECK(combined_agent(std::string_view("\0\x01\f\x1B\x7F", 5)) == R"(\x00\x01\x0c\x1b\x7f)");
  CHECK(combined_agent("\xC3\xA9\x80\xFF") == R"(\xc3\xa9\x80\xff)");
  CHECK(combined_agent("a b  c") == "a b  c");
  AccessEntry entry = example();
  entry.user = "jo \"x\" \xC3\xA9";
  entry.method = "G\"T";
  entry.target = "/\" 200 1 \"\n";
  entry.version = "\"";
  entry.referer = "\" \"";
  const std::string expected =
      R"~(127.0.0.1 - jo\x20\"x\"\x20\xc3\xa9 [10/Oct/2000:13:55:36 +0000] "G\"T /\" 200 1 \"\n \"" 200 2326 )~"
      R"~("\" \"" "Mozilla/4.08 [en] (Win98; I ;Nav)")~";
  CHECK(combined_line(entry) == expected);
}

TEST_CASE("access log: every byte of a value stays within its field") {
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    const std::string value(1, static_cast<char>(byte));
    AccessEntry entry;
    entry.user = value;
    entry.user_agent = value;
    const std::string line = combined_line(entry);
    for (const char c : line) CHECK((c >= ' ' && c < '\x7F'));
    CHECK(line.find(" [01/Jan") == line.find(' ', 4));
    const std::string json = json_agent(value);
    const bool is_escaped = byte < 0x20 || byte == 0x7F || byte == '"' || byte == '\\';
    CHECK(json.size() == (byte == '"' || byte == '\\' ? 2 : is_escaped ? 6 : byte < 0x80 ? 1 : 3));
  }
}

TEST_CASE("access log: JSON escapes what a string must not have, and controls of the C1 set") {
  CHECK(json_agent("a\"b\\c/") == R"(a\"b\\c/)");
  CHECK(json_agent("\n\t\x1F\x7F") == R"(\u000a\u0009\u001f\u007f)");
  CHECK(json_agent(std::string_view("\0", 1)) == R"(\u0000)");
  CHECK(json_agent("\xC2\x80\xC2\x9F") == R"(\u0080\u009f)");
  CHECK(json_agent("\xC2\xA0\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == "\xC2\xA0\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST_CASE("access log: JSON has U+FFFD for each part that is no code point") {
  const std::string wrong = "\xEF\xBF\xBD";
  CHECK(json_agent("\xFF") == wrong);
  CHECK(json_agent("a\x80\x80z") == "a" + wrong + wrong + "z");
  CHECK(json_agent("\xC0\xAF") == wrong + wrong);
  CHECK(json_agent("\xE2\x82!") == wrong + "!");
  CHECK(json_agent("\xE2\x82") == wrong);
  CHECK(json_agent("\xE2\xE2\x82\xAC") == wrong + "\xE2\x82\xAC");
  CHECK(json_agent("\xED\xA0\x80") == wrong + wrong + wrong);
  CHECK(json_agent("\xF0\x9F\x98\"") == wrong + "\\\"");
  CHECK(json_agent("\xF4\x90\x80\x80") == wrong + wrong + wrong + wrong);
}

TEST_CASE("access log: long texts are cut, but no code point is") {
  const std::string most(longest_text, 'x');
  CHECK(combined_agent(most) == most);
  CHECK(combined_agent(most + "y") == most + "...");
  CHECK(json_agent(most) == most);
  CHECK(json_agent(most + "y") == most + "...");
  for (const std::string_view code_point : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"})
    for (std::size_t room = 0; room <= code_point.size(); ++room) {
      CAPTURE(room);
      const std::string before = most.substr(room);
      CHECK(json_agent(before + std::string(code_point)) == before + (room < code_point.size() ? "..." : std::string(code_point)));
    }
  CHECK(json_agent(std::string(longest_text + 1, '\x80')).ends_with("\xBD..."));
  AccessEntry entry;
  const std::string longer(longest_text + 1, 'x');
  const std::string longer_name(longest_short_text + 1, 'x');
  entry.target = entry.referer = entry.user_agent = longer;
  entry.user = entry.host = entry.method = entry.version = entry.protocol = longer_name;
  CHECK(combined_line(entry).size() < 3 * longest_text + 5 * longest_short_text);
  CHECK(json_line(entry).size() < 3 * longest_text + 7 * longest_short_text);
}

TEST_CASE("access log: no line is longer than a file's buffer, except one that is all escapes") {
  AccessEntry entry;
  const std::string worst(longest_text + 1, '\x01');
  entry.target = entry.referer = entry.user_agent = worst;
  entry.user = entry.host = entry.method = entry.version = entry.protocol = worst;
  CHECK(combined_line(entry).size() < 64 * 1024);
  CHECK(json_line(entry).size() < 96 * 1024);
}
