#pragma once
/// Pages of plugins, in the style of the test server's. Nothing in them is inline, so that they work under the strictest
/// Content-Security-Policy: style, script and icon are requests of their own, below the page's mount.

#include <algorithm>
#include <string>
#include <string_view>

#include "page.css.h"
#include "page.html.h"
#include "page.svg.h"
#include "page_script.html.h"
#include "wharf/form.hpp"
#include "wharf/http.hpp"

namespace plugins {

/// What a page is made of; all of it is HTML but the script.
struct Page {
  std::string_view title;
  std::string_view body;
  std::string_view script;
};

/// The way from the URL that a request named to the folder of its mount: nothing from /upload/, "./upload/" from /upload.
inline std::string way_to_mount(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return last.empty() ? std::string() : "./" + std::string(last) + "/";
}

inline std::string html(const Page& page, std::string_view path) {
  const std::string way = wharf::html_escape(way_to_mount(path));
  const std::string script = page.script.empty() ? std::string() : pages::PageScriptHtml{.way = way}.text();
  return pages::PageHtml{.title = page.title, .way = way, .script = script, .body = page.body}.text();
}

/// Responds with a page or with data from a client; the fields forbid browsers to guess another type.
inline wharf::Flow respond(const wharf::Exchange& exchange, int status, std::string_view media_type, std::string_view text) {
  exchange.add_field("X-Content-Type-Options", "nosniff");
  exchange.add_field("Cache-Control", "no-cache");
  return exchange.respond(status, media_type, text);
}

inline wharf::Flow respond_page(const wharf::Exchange& exchange, int status, const Page& page) {
  exchange.add_field("Vary", "Accept");
  return respond(exchange, status, "text/html; charset=utf-8", html(page, exchange.path()));
}

/// Responds with what is below the mount besides the page. False: there is nothing of that name, and no response.
inline bool respond_part(const wharf::Exchange& exchange, std::string_view name, std::string_view script) {
  if (name == "/page.css") respond(exchange, 200, "text/css; charset=utf-8", pages::PageCss::text);
  else if (name == "/page.js") respond(exchange, 200, "text/javascript; charset=utf-8", script);
  else if (name == "/page.svg") respond(exchange, 200, "image/svg+xml", pages::PageSvg::text);
  else return false;
  return true;
}

/// Whether the client accepts JSON by name: programs do, browsers do not.
inline bool wants_json(const wharf::Exchange& exchange) {
  std::string accept(exchange.field("accept").value_or(""));
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  std::transform(accept.begin(), accept.end(), accept.begin(), lower);
  return accept.find("application/json") != std::string::npos;
}

}  // namespace plugins
