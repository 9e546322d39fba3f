#include "server/certificates/tls_context.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
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

/// Calls `each` with the name of every file.
template <class Certificates, class Each>
void for_each_file(Certificates& certificates, Each&& each) {
  for (auto& certificate : certificates)
    for (auto* const file : {&certificate.chain, &certificate.key, &certificate.passphrase, &certificate.ocsp_response})
      if (!file->empty()) each(*file);
}

template <class Door, class Each>
void for_each_file_of_door(Door& door, Each&& each) {
  for_each_file(door.certificates, each);
  for (auto* const file : {&door.client_authorities, &door.revocation_lists, &door.ticket_keys})
    if (!file->empty()) each(*file);
}

}  // namespace

base::Result<tls::KeyPair, std::string> made_certificate(const io::Address& address) { return tls::self_signed(names_of(address)); }

MadeContext tls_context(const Tls& door, const std::string& host, const std::vector<Certificate>& certificates,
                        const tls::KeyPair& pair, const std::shared_ptr<tls::TicketKeys>& tickets) {
  tls::ServerSettings settings;
  settings.name = host;
  for (const Certificate& each : certificates)
    settings.certificates.push_back({each.chain, each.key, each.passphrase, each.ocsp_response});
  settings.client_authorities = door.client_authorities;
  settings.revocation_lists = door.revocation_lists;
  settings.clients = static_cast<tls::ClientCertificate>(door.clients);
  settings.profile = static_cast<tls::Profile>(door.profile);
  settings.tickets = tickets;
  settings.protocols = door.alpn;
  auto made = certificates.empty() ? tls::Context::for_server(pair, settings) : tls::Context::for_server(settings);
  if (!made) return base::Failure{made.error()};
  return std::shared_ptr<const tls::Context>(std::move(*made));
}

MadeContext tls_context(const TlsClient& client) {
  tls::ClientSettings settings;
  settings.authorities = client.authorities;
  settings.verify = client.verification == TlsClient::Verification::on;
  settings.certificate = {client.certificate, client.key, client.passphrase};
  settings.resumption = tls::Resumption::of_one_server;
  auto made = tls::Context::for_client(settings);
  if (!made) return base::Failure{made.error()};
  return std::shared_ptr<const tls::Context>(std::move(*made));
}

base::Result<std::vector<tls::TicketKey>, std::string> read_ticket_keys(const std::string& file) {
  const auto bytes = tls::read_file(file);
  if (!bytes) return base::Failure{base::concat("cannot read keys of session tickets from '", file, "': ", bytes.error())};
  auto keys = tls::TicketKeys::parse(*bytes);
  if (!keys) return base::Failure{base::concat("cannot read keys of session tickets from '", file, "': ", keys.error())};
  return keys;
}

std::vector<std::string> files_of(const Tls& door) {
  std::vector<std::string> files;
  for_each_file_of_door(door, [&files](const std::string& file) { files.push_back(file); });
  return files;
}

std::vector<std::string> files_of(const std::vector<Certificate>& certificates) {
  std::vector<std::string> files;
  for_each_file(certificates, [&files](const std::string& file) { files.push_back(file); });
  return files;
}

std::vector<std::string> files_of(const TlsClient& client) {
  std::vector<std::string> files;
  for (const auto* const file : {&client.authorities, &client.certificate, &client.key, &client.passphrase})
    if (!file->empty()) files.push_back(*file);
  return files;
}

void make_absolute(std::string& name) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(name, error);
  if (!error) name = whole.string();
}

void resolve_files(Tls& door) { for_each_file_of_door(door, make_absolute); }
void resolve_files(std::vector<Certificate>& certificates) { for_each_file(certificates, make_absolute); }

}  // namespace wharf::server
