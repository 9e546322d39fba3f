// A plugin that uses everything that the public headers define inline, so that the compiler has to emit it. What is the author's
// own has no linkage: every symbol with wharf in it is of the headers.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <wharf/form.hpp>
#include <wharf/multipart.hpp>
#include <wharf/protocol.hpp>
#include <wharf/utf8.hpp>

namespace {

using std::chrono::milliseconds;

std::string told(const wharf::Request& request) {
  std::string text;
  for (std::size_t i = 0; const auto field = request.field_at(i); ++i) (text += field->name) += field->value;
  text += request.path();
  text += request.query();
  text += request.address();
  text += request.peer().host;
  text += request.scheme();
  text += request.is_secure() ? request.host() : std::string_view();
  text += request.method();
  text += request.target();
  text += request.version();
  text += request.path_below_mount();
  for (const auto& part :
       {request.field("host"), request.decoded_path(), request.tls("version"), request.proxy("authority"), request.user()})
    text += part.value_or("");
  return text + std::to_string(request.body_length().value_or(0));
}

std::string told(const wharf::Scope& scope) {
  const wharf::ServerStatistics server = scope.server_statistics();
  std::string text = std::to_string(server.rows + static_cast<std::size_t>(scope.now().count()));
  for (std::size_t i = 0; const auto row = scope.row_statistics(i); ++i) text += row->name;
  text += scope.option("name").value_or("");
  text += scope.host();
  scope.log(wharf::Level::info, text);
  return text;
}

std::string told_by_form(std::string_view text) {
  const wharf::Parameters parameters = wharf::parse_parameters(text, {.count = 3});
  const wharf::Cookies cookies = wharf::parse_cookies(text);
  std::string said = wharf::percent_decode(text) + wharf::percent_encode(text) + wharf::html_escape(text);
  for (const wharf::Parameter& each : parameters) said += each.name + each.value;
  for (const wharf::Cookie& each : cookies) (said += each.name) += each.value;
  said += std::to_string(wharf::utf8_code_point(text) + wharf::utf8_left(wharf::utf8_front(text).state));
  said += parameters.find("a").value_or("");
  said += cookies.find("a").value_or("");
  said += std::to_string(parameters.all("a").size() + parameters.size() + cookies.size());
  if (parameters.empty() || cookies.empty() || !parameters.complete() || !cookies.complete()) said += '!';
  wharf::SetCookie cookie{.name = "name", .value = "value", .domain = "example.com", .max_age = std::chrono::seconds(1)};
  const wharf::SetCookie copy = cookie;
  return said + cookie.text().value_or("") + copy.text().value_or("");
}

struct Upload {
  wharf::MultipartParser parser;
  std::string text;

  bool part(const wharf::MultipartPart& part) {
    text += part.name + wharf::base_name(part.file_name.value_or("")) + part.type;
    return true;
  }
  void part_data(std::string_view data) { text += data; }
  void part_end() { text += wharf::MultipartPart().name; }
};

std::string told_by_multipart(std::string_view type, std::string_view body) {
  Upload upload{wharf::MultipartParser(wharf::MultipartParser::boundary(type).value_or("x"), {.parts = 3}), {}};
  if (!upload.parser.feed(body, upload) || !upload.parser.finish()) return std::string(upload.parser.reason());
  Upload moved = std::move(upload);
  return moved.text + std::to_string(moved.parser.status()) + (moved.parser.error() == wharf::MultipartError::none ? "" : "!");
}

struct Talk {
  struct Shared {
    explicit Shared(wharf::Scope scope) : text(told(scope)) {}
    std::string text;
  };
  wharf::Peer peer;
  Shared& shared;

  static int accept(const wharf::Request& request, Shared& shared) { return request.query() == shared.text ? 403 : 0; }
  void opened(const wharf::Request& request) {
    peer.every(milliseconds(0));
    peer.pause();
    peer.resume();
    peer.send_text(told(request) + told(peer.scope()));
    peer.send_binary("bytes");
    peer.send_part(wharf::Kind::text, wharf::Part::first, "a");
    peer.send_part(wharf::Kind::text, wharf::Part::last, "b");
    peer.ping("p");
    peer.log(wharf::Level::debug, std::to_string(peer.buffered()));
    peer.handle<Talk>().post([text = std::string("posted")](Talk& talk) { talk.peer.send_text(text); });
  }
  void fragment(wharf::Kind kind, wharf::Part part, std::string_view data) {
    if (wharf::is_first(part) && wharf::is_last(part) && data == "abort") return peer.abort();
    peer.send(kind, data);
  }
  void drained() {}
  void tick() {}
  void pong(std::string_view data) { peer.send_text(data); }
  void closing(std::uint16_t, std::string_view) { peer.close(); }
};

struct Whole {
  void message(wharf::Kind, std::string_view) {}
};

struct Line {
  wharf::Pipe pipe;
  std::string word;

  void data(std::string_view bytes) {
    pipe.cork();
    pipe.write(word + std::string(bytes) + std::string(pipe.address()) + std::to_string(pipe.buffered()));
    pipe.uncork();
    pipe.every(milliseconds(5));
    pipe.pause();
    pipe.resume();
    pipe.log(wharf::Level::debug, told(pipe.scope()));
    pipe.handle<Line>().post([](Line& line) { line.pipe.end(); });
    pipe.handle().post([](wharf::Pipe other) { other.abort(); });
  }
  void ended() { pipe.close(); }
  void drained() {}
  void tick() {}
  void closing() {}
};

struct Answer {
  struct Responder {
    wharf::Exchange exchange;
    void request() {
      exchange.pause_body();
      exchange.resume_body();
      exchange.answer_within(milliseconds(50));
      exchange.every(milliseconds(50));
      exchange.log(wharf::Level::debug, told(exchange.scope()) + std::to_string(exchange.buffered()));
      exchange.handle<Responder>().post([](Responder& responder) { responder.exchange.end(); });
      exchange.handle().post([](wharf::Exchange other) { other.abort(); });
    }
    void body(std::string_view piece) { exchange.write(piece); }
    void body_end() { exchange.begin(200, "text/plain", 4); }
    void drained() { exchange.end(); }
    void tick() { exchange.abort(); }
    void closing(bool) {}
  };
};

struct Function {
  static void request(wharf::Exchange exchange) {
    exchange.add_field("X-Told", told(exchange.request()));
    if (exchange.method() == "PUT" && exchange.upgrade<Line>("line", std::string("word"))) return;
    if (exchange.path() == "/file" && exchange.respond_file(200, "/etc/hostname")) return;
    if (exchange.query() == "away") exchange.redirect(303, "/");
    else if (exchange.field("accept") == "text/event-stream") {
      const wharf::EventStream events(exchange);
      events.send("a\nb", "event", "id");
      events.comment();
      events.retry_after(milliseconds(5));
      events.end();
    } else if (exchange.body().empty()) exchange.respond(204);
    else
      exchange.respond(200, "text/plain",
                       told_by_form(exchange.query()) + told_by_multipart("multipart/form-data", exchange.body()));
  }
};

}  // namespace

WHARF_EXPORT(wharf::protocol<Talk>("everything")
                 .message_limit(1)
                 .ping(milliseconds(1), milliseconds(2))
                 .no_ping()
                 .body_limit(1)
                 .compression({}),
             wharf::protocol<Whole>("everything-whole"), wharf::protocol<Answer>("everything-answer"),
             wharf::protocol<Function>("everything-function"))
