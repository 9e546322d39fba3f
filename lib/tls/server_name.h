#pragma once
#include <openssl/types.h>

#include <string_view>

namespace wharf::tls {

/// The name that a client asks for, out of the extension of its ClientHello (RFC 6066 section 3); empty if there is none, or it is
/// broken, which OpenSSL itself refuses later.
std::string_view server_name_in(std::string_view extension);

/// For SSL_CTX_set_tlsext_servername_callback(): tells the client that its name was seen, and OpenSSL that it belongs to the session.
int acknowledge_name(SSL* ssl, int* alert, void* unused);

}  // namespace wharf::tls
