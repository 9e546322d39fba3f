#include "tls/ticket_age.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <ctime>
#include <memory>

namespace {

using namespace wharf;

using Session = std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)>;

/// One whose client was checked so many seconds ago.
Session session_of_age(std::int64_t age) {
  Session session(SSL_SESSION_new(), SSL_SESSION_free);
  const std::int64_t date = std::time(nullptr) - age;
  REQUIRE(SSL_SESSION_set1_ticket_appdata(session.get(), &date, sizeof date) == 1);
  return session;
}

SSL_TICKET_RETURN judge(SSL_SESSION* session, SSL_TICKET_STATUS status = SSL_TICKET_SUCCESS) {
  return tls::judge_ticket(nullptr, session, nullptr, 0, status, nullptr);
}

}  // namespace

TEST_CASE("ticket age: a session that was resumed again and again never ended; now it does, a day after the handshake") {
  CHECK(judge(session_of_age(0).get()) == SSL_TICKET_RETURN_USE);
  CHECK(judge(session_of_age(0).get(), SSL_TICKET_SUCCESS_RENEW) == SSL_TICKET_RETURN_USE_RENEW);
  CHECK(judge(session_of_age(tls::longest_session - 60).get()) == SSL_TICKET_RETURN_USE);
  CHECK(judge(session_of_age(tls::longest_session).get()) == SSL_TICKET_RETURN_IGNORE_RENEW);
  CHECK(judge(session_of_age(tls::longest_session).get(), SSL_TICKET_SUCCESS_RENEW) == SSL_TICKET_RETURN_IGNORE_RENEW);
}

TEST_CASE("ticket age: a ticket without a date, or none, leads to a whole handshake") {
  const Session session(SSL_SESSION_new(), SSL_SESSION_free);
  CHECK(judge(session.get()) == SSL_TICKET_RETURN_IGNORE_RENEW);
  REQUIRE(SSL_SESSION_set1_ticket_appdata(session.get(), "short", 5) == 1);
  CHECK(judge(session.get()) == SSL_TICKET_RETURN_IGNORE_RENEW);
  CHECK(judge(nullptr, SSL_TICKET_EMPTY) == SSL_TICKET_RETURN_IGNORE_RENEW);
  CHECK(judge(nullptr, SSL_TICKET_NO_DECRYPT) == SSL_TICKET_RETURN_IGNORE_RENEW);
}
