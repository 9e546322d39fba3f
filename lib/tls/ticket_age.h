#pragma once
#include <openssl/ssl.h>

#include <cstddef>

namespace wharf::tls {

/// From the handshake in which the client was checked, however often its session was resumed since.
inline constexpr long longest_session = 24 * 60 * 60;  // seconds

/// For SSL_CTX_set_session_ticket_cb(): a ticket knows when its client was checked.
int date_ticket(SSL* ssl, void* unused);

/// Likewise: a ticket of no use leads to a whole handshake. A session stands for a certificate that was checked, so it ends with that.
SSL_TICKET_RETURN judge_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char* name, std::size_t size,
                               SSL_TICKET_STATUS status, void* unused);

}  // namespace wharf::tls
