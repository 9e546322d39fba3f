#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/proxy_header.h"
#include "wire/wire_case.h"

namespace {

using namespace wharf::codec;
using State = ProxyHeaderResult::State;

std::vector<std::string> log_of(const ProxyHeaderResult& result, const std::string& names) {
  if (result.state == State::more) return {"more"};
  if (result.state == State::failed) return {"failed " + in_quotes(result.reason)};
  const ProxyHeader& header = result.header;
  std::vector<std::string> log;
  log.push_back((header.command == ProxyHeader::Command::local ? "local " : "proxy ") + std::to_string(header.version));
  if (header.source.known()) log.push_back("from " + in_quotes(header.source.text()));
  if (header.destination.known()) log.push_back("to " + in_quotes(header.destination.text()));
  if (header.client == ProxyHeader::Client::by_tls) log.emplace_back("came by tls");
  if (header.client == ProxyHeader::Client::in_the_clear) log.emplace_back("came in the clear");
  for (std::size_t at = 0; at < names.size();) {
    const std::string name = names.substr(at, names.find(',', at) - at);
    at += name.size() + 1;
    if (const auto value = proxy_value(header.values, name)) log.push_back("value " + name + " " + in_quotes(*value));
  }
  return log;
}

/// The bytes that have come lie in memory that is no longer than they are, so that a sanitizer notices a read beyond it. After a
/// failure more bytes change nothing.
std::vector<std::string> run(const WireCase& wire_case, const std::vector<std::string_view>& pieces) {
  const auto setting = [&wire_case](const char* name, std::string otherwise) {
    const auto found = wire_case.settings.find(name);
    return found == wire_case.settings.end() ? otherwise : found->second;
  };
  const std::size_t most = std::stoul(setting("most", "4096"));
  std::string came;
  std::vector<std::string> log{"more"};
  std::size_t size = 0;
  for (const std::string_view piece : pieces) {
    came += piece;
    const auto copy = std::make_unique<char[]>(came.size());
    came.copy(copy.get(), came.size());
    const ProxyHeaderResult result = read_proxy_header({copy.get(), came.size()}, most);
    std::vector<std::string> now = log_of(result, setting("values", ""));
    if (log != std::vector<std::string>{"more"}) CHECK(now == log);
    log = std::move(now);
    size = result.size;
  }
  if (size != 0 && size < came.size()) log.push_back("rest " + in_quotes(came.substr(size)));
  return log;
}

}  // namespace

TEST_CASE("PROXY headers on the wire, whole and cut at every place") { check_wire_cases("proxy_header.wire", 65, run); }
