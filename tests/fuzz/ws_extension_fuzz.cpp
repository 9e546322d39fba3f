#include "codec/ws/extension.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "fuzz/promise.h"

// Input: a byte for the wish of one end and a byte for the other's, then the values of Sec-WebSocket-Extensions fields, one to a
// line. They are read as a client's offer and as a server's response.

namespace {

using namespace wharf::codec;
using wharf::base::is_token;
using Fields = std::vector<std::string_view>;

constexpr std::size_t control_bytes = 2;
constexpr DeflateWish widest{.context = DeflateWish::Context::dedicated, .window_bits = 15};

DeflateWish wish_of(std::uint8_t byte) {
  return {.context = (byte & 8) == 0 ? DeflateWish::Context::shared : DeflateWish::Context::dedicated,
          .window_bits = 8 + byte % 8,
          .largest_window_bits = 15 - (byte >> 4) % 8};
}

bool is_window(int bits) { return bits >= 8 && bits <= 15; }

Fields lines_of(std::string_view text) {
  Fields lines;
  while (true) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

/// The list as it could have stood in the field.
std::string written(const ExtensionList& list) {
  std::string text;
  for (const Extension& extension : list.extensions) {
    text += (text.empty() ? "" : ", ") + std::string(extension.name);
    require(is_token(extension.name), "a name is a token");
    for (const Extension::Parameter& parameter : extension.parameters) {
      require(is_token(parameter.name) && (!parameter.value || is_token(*parameter.value)), "parameters are tokens");
      text += ";" + std::string(parameter.name) + (parameter.value ? "=" + *parameter.value : "");
    }
  }
  return text;
}

void check_grammar(const Fields& fields) {
  for (const std::string_view field : fields) {
    const ExtensionList list = parse_extensions(field);
    const std::string text = written(list);
    const ExtensionList again = parse_extensions(text);
    require(again.well_formed && written(again) == text, "what was read can be written and read again");
    if (!list.well_formed) continue;
    const std::string with_more = std::string(field) + ",permessage-deflate;x=\"1\",@";
    const ExtensionList more = parse_extensions(with_more);
    require(!more.well_formed && more.extensions.size() == list.extensions.size() + 1, "neighbours do not change one another");
  }
}

bool names(const Fields& fields, std::string_view name) {
  for (const std::string_view field : fields)
    for (const Extension& extension : parse_extensions(field).extensions)
      if (extension.name == name) return true;
  return false;
}

void check_as_offer(const Fields& fields, const DeflateWish& wish) {
  const auto agreement = accept_deflate(fields, wish);
  Fields with_fallback = fields;
  with_fallback.push_back("permessage-deflate");
  const auto in_any_case = accept_deflate(with_fallback, wish);
  const bool is_declined = !in_any_case;
  require(!is_declined || (wish.context == DeflateWish::Context::shared && names(fields, "deflate-frame")),
          "an offer that fits is found behind whatever else, but for a client that would fail at the answer");
  require(!agreement || *agreement == *in_any_case, "and the first that fits is taken");
  if (!agreement) return;
  require(is_window(agreement->server_max_window_bits) && is_window(agreement->client_max_window_bits), "windows are windows");
  require(agreement->server_max_window_bits <= wish.window_bits, "the server keeps to its own wish");
  require(!agreement->client_window_offered || agreement->client_max_window_bits <= std::max(wish.window_bits, 9),
          "and limits whom it may");
  require(agreement->client_window_offered || agreement->client_max_window_bits == 15, "and no other");
  const bool shared = wish.context == DeflateWish::Context::shared;
  require(!shared || (agreement->server_no_context_takeover && agreement->client_no_context_takeover),
          "no context where none is wished");

  const std::string answer = deflate_answer(*agreement);
  const auto read = read_deflate_answer({answer}, widest);
  require(read.has_value(), "a client can read every answer");
  require(read->server_max_window_bits >= agreement->server_max_window_bits &&
              read->client_max_window_bits == agreement->client_max_window_bits &&
              (agreement->server_no_context_takeover || !read->server_no_context_takeover) &&
              read->client_no_context_takeover == agreement->client_no_context_takeover,
          "and can read what was agreed on");
  require((answer.find("server_max_window_bits") != std::string::npos) == agreement->server_window_offered &&
              (answer.find("server_no_context_takeover") != std::string::npos) == agreement->server_no_context_offered,
          "and is not told what it did not ask for");
}

void check_as_answer(const Fields& fields, const DeflateWish& wish) {
  const auto agreement = read_deflate_answer(fields, wish);
  if (!agreement) return;
  std::size_t elements = 0;
  for (const std::string_view field : fields) {
    const ExtensionList list = parse_extensions(field);
    require(list.well_formed, "a client takes no answer that breaks the grammar");
    elements += list.extensions.size();
  }
  require(elements == 1, "nor one of several extensions");
  require(is_window(agreement->server_max_window_bits) && is_window(agreement->client_max_window_bits), "windows are windows");
  require(agreement->server_max_window_bits <= wish.largest_window_bits && agreement->client_max_window_bits <= wish.window_bits,
          "no window is larger than it may be");
  const bool shared = wish.context == DeflateWish::Context::shared;
  require(!shared || agreement->client_no_context_takeover, "no context of its own where none is wished");
}

void check_both(const DeflateWish& client, const DeflateWish& server) {
  const std::string offer = deflate_offer(client);
  const auto at_server = accept_deflate({offer}, server);
  require(at_server.has_value(), "every server takes every client's offer");
  const std::string answer = deflate_answer(*at_server);
  const auto at_client = read_deflate_answer({answer}, client);
  require(at_client.has_value(), "and the client takes the answer");
  require(at_client->server_max_window_bits >= at_server->server_max_window_bits &&
              at_client->client_max_window_bits <= at_server->client_max_window_bits &&
              (at_server->server_no_context_takeover || !at_client->server_no_context_takeover) &&
              at_client->client_no_context_takeover == at_server->client_no_context_takeover,
          "and both can read one another");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const Fields fields = lines_of({reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes});
  check_grammar(fields);
  check_as_offer(fields, wish_of(data[0]));
  check_as_answer(fields, wish_of(data[1]));
  check_both(wish_of(data[0]), wish_of(data[1]));
  return 0;
}
