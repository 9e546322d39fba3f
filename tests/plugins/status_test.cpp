#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "exchanges.h"
#include "wharf/testing.hpp"
#include "wharf/version.h"

extern "C" const wharf_plugin wharf_plugin_status;

namespace {

using namespace std::chrono_literals;
using tests::StartedRow;
using tests::TestExchange;
using wharf::testing::Client;
using wharf::testing::Harness;

const wharf_row& row() { return *wharf_plugin_status.rows[0]; }

const wharf::Options named{{"hostname", "the \"pier\""}};
const std::string head = "{\"version\":\"" WHARF_VERSION "\",\"wss_over_h2\":\"0\",\"hostname\":\"the \\\"pier\\\"\",";

/// Lets the members hear what the others' coming and going has posted to them.
void settle(Harness& harness) {
  for (int i = 0; i < 4; ++i) harness.run();
}

std::vector<std::string> received(Client& client) {
  std::vector<std::string> texts;
  while (const auto message = client.receive()) texts.push_back(message->data);
  return texts;
}

/// A message with its times taken out.
std::string without_times(std::string text) {
  for (std::size_t at = 0; (at = text.find("\"time\":\"", at)) != text.npos;) {
    at += 8;
    const std::size_t end = text.find('"', at);
    CHECK(end - at >= 10);
    text.replace(at, end - at, "T");
  }
  return text;
}

std::string entry(const std::string& agent, const std::string& peer = "hidden") {
  return "{\"peer\":\"" + peer + "\",\"time\":\"T\",\"ua\":\"" + agent + "\"}";
}

Client connect(Harness& harness, const std::string& agent) { return harness.connect({"/", {{"User-Agent", agent}}}); }

std::size_t entries_of(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("\"peer\"", at)) != text.npos; ++at) ++count;
  return count;
}

}  // namespace

TEST_CASE("lws-status: one row of that name") {
  CHECK(wharf_plugin_status.row_count == 1);
  CHECK(row().name == std::string("lws-status"));
}

TEST_CASE("lws-status: all clients hear who comes and leaves") {
  Harness harness(row(), named);
  Client one = connect(harness, "agent one");
  settle(harness);
  auto heard = received(one);
  REQUIRE(heard.size() == 1);
  CHECK(without_times(heard[0]) == head + "\"wsi\":\"1\",\"conns\":[" + entry("agent one") + "]}");

  harness.advance(100ms);
  Client two = connect(harness, "\"two\"\\\t\xC3\xA4\xFF");
  settle(harness);
  const std::string both =
      head + "\"wsi\":\"2\",\"conns\":[" + entry("agent one") + "," + entry("\\\"two\\\"\\\\\\u0009\xC3\xA4\xEF\xBF\xBD") + "]}";
  for (Client* client : {&one, &two}) {
    heard = received(*client);
    REQUIRE(heard.size() == 1);
    CHECK(without_times(heard[0]) == both);
  }

  harness.advance(100ms);
  two.close();
  settle(harness);
  heard = received(one);
  REQUIRE(heard.size() == 1);
  CHECK(without_times(heard[0]) == head + "\"wsi\":\"1\",\"conns\":[" + entry("agent one") + "]}");
  harness.advance(10s);
  CHECK(received(one).empty());
  CHECK(harness.log().empty());
}

TEST_CASE("lws-status: quick changes come in one text, and the last state always comes") {
  Harness harness(row());
  Client one = harness.connect();
  settle(harness);
  CHECK(received(one).size() == 1);
  std::vector<Client> others;
  for (int i = 0; i < 20; ++i) {
    others.push_back(harness.connect());
    settle(harness);
  }
  CHECK(received(one).empty());
  harness.advance(99ms);
  CHECK(received(one).empty());
  harness.advance(1ms);
  auto heard = received(one);
  REQUIRE(heard.size() == 1);
  CHECK(entries_of(heard[0]) == 21);
  harness.advance(100ms);
  for (Client& other : others) other.drop();
  settle(harness);
  harness.advance(100ms);
  heard = received(one);
  REQUIRE_FALSE(heard.empty());
  CHECK(heard.size() <= 2);
  CHECK(entries_of(heard.back()) == 1);
}

TEST_CASE("lws-status: one that does not read costs a text or two, and then gets the list as it is") {
  wharf::Limits limits;
  limits.output_high_water = 1000;
  limits.output_low_water = 100;
  Harness harness(row(), {}, limits);
  Client slow = connect(harness, std::string(200, 's'));
  settle(harness);
  slow.read_at_most(0);
  slow.send_text("watch");
  for (int i = 0; i < 200; ++i) {
    Client passing = connect(harness, std::string(200, 'p'));
    settle(harness);
    harness.advance(100ms);
    passing.close();
    settle(harness);
    harness.advance(100ms);
  }
  CHECK(slow.queued() < 3000);
  slow.read_everything();
  settle(harness);
  harness.advance(100ms);
  std::string list;
  for (const std::string& text : received(slow))
    if (text.find("\"conns\"") != text.npos) list = text;
  CHECK(entries_of(list) == 1);
}

TEST_CASE("lws-status: long agents are cut") {
  Harness harness(row());
  Client client = connect(harness, std::string(5000, 'a'));
  settle(harness);
  CHECK(without_times(received(client).at(0)).find(entry(std::string(128, 'a'))) != std::string::npos);
}

