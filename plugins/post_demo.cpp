/// post-demo: a page with forms at its mount, and what they contained. GET gives the page; POST takes
/// application/x-www-form-urlencoded of at most 64 KiB, and multipart/form-data of any size, and responds with an HTML table
/// of its parts, or with JSON if the client's Accept names application/json:
///
///     {"parts":[
///     {"name":"text","size":5,"crc32":"3610a686","text":"hello"},
///     {"name":"file","file":"a.bin","type":"application/octet-stream","size":70000,"crc32":"0b54c5dc","hex":"00ff17..."}
///     ]}
///
/// `size` and `crc32` are those of all the data; `text` is its beginning, at most 1,024 bytes; if that is no text,
/// `hex` has 32 bytes of it instead. Nothing is stored, and memory does not grow with the upload. A fault is 400 (malformed),
/// 413 (too much), or 415 (another type of body, or one with a Content-Encoding), with {"error":"why"} or a line of text.
///
/// Option `limit`: the most bytes of a body of multipart/form-data, 1 to 2^40, 2^30 if not given. Option `part-limit`: the
/// same of one part in it; if not given it is `limit`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "options.h"
#include "page.h"
#include "text.h"
#include "upload.h"
#include "upload.html.h"
#include "upload.js.h"
#include "upload_result.html.h"
#include "upload_table.html.h"
#include "wharf/form.hpp"
#include "wharf/multipart.hpp"
#include "wharf/protocol.hpp"

namespace {

constexpr std::size_t longest_form = 64 * 1024;
constexpr std::uint64_t default_limit = std::uint64_t{1} << 30U;
constexpr std::uint64_t most_limit = std::uint64_t{1} << 40U;

/// A media type without its parameters, in lower case.
std::string essence(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  for (char& c : type)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return type;
}

struct PostDemo {
  struct Shared {
    explicit Shared(wharf::Scope scope)
        : limit(plugins::number_option<std::uint64_t>(scope, "limit", default_limit, {1, most_limit})),
          part_limit(plugins::number_option<std::uint64_t>(scope, "part-limit", limit, {1, most_limit})) {}
    std::uint64_t limit;
    std::uint64_t part_limit;
  };

  class Responder {
   public:
    Responder(wharf::Exchange exchange, Shared& shared) : exchange_(exchange), shared_(shared) {}

    void request() {
      const std::string_view method = exchange_.method();
      const std::string_view place = exchange_.request().path_below_mount();
      if (method == "POST" && place == "/") return begin_form();
      if (method == "GET" || method == "HEAD") return place == "/" ? give_page() : give_part(place);
      exchange_.add_field("Allow", place == "/" ? "GET, HEAD, POST" : "GET, HEAD");
      refuse(405, "this place takes GET, HEAD and POST");
    }

    void body(std::string_view piece) {
      if (parser_) {
        if (!parser_->feed(piece, upload_)) refuse_parts();
      } else if (piece.size() > longest_form - form_.size()) {
        refuse(413, "a form without files has at most 65,536 bytes here");
      } else {
        form_ += piece;
      }
    }

    void body_end() {
      if (parser_) return parser_->finish() ? give_result() : refuse_parts();
      const wharf::Parameters parameters = wharf::parse_parameters(form_);
      if (!parameters.complete()) return refuse(413, "the form has more fields than are taken here");
      for (const wharf::Parameter& parameter : parameters) upload_.add(parameter);
      give_result();
    }

   private:
    void begin_form() {
      if (const auto coding = exchange_.field("content-encoding"); coding && essence(*coding) != "identity") {
        exchange_.add_field("Accept-Encoding", "identity");
        return refuse(415, "the form has a Content-Encoding");
      }
      const std::string_view content_type = exchange_.field("content-type").value_or("");
      const std::string type = essence(content_type);
      if (type == "multipart/form-data") return begin_parts(content_type);
      if (type == "application/x-www-form-urlencoded") return;
      exchange_.add_field("Accept", "multipart/form-data, application/x-www-form-urlencoded");
      refuse(415, "this is no form");
    }

    void begin_parts(std::string_view content_type) {
      const std::optional<std::string> boundary = wharf::MultipartParser::boundary(content_type);
      if (!boundary) return refuse(400, "the Content-Type has no valid boundary");
      wharf::MultipartLimits limits;
      limits.body_size = shared_.limit;
      limits.part_size = shared_.part_limit;
      parser_.emplace(*boundary, limits);
      if (exchange_.request().body_length().value_or(0) > shared_.limit) refuse(413, "the body is longer than allowed");
    }

    // The forms have the fields of libwebsockets' post demo. upload.js sends the one with files by XMLHttpRequest, which shows how
    // much has been sent, and shows the result below. Without it the browser sends the form, and shows the result as a page.
    void give_page() const {
      const std::string table = pages::UploadTableHtml{.rows = ""}.text();
      const std::string body = pages::UploadHtml{.table = table, .limit = std::to_string(shared_.limit)}.text();
      plugins::respond_page(exchange_, 200, {"Uploads", body, pages::UploadJs::text});
    }

    void give_part(std::string_view place) const {
      if (!plugins::respond_part(exchange_, place, pages::UploadJs::text)) refuse(404, "there is nothing here");
    }

    void give_result() const {
      if (plugins::wants_json(exchange_)) {
        plugins::respond(exchange_, 200, "application/json", upload_.json());
        return;
      }
      const std::string table = pages::UploadTableHtml{.rows = upload_.table_rows()}.text();
      const std::string body = pages::UploadResultHtml{.table = table}.text();
      plugins::respond_page(exchange_, 200, {"What came", body, {}});
    }

    void refuse_parts() const { refuse(parser_->status(), parser_->reason()); }

    void refuse(int status, std::string_view why) const {
      if (plugins::wants_json(exchange_))
        plugins::respond(exchange_, status, "application/json", "{\"error\":" + plugins::json_string(why) + "}\n");
      else plugins::respond(exchange_, status, "text/plain; charset=utf-8", std::string(why) + "\n");
    }

    wharf::Exchange exchange_;
    Shared& shared_;
    std::optional<wharf::MultipartParser> parser_;  // nothing: the form is urlencoded
    plugins::Upload upload_;
    std::string form_;
  };
};

}  // namespace

WHARF_EXPORT(wharf::protocol<PostDemo>("post-demo"))
