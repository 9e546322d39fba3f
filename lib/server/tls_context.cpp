#include "server/tls_context.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "tls/self_signed.h"

namespace wharf::server {
namespace {

/// This machine, as its clients may call it.
std::vector<std::string> names_of(const io::Address& address) {
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  const auto add = [&names](std::string name) {
    constexpr std::string_view usual = "-.:0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (name.empty() || name.find_first_not_of(usual) != std::string::npos) return;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  std::string host = io::peer_address(address).host();
  if (host != "0.0.0.0" && host != "::") add(std::move(host));
  std::array<char, 256> own{};
  if (gethostname(own.data(), own.size() - 1) == 0) add(own.data());
  return names;
}

}  // namespace

base::Result<std::unique_ptr<tls::Context>, std::string> tls_context(const Tls& tls, const io::Address& address, base::Log& log) {
  tls::ServerSettings settings;
  if (!tls.certificates.empty()) {
    const Certificate& own = tls.certificates.front();
    settings.certificate = own.chain;
    settings.key = own.key;
    settings.passphrase = own.passphrase;
  }
  settings.client_authorities = tls.client_authorities;
  settings.clients = static_cast<tls::ClientCertificate>(tls.clients);
  settings.profile = static_cast<tls::Profile>(tls.profile);
  if (!tls.certificates.empty()) {
    auto context = tls::Context::for_server(settings);
    const std::string warning = context ? (*context)->warning() : std::string();
    if (!warning.empty()) log.warn("the certificate in '", settings.certificate, "' ", warning);
    return context;
  }
  const auto pair = tls::self_signed(names_of(address));
  if (!pair) return base::Failure{pair.error()};
  auto context = tls::Context::for_server(*pair, settings);
  if (context)
    log.warn(
        "no certificate was given, so one was made that signs itself, and clients will not trust it; its SHA-256 fingerprint is ",
        pair->fingerprint);
  return context;
}

}  // namespace wharf::server
