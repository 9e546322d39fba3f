#include "codec/proxy_header.h"

#include <cstdint>
#include <string_view>

#include "fuzz/promise.h"

// Input: what a balancer sends. More bytes never change an outcome, and a header is read alike at its last byte and beyond.

namespace {

using namespace wharf::codec;
using State = ProxyHeaderResult::State;

constexpr std::size_t most = 4096;

void look_at(const ProxyHeader& header) {
  require(header.version == 1 || header.version == 2, "a version is one of two");
  for (const char* const name : {"authority", "alpn", "unique_id", "netns", "ssl_version", "ssl_cn", "0x04", "0xea", "none"})
    if (const auto value = proxy_value(header.values, name))
      require(value->empty() || (value->data() >= header.values.data() &&
                                 value->data() + value->size() <= header.values.data() + header.values.size()),
              "a value is a part of the header");
  if (const auto id = proxy_value(header.values, "unique_id")) require(id->size() <= 128, "a unique ID is short");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ProxyHeaderResult whole = read_proxy_header(bytes, most);
  require(whole.state != State::failed || !whole.reason.empty(), "a failure has a reason");
  if (whole.state == State::done) {
    require(whole.size <= size && whole.size <= most, "a header is within its bytes and its limit");
    look_at(whole.header);
    require(read_proxy_header(bytes.substr(0, whole.size), most).state == State::done, "it ends with its last byte");
    require(read_proxy_header(bytes.substr(0, whole.size - 1), most).state == State::more, "and not before");
  }
  if (size > 512) return 0;
  for (std::size_t cut = 0; cut < size; ++cut) {
    const ProxyHeaderResult part = read_proxy_header(bytes.substr(0, cut), most);
    if (part.state != State::more) require(part.state == whole.state && part.size == whole.size, "more bytes change nothing");
  }
  return 0;
}
