/// http-echo: the response to every request at its mount has the request's body, whatever the method, byte by byte as it comes
/// in. If a client sends without reading, the server stops reading from it. The status is 200, the Content-Type is that of the
/// request or else application/octet-stream, and there is a Content-Length if the request had one; a body in chunks comes back
/// in chunks.
///
/// With `headers` in the query, like /echo/?headers, the response shows in text/plain how the request was understood. The body
/// is read and counted:
///
///     PUT /echo/?headers HTTP/1.1  the request line
///     Host: 127.0.0.1:7681         each field, in the order and case sent
///     Transfer-Encoding: chunked
///                                  an empty line
///     1000                         bytes of body

#include <cstdint>
#include <string>
#include <string_view>

#include "wharf/form.hpp"
#include "wharf/protocol.hpp"

namespace {

struct HttpEcho {
  struct Responder {
    wharf::Exchange exchange;
    bool shows_head = false;
    bool begun = false;
    std::uint64_t size = 0;  // of the body so far

    void request() {
      const wharf::Parameters query = wharf::parse_parameters(exchange.query());
      shows_head = query.find("headers").has_value();
    }

    void body(std::string_view piece) {
      size += piece.size();
      if (shows_head) return;
      begin();
      if (exchange.write(piece) == wharf::Flow::hold) exchange.pause_body();
    }
    void drained() { exchange.resume_body(); }

    void body_end() {
      if (shows_head) return show_head();
      begin();
      exchange.end();
    }

    void begin() {
      if (begun) return;
      begun = true;
      // The body is the client's: no browser may run it as a page of this server.
      exchange.add_field("Content-Security-Policy", "sandbox; default-src 'none'");
      exchange.add_field("X-Content-Type-Options", "nosniff");
      exchange.begin(200, exchange.field("content-type").value_or("application/octet-stream"), exchange.request().body_length());
    }

    void show_head() const {
      const wharf::Request request = exchange.request();
      std::string text;
      (((((text += request.method()) += ' ') += request.target()) += ' ') += request.version()) += '\n';
      for (std::size_t i = 0; const auto field = request.field_at(i); ++i)
        (((text += field->name) += ": ") += field->value) += '\n';
      ((text += '\n') += std::to_string(size)) += '\n';
      exchange.add_field("X-Content-Type-Options", "nosniff");
      exchange.respond(200, "text/plain", text);
    }
  };
};

}  // namespace

WHARF_EXPORT(wharf::protocol<HttpEcho>("http-echo"))
