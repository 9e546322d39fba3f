#include "protocol/table.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>

#include "unit/server/served.h"

namespace {

using namespace wharf;
using namespace wharf::server;

std::string refusal(RowList& rows, const wharf_row& row) { return rows.add(row).message; }

/// Which rows were started and stopped, in order; a row's start fails if its option `fail` says so.
std::vector<std::string> events;

struct Counted {
  const char* name;
};

wharf_row counted_row(const char* name) {
  wharf_row row = plain_row(name);
  row.shared_state_size = sizeof(Counted);
  row.start = [](void* shared, wharf_scope* scope) {
    const char* called = scope->services->option(scope, "called");
    auto* counted = static_cast<Counted*>(shared);
    CHECK(counted->name == nullptr);  // zeroed
    counted->name = called != nullptr ? called : "?";
    events.push_back(std::string("start ") + counted->name);
    return scope->services->option(scope, "fail") != nullptr ? 1 : 0;
  };
  row.stop = [](void* shared) { events.push_back(std::string("stop ") + static_cast<Counted*>(shared)->name); };
  return row;
}

struct Table {
  explicit Table(std::vector<const char*> names, VirtualHost host = {}) {
    for (const char* name : names) REQUIRE_FALSE(rows.add(plain_row(name)));
    auto started = ProtocolTable::start(rows, host, {}, home.home);
    REQUIRE(started);
    table = std::move(*started);
  }
  std::string selected(std::vector<std::string_view> offered) const {
    const session::Protocol* protocol = table->select(offered);
    return protocol != nullptr ? std::string("'") + protocol->row.name + "'" : "refused";
  }

  TestHome home;
  RowList rows;
  std::unique_ptr<ProtocolTable> table;
};

VirtualHost with_default(const char* name, std::vector<std::string> selectable = {}) {
  VirtualHost host;
  host.default_protocol = name;
  host.protocols = std::move(selectable);
  return host;
}

}  // namespace

TEST_CASE("row list: names are tokens, and each is there once") {
  RowList rows;
  CHECK(refusal(rows, plain_row("chat")).empty());
  CHECK(refusal(rows, plain_row("Chat")).empty());  // names are compared exactly
  CHECK(refusal(rows, plain_row("!#$%&'*+-.^_`|~09azAZ")).empty());
  CHECK(refusal(rows, plain_row("chat")) == "protocol 'chat' is already in the table");
  for (const char* name : {"two words", "a,b", "a/b", "caf\xC3\xA9", "tab\t", "\x7F", "(x)", "a\r\nb"})
    CHECK(refusal(rows, plain_row(name)).find("is not a token") != std::string::npos);
  CHECK(rows.rows().size() == 3);
}

TEST_CASE("row list: http is reserved in any case") {
  RowList rows;
  for (const char* name : {"http", "HTTP", "Http"})
    CHECK(refusal(rows, plain_row(name)) == "protocol name 'http' is reserved: HTTP is protocol zero");
  CHECK(refusal(rows, plain_row("http2")).empty());
}

TEST_CASE("row list: a row without a name, and one with the empty name") {
  RowList rows;
  CHECK(refusal(rows, plain_row(nullptr)) == "a protocol row has no name");
  CHECK(refusal(rows, plain_row("")).empty());
  CHECK(refusal(rows, plain_row("")) == "protocol '' is already in the table");
  CHECK(rows.find("") != nullptr);
  CHECK(rows.find("x") == nullptr);
}

TEST_CASE("row list: a row that ends before destroy is refused") {
  RowList rows;
  constexpr std::size_t least = offsetof(wharf_row, destroy) + sizeof(wharf_row::destroy);
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, least - 1}) {
    wharf_row row = plain_row("short");
    row.size = size;
    CHECK(refusal(rows, row) == "a protocol row says it has " + std::to_string(size) + " bytes; set size to sizeof(wharf_row)");
  }
  CHECK(rows.rows().empty());
}

TEST_CASE("row list: an http row that ends before destroy is refused") {
  RowList rows;
  constexpr std::size_t least = offsetof(wharf_http_row, destroy) + sizeof(wharf_http_row::destroy);
  wharf_http_row http{};
  http.request = [](void*, void*, wharf_exchange*) { return 0; };
  wharf_row row = plain_row("short");
  row.http = &http;
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, least - 1}) {
    http.size = size;
    CHECK(refusal(rows, row) == "protocol 'short': its http row has a size that no version of wharf knows");
  }
  http.size = least;
  CHECK(refusal(rows, row).empty());
}

