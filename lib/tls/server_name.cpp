#include "tls/server_name.h"

#include <openssl/ssl.h>

#include <cstddef>

namespace wharf::tls {
namespace {

constexpr std::size_t size_of_size = 2;
constexpr std::size_t size_of_type = 1;
constexpr char host_name = 0;

std::size_t size_at(std::string_view bytes) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) << 8U | static_cast<unsigned char>(bytes[1]);
}

}  // namespace

std::string_view server_name_in(std::string_view extension) {
  if (extension.size() < size_of_size || size_at(extension) != extension.size() - size_of_size) return {};
  extension.remove_prefix(size_of_size);
  if (extension.size() < size_of_type + size_of_size || extension.front() != host_name) return {};
  extension.remove_prefix(size_of_type);
  if (size_at(extension) > extension.size() - size_of_size) return {};
  return extension.substr(size_of_size, size_at(extension));
}

int acknowledge_name(SSL* ssl, int* /*alert*/, void* /*unused*/) {
  return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace wharf::tls
