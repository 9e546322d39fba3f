#include "codec/http/forwarded.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http/target.h"
#include "fuzz/promise.h"

// Input: lines, each a letter for a field and its value: f Forwarded, x X-Forwarded-For, p -Proto, h -Host, o -Port; another letter
// is a part of a name. They come from a trusted front, which then adds what it knows: whatever a client has sent before that, it is
// not taken for somebody else.

namespace {

using namespace wharf::codec;
using wharf::base::PeerAddress;
using wharf::base::PeerNetwork;

std::string_view name_of(char letter) {
  switch (letter) {
    case 'f': return "Forwarded";
    case 'x': return "X-Forwarded-For";
    case 'p': return "X-Forwarded-Proto";
    case 'h': return "X-Forwarded-Host";
    case 'o': return "X-Forwarded-Port";
    default: return {};
  }
}

std::vector<Field> fields_of(std::string_view text) {
  std::vector<Field> fields;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    if (line.empty()) continue;
    const std::string_view name = name_of(line.front());
    fields.push_back({name.empty() ? line : name, line.substr(1)});
  }
  return fields;
}

Forwarding read(const std::vector<Field>& fields, ForwardingFields kind) {
  static const PeerAddress front = *PeerAddress::parse("10.0.0.1:4711");
  RequestHead head;
  head.fields = fields;
  head.host = "up.example";
  const TrustedFronts fronts({*PeerNetwork::parse("10.0.0.0/8")}, kind);
  Forwarding found = read_forwarding(head, front, fronts);
  require(found.client.known(), "somebody has asked");
  require(found.scheme.empty() || found.scheme == "http" || found.scheme == "https", "a scheme is one of two");
  require(found.host.empty() || split_authority(found.host), "a host is an authority");
  return found;
}

/// The field that a front has added to, in a line of its own or behind what a client sent.
void check_added(std::vector<Field> fields, std::string_view name, std::string_view item, ForwardingFields kind) {
  const PeerAddress real = *PeerAddress::parse("203.0.113.7");
  const auto is_honest = [&](const std::vector<Field>& all) {
    const PeerAddress client = read(all, kind).client;
    return client == real || (kind == ForwardingFields::forwarded && client == *PeerAddress::parse("10.0.0.1:4711"));
  };
  std::vector<Field> more = fields;
  more.push_back({name, item});
  require(is_honest(more), "a line that a front adds counts");
  for (std::size_t i = fields.size(); i-- > 0;) {
    if (fields[i].name != name) continue;
    const std::string longer = std::string(fields[i].value) + ", " + std::string(item);
    fields[i].value = longer;
    require(is_honest(fields), "an item that a front adds counts");
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<Field> fields = fields_of({reinterpret_cast<const char*>(data), size});
  for (const ForwardingFields kind : {ForwardingFields::either, ForwardingFields::x_forwarded, ForwardingFields::forwarded})
    read(fields, kind);
  require(parse_forwarded(fields).size() <= most_trusted_hops, "elements are bounded");
  check_added(fields, "X-Forwarded-For", "203.0.113.7", ForwardingFields::x_forwarded);
  check_added(fields, "Forwarded", "for=203.0.113.7", ForwardingFields::forwarded);
  check_added(fields, "Forwarded", "proto=https;for=\"203.0.113.7\"", ForwardingFields::forwarded);
  for (const Field& field : fields) {
    require(is_forwarding_field(field.name) == is_forwarding_field(std::string(field.name)), "names are read alike");
    require(reads_alike(field.name, field.name), "a name is itself");
    forwarded_node(field.value);
    static_cast<void>(PeerNetwork::parse(field.value));
    if (const auto address = PeerAddress::parse(field.value))
      require(PeerAddress::parse(address->text()) == address, "text and back");
  }
  return 0;
}
