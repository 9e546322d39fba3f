#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "exchanges.h"

extern "C" const wharf_plugin wharf_plugin_post_demo;

namespace {

using tests::Fields;
using tests::StartedRow;
using tests::TestExchange;

const wharf_row& row() { return *wharf_plugin_post_demo.rows[0]; }

const Fields urlencoded{{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
const Fields multipart{{"Content-Type", "Multipart/Form-Data; boundary=\"a b\""}, {"Accept", "text/plain, Application/JSON;q=0.9"}};

std::string part(const std::string& parameters, const std::string& data, const std::string& fields = {}) {
  return "--a b\r\nContent-Disposition: form-data; " + parameters + "\r\n" + fields + "\r\n" + data + "\r\n";
}
const std::string end = "--a b--\r\n";

struct Answer {
  int status;
  std::string text;
};

Answer post(StartedRow& started, const Fields& fields, const std::string& body, std::size_t piece = 100'000) {
  TestExchange exchange(started, {"POST", "/mount/", fields});
  exchange.body_in_pieces(body, piece);
  CHECK(exchange.complete);
  CHECK(exchange.answer_field("x-content-type-options") == "nosniff");
  return {exchange.status, exchange.answer};
}

}  // namespace

TEST_CASE("post-demo: one row of that name, for requests alone") {
  CHECK(wharf_plugin_post_demo.row_count == 1);
  CHECK(row().name == std::string("post-demo"));
  CHECK((row().open == nullptr));
}

TEST_CASE("post-demo: the page and its parts") {
  StartedRow started(row(), {{"limit", "1234"}});
  TestExchange page(started, {"GET", "/mount/"});
  CHECK(page.status == 200);
  CHECK(page.answer_field("content-type") == "text/html; charset=utf-8");
  for (const char* name :
       {"name=\"text\"", "name=\"send\"", "name=\"file\"", "name=\"upload\"", "data-limit=\"1234\"", "\"page.js\""})
    CHECK(page.answer.find(name) != std::string::npos);
  TestExchange script(started, {"GET", "/mount/page.js"});
  CHECK(script.answer_field("content-type") == "text/javascript; charset=utf-8");
  TestExchange without_slash(started, {"GET", "/mount"});
  CHECK(without_slash.answer.find("src=\"./mount/page.js\"") != std::string::npos);
  TestExchange elsewhere(started, {"GET", "/mount/other"});
  CHECK(elsewhere.status == 404);
}

TEST_CASE("post-demo: methods") {
  StartedRow started(row());
  TestExchange put(started, {"PUT", "/mount/"});
  CHECK(put.status == 405);
  CHECK(put.answer_field("allow") == "GET, HEAD, POST");
  TestExchange post_to_part(started, {"POST", "/mount/page.css"});
  CHECK(post_to_part.status == 405);
  CHECK(post_to_part.answer_field("allow") == "GET, HEAD");
}

TEST_CASE("post-demo: a form without files") {
  StartedRow started(row());
  const Answer answer = post(started, urlencoded, "text=a+b%3C&send=Send&empty", 5);
  CHECK(answer.status == 200);
  CHECK(answer.text ==
        "{\"parts\":[\n{\"name\":\"text\",\"size\":4,\"crc32\":\"e2377c38\",\"text\":\"a b<\"},\n"
        "{\"name\":\"send\",\"size\":4,\"crc32\":\"074195f3\",\"text\":\"Send\"},\n"
        "{\"name\":\"empty\",\"size\":0,\"crc32\":\"00000000\",\"text\":\"\"}\n]}\n");
  CHECK(post(started, urlencoded, "").text == "{\"parts\":[\n]}\n");
}

TEST_CASE("post-demo: a form with files, however it is cut") {
  StartedRow started(row());
  const std::string body =
      part("name=\"text\"", "hello") +
      part("name=\"file\"; filename=\"a \\\"b\\\".bin\"", std::string("\0\r\n--a \xFF", 8), "Content-Type: a/b\r\n") +
      part("name=\"file\"; filename=\"\"", "") + end;
  const std::string expected =
      "{\"parts\":[\n{\"name\":\"text\",\"size\":5,\"crc32\":\"3610a686\",\"text\":\"hello\"},\n"
      "{\"name\":\"file\",\"file\":\"a "
      "\\\"b\\\".bin\",\"type\":\"a/b\",\"size\":8,\"crc32\":\"3ff46ba1\",\"hex\":\"000d0a2d2d6120ff\"},\n"
      "{\"name\":\"file\",\"file\":\"\",\"size\":0,\"crc32\":\"00000000\",\"text\":\"\"}\n]}\n";
  const Answer whole = post(started, multipart, body);
  CHECK(whole.status == 200);
  CHECK(whole.text == expected);
  for (std::size_t piece = 1; piece < 30; ++piece) CHECK(post(started, multipart, body, piece).text == whole.text);
}

TEST_CASE("post-demo: the table is HTML, and what a client sent is text in it") {
  StartedRow started(row());
  const Fields fields{{"Content-Type", "multipart/form-data; boundary=\"a b\""}};
  const Answer answer = post(started, fields, part("name=\"<i>\"", "<script>&\xFF") + end);
  CHECK(answer.status == 200);
  CHECK(answer.text.find("<tr><td>&lt;i&gt;</td><td></td><td></td><td class=\"number\">10</td>") != std::string::npos);
  CHECK(answer.text.find("<td><code>3c7363726970743e26ff</code></td></tr>") != std::string::npos);
  CHECK(answer.text.find("<script>") == std::string::npos);
  CHECK(post(started, fields, part("name=a", "<b>\n'") + end).text.find("<td>&lt;b&gt;\n&#39;</td></tr>") != std::string::npos);
}

TEST_CASE("post-demo: a body that is no form") {
  StartedRow started(row());
  for (const Fields& fields :
       {Fields{}, Fields{{"Content-Type", "text/plain"}}, Fields{{"Content-Type", "multipart/mixed; boundary=x"}}}) {
    TestExchange exchange(started, {"POST", "/mount/", fields});
    CHECK(exchange.status == 415);  // before any of the body
    CHECK(exchange.answer_field("accept") == "multipart/form-data, application/x-www-form-urlencoded");
  }
  Fields compressed = urlencoded;
  compressed.emplace_back("Content-Encoding", "gzip");
  TestExchange exchange(started, {"POST", "/mount/", compressed});
  CHECK(exchange.status == 415);
  CHECK(exchange.answer_field("accept-encoding") == "identity");
  CHECK(exchange.answer == "{\"error\":\"the form has a Content-Encoding\"}\n");
}

TEST_CASE("post-demo: malformed parts") {
  StartedRow started(row());
  TestExchange no_boundary(started, {"POST", "/mount/", {{"Content-Type", "multipart/form-data"}}});
  CHECK(no_boundary.status == 400);
  CHECK(no_boundary.answer == "the Content-Type has no valid boundary\n");
  CHECK(post(started, multipart, part("name=x", "y")).text == "{\"error\":\"the body ended before its closing delimiter\"}\n");
  for (const std::string& body : {std::string(), "--a b\r\n\r\nno disposition\r\n" + end, part("filename=x", "y") + end})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) CHECK(post(started, multipart, body, piece).status == 400);
}

TEST_CASE("post-demo: limits") {
  const std::string body = part("name=a", std::string(100, 'x')) + end;
  const auto status = [&](const std::string& limit, const std::string& part_limit) {
    StartedRow started(row(), {{"limit", limit}, {"part-limit", part_limit}});
    return post(started, multipart, body, 10).status;
  };
  CHECK(status(std::to_string(body.size()), "100") == 200);
  CHECK(status(std::to_string(body.size() - 1), "100") == 413);
  CHECK(status("1000", "99") == 413);

  StartedRow started(row(), {{"limit", "1000"}});
  Fields told = multipart;
  told.emplace_back("Content-Length", "1001");
  TestExchange exchange(started, {"POST", "/mount/", told});
  CHECK(exchange.status == 413);                                                  // before any of the body
  CHECK(post(started, urlencoded, std::string(65536, 'x'), 1000).status == 200);  // the limit is for those with files
  CHECK(post(started, urlencoded, std::string(65537, 'x'), 1000).status == 413);
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "a&";
  CHECK(post(started, urlencoded, many).status == 413);
  std::string parts;
  for (int i = 0; i < 101; ++i) parts += part("name=a", "");
  StartedRow roomy(row());
  CHECK(post(roomy, multipart, parts + end).text == "{\"error\":\"more parts than allowed\"}\n");
}

TEST_CASE("post-demo: options that it does not take") {
  const auto fault = [](const wharf::Options& options) {
    try {
      const StartedRow started(row(), options);
      return std::string("none");
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  CHECK(fault({{"limit", "1099511627776"}, {"part-limit", "1"}}) == "none");
  for (const char* value : {"0", "1099511627777", "many", "", "-1", "1k"}) {
    CHECK(fault({{"limit", value}}).find("option limit is") != std::string::npos);
    CHECK(fault({{"part-limit", value}}).find("option part-limit is") != std::string::npos);
  }
}
