/* A protocol in plain C11: answers each message with its text in upper case, and binary as it came, each behind the number that the
 * message has in this conversation and in all of them. `bye` closes with 4000, `numbers` asks for a message every 20 ms. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wharf/abi.h"

struct shared {
  wharf_scope* scope;
  unsigned long messages;
  unsigned long sessions;
};

struct session {
  wharf_peer* peer;
  struct shared* shared;
  unsigned long messages;
  unsigned long ticks;
};

static int start(void* state, wharf_scope* scope) {
  struct shared* shared = state;
  shared->scope = scope;
  return 0;
}

static int accept_request(void* state, const wharf_request* request) {
  const wharf_text token = request->services->field(request, "X-Token");
  (void)state;
  return token.data != NULL && (token.size != 6 || memcmp(token.data, "secret", 6) != 0) ? 403 : 0;
}

static int open_session(void* state, void* shared, wharf_peer* peer, const wharf_request* request) {
  struct session* session = state;
  const wharf_text query = request->services->query(request);
  session->peer = peer;
  session->shared = shared;
  ++session->shared->sessions;
  if (query.size != 0) peer->services->send(peer, WHARF_TEXT, query.data, query.size);
  return 0;
}

static void answer(struct session* session, wharf_kind kind, const char* data, size_t size) {
  char head[64];
  const size_t head_size = (size_t)snprintf(head, sizeof head, "%lu/%lu ", session->messages, session->shared->messages);
  char* text = malloc(head_size + size);
  if (text == NULL) {
    session->peer->services->abort(session->peer);
    return;
  }
  memcpy(text, head, head_size);
  if (size != 0) memcpy(text + head_size, data, size);
  session->peer->services->send(session->peer, kind, text, head_size + size);
  free(text);
}

static void message(void* state, wharf_kind kind, char* data, size_t size) {
  struct session* session = state;
  const wharf_services* services = session->peer->services;
  ++session->messages;
  ++session->shared->messages;
  if (size == 3 && memcmp(data, "bye", 3) == 0) {
    services->close(session->peer, 4000, "bye yourself", 12);
    return;
  }
  if (size == 7 && memcmp(data, "numbers", 7) == 0) {
    services->every(session->peer, 20);
    return;
  }
  if (kind == WHARF_TEXT)
    for (size_t i = 0; i < size; ++i) data[i] = (char)toupper((unsigned char)data[i]);
  answer(session, kind, data, size);
}

static void tick(void* state) {
  struct session* session = state;
  char digits[24];
  const int size = snprintf(digits, sizeof digits, "%lu", session->ticks++);
  session->peer->services->send(session->peer, WHARF_TEXT, digits, (size_t)size);
}

static void closing(void* state, uint16_t code, const char* reason, size_t reason_size) {
  struct session* session = state;
  char line[200];
  const int size = snprintf(line, sizeof line, "closing %u '%.*s' after %lu", (unsigned)code, (int)reason_size,
                            reason_size != 0 ? reason : "", session->messages);
  session->shared->scope->services->log(session->shared->scope, WHARF_INFO, line, (size_t)size);
}

static void destroy(void* state) { --((struct session*)state)->shared->sessions; }

static void stop(void* state) {
  struct shared* shared = state;
  const char* line = shared->sessions == 0 ? "stopped with no session left" : "stopped too early";
  shared->scope->services->log(shared->scope, WHARF_INFO, line, strlen(line));
}

static const wharf_row c_echo = {
    .size = sizeof(wharf_row),
    .name = "c-echo",
    .message_limit = 100000,
    .shared_state_size = sizeof(struct shared),
    .state_size = sizeof(struct session),
    .start = start,
    .stop = stop,
    .accept = accept_request,
    .open = open_session,
    .message = message,
    .tick = tick,
    .closing = closing,
    .destroy = destroy,
};

static const wharf_row* const rows[] = {&c_echo};
WHARF_PLUGIN(rows)