TEST_CASE("row list: a longer row, of a newer header, is taken without its newer fields") {
  struct Newer {
    wharf_row row;
    void (*unheard_of)(void* state);
  };
  Newer newer{counted_row("newer"), [](void*) { FAIL("this version cannot know of it"); }};
  newer.row.size = sizeof newer;
  newer.row.message_limit = 77;
  newer.row.state_size = 5;
  RowList rows;
  REQUIRE(refusal(rows, newer.row).empty());
  const wharf_row& taken = rows.rows().front();
  CHECK(taken.size == sizeof(wharf_row));
  CHECK(taken.message_limit == 77);
  CHECK(taken.state_size == 5);
  CHECK((taken.start == newer.row.start));
  CHECK((taken.stop == newer.row.stop));
}

TEST_CASE("row list: the rows of a plugin, all or none") {
  const wharf_row one = plain_row("one"), two = plain_row("two"), again = plain_row("one"), http = plain_row("http");
  RowList rows;
  const wharf_row* good[] = {&one, &two};
  REQUIRE(rows.add(good).message.empty());
  const wharf_row three = plain_row("three");
  const wharf_row* taken[] = {&three, &again};
  CHECK(rows.add(taken).message == "protocol 'one' is already in the table");
  const wharf_row* reserved[] = {&three, &http};
  CHECK(rows.add(reserved).message.find("reserved") != std::string::npos);
  const wharf_row* missing[] = {&three, nullptr};
  CHECK(rows.add(missing).message == "a protocol row is missing");
  const wharf_row* twins[] = {&three, &three};
  CHECK(rows.add(twins).message == "protocol 'three' is already in the table");
  CHECK(rows.rows().size() == 2);
  CHECK(rows.find("three") == nullptr);
}

TEST_CASE("protocol table: the client's order decides, not the table's") {
  const Table table({"a", "b", "c"});
  CHECK(table.selected({"a"}) == "'a'");
  CHECK(table.selected({"c", "a", "b"}) == "'c'");
  CHECK(table.selected({"unknown", "b", "a"}) == "'b'");
  CHECK(table.selected({"unknown", "A"}) == "refused");
  CHECK(table.selected({"http"}) == "refused");
  CHECK(table.table->names() == "a, b, c");
}

TEST_CASE("protocol table: none offered is refused without a default") {
  const Table table({"a"});
  CHECK(table.selected({}) == "refused");
  const Table nothing({});
  CHECK(nothing.selected({}) == "refused");
  CHECK(nothing.selected({"a"}) == "refused");
  CHECK(nothing.table->names() == "none");
}

TEST_CASE("protocol table: the default row is for those that offer none") {
  const Table table({"a", "b"}, with_default("b"));
  CHECK(table.selected({}) == "'b'");
  CHECK(table.selected({"a"}) == "'a'");
  CHECK(table.selected({"b"}) == "'b'");
  CHECK(table.selected({"unknown"}) == "refused");
}

TEST_CASE("protocol table: only the rows that the host lists can be selected, in the table's order") {
  const Table table({"a", "b", "c"}, with_default("c", {"b", "a"}));
  CHECK(table.selected({"b"}) == "'b'");
  CHECK(table.selected({"c", "a"}) == "'a'");
  CHECK(table.selected({"c"}) == "refused");  // the default, though it serves those that offer none
  CHECK(table.selected({}) == "'c'");
  CHECK(table.table->names() == "a, b");
}

TEST_CASE("protocol table: the row with the empty name serves those that offer none, if no default is named") {
  const Table table({"a", ""});
  CHECK(table.selected({}) == "''");
  CHECK(table.selected({"a"}) == "'a'");
  CHECK(table.selected({""}) == "refused");
  CHECK(table.table->names() == "a");
  const Table named({"a", ""}, with_default("a"));
  CHECK(named.selected({}) == "'a'");
  const Table listed({"a", "b", ""}, with_default("", {"b"}));
  CHECK(listed.selected({}) == "''");
  CHECK(listed.selected({"a"}) == "refused");
}

TEST_CASE("protocol table: rows that the host does not list are not started") {
  events.clear();
  RowList rows;
  for (const char* name : {"a", "b"}) REQUIRE_FALSE(rows.add(counted_row(name)));
  VirtualHost host;
  host.protocols = {"b"};
  host.options = {{"a", {{"called", "a"}}}, {"b", {{"called", "b"}}}};
  TestHome home;
  { REQUIRE(ProtocolTable::start(rows, host, {}, home.home)); }
  CHECK(events == std::vector<std::string>{"start b", "stop b"});
}