TEST_CASE("lws-status: addresses, if the option wants them") {
  Harness harness(row(), {{"addresses", "on"}});
  Client client = harness.connect();
  settle(harness);
  CHECK(received(client).at(0).find("\"peer\":\"hidden\"") == std::string::npos);
}

TEST_CASE("lws-status: no more clients than the option says") {
  Harness harness(row(), {{"most", "2"}});
  Client one = harness.connect(), two = harness.connect(), three = harness.connect();
  CHECK(two.status() == 101);
  CHECK(three.status() == 503);
  one.close();
  settle(harness);
  CHECK(harness.connect().status() == 101);
}

TEST_CASE("lws-status: statistics, once, each second, and no more") {
  Harness harness(row(), named);
  Client client = harness.connect();
  settle(harness);
  received(client);
  client.send_text("stats");
  auto heard = received(client);
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].starts_with("{\"version\":\"" WHARF_VERSION "\",\"hostname\":\"the \\\"pier\\\"\",\"uptime\":"));
  CHECK(heard[0].find("\"rows\":[") != std::string::npos);
  harness.advance(5s);
  CHECK(received(client).empty());

  client.send_text("watch");
  CHECK(received(client).size() == 1);
  harness.advance(999ms);
  CHECK(received(client).empty());
  harness.advance(9001ms);
  CHECK(received(client).size() == 10);
  client.send_text("unwatch");
  harness.advance(5s);
  CHECK(received(client).empty());
  for (const char* ignored : {"", "stats ", "{\"watch\":true}", "join"}) client.send_text(ignored);
  harness.advance(5s);
  CHECK(received(client).empty());
  CHECK_FALSE(client.closed());
}

TEST_CASE("lws-status: a client that was held gets no statistics for that time") {
  wharf::Limits limits;
  limits.output_high_water = 1000;
  limits.output_low_water = 100;
  Harness harness(row(), named, limits);
  Client client = harness.connect();
  settle(harness);
  client.read_at_most(0);
  client.send_text("watch");
  harness.advance(60s);
  CHECK(client.queued() > 1000);
  CHECK(client.queued() < 3000);
  client.read_everything();
  settle(harness);
  received(client);
  harness.advance(100ms);
  CHECK(received(client).size() == 1);
  for (int i = 0; i < 5; ++i) {
    harness.advance(999ms);
    CHECK(received(client).size() <= 1);
    harness.advance(1ms);
  }
  received(client);
  harness.advance(10s);
  CHECK(received(client).size() == 10);
}

TEST_CASE("lws-status: pages and JSON") {
  StartedRow started(row(), named);
  const std::string json =
      "{\"version\":\"" WHARF_VERSION
      "\",\"hostname\":\"the \\\"pier\\\"\",\"uptime\":61000,\"connections\":3,\"accepted\":17,\"exchanges\":25,\n"
      "\"tls\":{\"handshakes\":9,\"version_1_2\":1,\"resumed\":4,\"failed\":2,\"cut\":7},\n"
      "\"refused\":{\"connections\":8,\"proxy_headers\":6,\"openings\":5,\"requests\":11},\"rows\":[\n{\"name\":\"one\",\"open\":1,"
      "\"opened\":10,\"exchanges\":100},\n"
      "{\"name\":\"\",\"open\":2,\"opened\":11,\"exchanges\":101}\n]}\n";
  for (const tests::Asked& asked :
       {tests::Asked{"GET", "/mount/json"}, tests::Asked{"GET", "/mount/", {{"Accept", "application/json"}}}}) {
    TestExchange exchange(started, asked);
    exchange.body_end();
    CHECK(exchange.status == 200);
    CHECK(exchange.answer == json);
    CHECK(exchange.answer_field("content-type") == "application/json");
    CHECK(exchange.answer_field("vary") == "Accept");
  }
  const auto type_of = [&](const std::string& method, const std::string& target) {
    TestExchange exchange(started, {method, target});
    exchange.body_end();
    return std::to_string(exchange.status) + " " + exchange.answer_field("content-type").value_or("");
  };
  CHECK(type_of("GET", "/mount/") == "200 text/html; charset=utf-8");
  CHECK(type_of("HEAD", "/mount") == "200 text/html; charset=utf-8");
  CHECK(type_of("GET", "/mount/page.js") == "200 text/javascript; charset=utf-8");
  CHECK(type_of("GET", "/mount/page.css") == "200 text/css; charset=utf-8");
  CHECK(type_of("GET", "/mount/page.svg") == "200 image/svg+xml");
  CHECK(type_of("GET", "/mount/nothing") == "404 text/plain; charset=utf-8");
  CHECK(type_of("POST", "/mount/") == "405 text/plain; charset=utf-8");
}

TEST_CASE("lws-status: options that it does not take") {
  const auto fault = [](const wharf::Options& options) {
    try {
      const StartedRow started(row(), options);
      return std::string("none");
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  CHECK(fault({{"addresses", "off"}, {"most", "10000"}}) == "none");
  CHECK(fault({{"addresses", "yes"}}).find("option addresses is 'yes'; it takes on or off") != std::string::npos);
  CHECK(fault({{"most", "0"}}).find("option most is '0'") != std::string::npos);
}