TEST_CASE("protocol table: rows are started in order and stopped the other way round") {
  events.clear();
  RowList rows;
  for (const char* name : {"a", "b", "c"}) REQUIRE_FALSE(rows.add(counted_row(name)));
  VirtualHost host;
  for (const char* name : {"a", "b", "c"}) host.options[name]["called"] = name;
  TestHome home;
  { REQUIRE(ProtocolTable::start(rows, host, {}, home.home)); }
  CHECK(events == std::vector<std::string>{"start a", "start b", "start c", "stop c", "stop b", "stop a"});
}

TEST_CASE("protocol table: a row that cannot start stops those that were started, and is named") {
  events.clear();
  RowList rows;
  for (const char* name : {"a", "b", "c"}) REQUIRE_FALSE(rows.add(counted_row(name)));
  VirtualHost host;
  for (const char* name : {"a", "b", "c"}) host.options[name]["called"] = name;
  host.options["b"]["fail"] = "yes";
  TestHome home;
  const auto table = ProtocolTable::start(rows, host, {}, home.home);
  REQUIRE_FALSE(table);
  CHECK(table.error().message == "protocol 'b' could not start; the log says why");
  CHECK(events == std::vector<std::string>{"start a", "start b", "stop a"});
}

TEST_CASE("protocol table: a row sees its own options on its own host") {
  static std::string seen;
  seen.clear();
  wharf_row row = plain_row("a");
  row.start = [](void*, wharf_scope* scope) {
    for (const char* name : {"one", "two", "empty"}) {
      const char* value = scope->services->option(scope, name);
      seen += std::string(value != nullptr ? value : "none") + ";";
    }
    return 0;
  };
  RowList rows;
  REQUIRE_FALSE(rows.add(row));
  VirtualHost host;
  host.options = {{"a", {{"one", "1"}, {"empty", ""}}}, {"b", {{"two", "2"}}}};
  TestHome home;
  REQUIRE(ProtocolTable::start(rows, host, {}, home.home));
  REQUIRE(ProtocolTable::start(rows, {}, {}, home.home));
  CHECK(seen == "1;none;;none;none;none;");
}

TEST_CASE("protocol table: the message limit is the row's, or else the server's") {
  wharf_row own = plain_row("own");
  own.message_limit = 10;
  RowList rows;
  REQUIRE_FALSE(rows.add(own));
  REQUIRE_FALSE(rows.add(plain_row("none")));
  TestHome home;
  session::WsLimits limits;
  limits.message = 99;
  const auto table = ProtocolTable::start(rows, {}, limits, home.home);
  REQUIRE(table);
  const std::string_view names[] = {"own", "none"};
  CHECK((*table)->select(std::span(names).first(1))->message_limit() == 10);
  CHECK((*table)->select(std::span(names).last(1))->message_limit() == 99);
}

TEST_CASE("row list: a row that ends with destroy is accepted, with defaults for the members that it does not have") {
  RowList rows;
  wharf_row row = plain_row("old");
  row.size = offsetof(wharf_row, destroy) + sizeof row.destroy;
  row.ping_after = 1;  // lies beyond the given size
  row.compression = 99;
  REQUIRE(refusal(rows, row).empty());
  CHECK(rows.rows().front().ping_after == 0);
  CHECK(rows.rows().front().compression == WHARF_COMPRESSION_DEFAULT);
}

TEST_CASE("row list: a value out of its range is refused with the range") {
  struct Wrong {
    std::uint32_t wharf_row::*field;
    std::uint32_t value;
    std::string_view says;
  };
  const Wrong wrongs[] = {
      {&wharf_row::compression, 4, "compression is 4; it is 1 to 3, or 0 for the default"},
      {&wharf_row::compression_window_bits, 7, "compression_window_bits is 7; it is 8 to 15, or 0 for the default"},
      {&wharf_row::compression_window_bits, 16, "compression_window_bits is 16; it is 8 to 15, or 0 for the default"},
      {&wharf_row::compression_memory_level, 10, "compression_memory_level is 10; it is 1 to 9, or 0 for the default"},
      {&wharf_row::compression_level, 10, "compression_level is 10; it is 1 to 9, or 0 for the default"},
      {&wharf_row::compress_messages, 3, "compress_messages is 3; it is 1 to 2, or 0 for the default"},
  };
  RowList rows;
  for (const Wrong& wrong : wrongs) {
    wharf_row row = plain_row("odd");
    row.*wrong.field = wrong.value;
    CHECK(refusal(rows, row) == "protocol 'odd': " + std::string(wrong.says));
  }
  wharf_row both = plain_row("both");
  both.message = [](void*, wharf_kind, char*, size_t) {};
  both.fragment = [](void*, wharf_kind, wharf_part, char*, size_t) {};
  CHECK(refusal(rows, both) == "protocol 'both' has both message and fragment; a row takes whole messages or pieces");
  CHECK(rows.rows().empty());
}

TEST_CASE("protocol table: compression is the row's, or else the server's, or else shared") {
  RowList rows;
  wharf_row own = plain_row("own");
  own.compression = WHARF_COMPRESSION_DEDICATED;
  own.compression_window_bits = 9;
  own.compression_memory_level = 2;
  own.compression_level = 3;
  own.compress_from = 7;
  wharf_row off = plain_row("off");
  off.compression = WHARF_COMPRESSION_OFF;
  REQUIRE_FALSE(rows.add(own));
  REQUIRE_FALSE(rows.add(off));
  REQUIRE_FALSE(rows.add(plain_row("plain")));
  TestHome home;
  session::WsLimits limits;
  using Context = codec::DeflateWish::Context;
  const auto protocol = [](ProtocolTable& table, std::string_view name) { return table.select(std::span(&name, 1)); };

  const auto table = ProtocolTable::start(rows, {}, limits, home.home);
  REQUIRE(table);
  const session::Protocol& chosen = *protocol(**table, "own");
  REQUIRE(chosen.deflate_wish);
  CHECK(chosen.deflate_wish->context == Context::dedicated);
  CHECK(chosen.deflate_wish->window_bits == 9);
  CHECK(chosen.deflate_settings.tuning == codec::DeflateTuning{3, 2});
  CHECK(chosen.deflate_settings.from == 7);
  CHECK_FALSE(protocol(**table, "off")->deflate_wish);
  REQUIRE(protocol(**table, "plain")->deflate_wish);
  CHECK(protocol(**table, "plain")->deflate_wish->context == Context::shared);
  CHECK(protocol(**table, "plain")->deflate_wish->window_bits == 12);
  CHECK(protocol(**table, "plain")->deflate_settings.from == 192);

  limits.compression.context = Compression::Context::dedicated;
  const auto other = ProtocolTable::start(rows, {}, limits, home.home);
  REQUIRE(other);
  CHECK(protocol(**other, "plain")->deflate_settings.from == 64);

  limits.compression = {Compression::Context::off, 0, 0, 0, 0};
  const auto without = ProtocolTable::start(rows, {}, limits, home.home);
  REQUIRE(without);
  CHECK(protocol(**without, "own")->deflate_wish);
  CHECK_FALSE(protocol(**without, "plain")->deflate_wish);
}

TEST_CASE("protocol table: whether all messages are compressed is the row's choice, or else the server's, or else not") {
  RowList rows;
  for (const auto& [name, choice] :
       {std::pair("plain", WHARF_COMPRESS_DEFAULT), {"few", WHARF_COMPRESS_WORTHWHILE}, {"all", WHARF_COMPRESS_ALL}}) {
    wharf_row row = plain_row(name);
    row.compress_messages = choice;
    REQUIRE_FALSE(rows.add(row));
  }
  TestHome home;
  session::WsLimits limits;
  const auto chosen = [&](std::string_view name) {
    const auto table = ProtocolTable::start(rows, {}, limits, home.home);
    REQUIRE(table);
    return (*table)->select(std::span(&name, 1))->deflate_settings.choice;
  };
  CHECK(chosen("plain") == codec::DeflateChoice::worthwhile);
  CHECK(chosen("all") == codec::DeflateChoice::all);
  limits.compression.messages = Compression::Messages::all;
  CHECK(chosen("plain") == codec::DeflateChoice::all);
  CHECK(chosen("few") == codec::DeflateChoice::worthwhile);
}

TEST_CASE("compression of a server: a number out of its range is refused with the range") {
  using Context = Compression::Context;
  CHECK_FALSE(check_compression({}));
  CHECK_FALSE(check_compression({Context::dedicated, 15, 9, 9, 1}));
  CHECK(check_compression({Context::shared, 3, 0, 0, 0}).message ==
        "ServerOptions::compression: window_bits is 3; it is 8 to 15, or 0 for the default");
  CHECK(check_compression({Context::shared, 0, 10, 0, 0}).message ==
        "ServerOptions::compression: memory_level is 10; it is 1 to 9, or 0 for the default");
  CHECK(check_compression({Context::shared, 0, 0, 10, 0}).message ==
        "ServerOptions::compression: level is 10; it is 1 to 9, or 0 for the default");
  CHECK(check_compression({static_cast<Context>(7), 0, 0, 0, 0}).message ==
        "ServerOptions::compression: context is 7; it is 1 to 3, or 0 for the default");
  Compression wrong;
  wrong.messages = static_cast<Compression::Messages>(3);
  CHECK(check_compression(wrong).message == "ServerOptions::compression: messages is 3; it is 1 to 2, or 0 for the default");
}
