/* A client with libwebsockets for tests. usage: lws-client PORT PROTOCOL OFFER COUNT [MESSAGE...]
 *
 * OFFER is its offer in Sec-WebSocket-Extensions; empty: none. It sends the messages one by one, each after another has
 * come. "@N" stands for N bytes. Of each message that came it prints a line: its size, the sum of its bytes, and the first of them
 * in hexadecimal. After COUNT messages it closes, and ends with 0 when the server has answered. One more message, which may be one
 * that is delivered over and over, ends it with 3, unless COUNT begins with a plus sign. */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most = 1024 * 1024, shown = 400 };

static char** messages;
static int message_count, sent, wanted, received, takes_more;
static unsigned char message[most];
static size_t size;
static int closing, done, status = 1;

static void send_next(struct lws* wsi) {
  static unsigned char out[LWS_PRE + most];
  const char* text = messages[sent++];
  size_t length = strlen(text);
  if (text[0] == '@') {
    length = strtoul(text + 1, NULL, 10);
    for (size_t i = 0; i < length; ++i) out[LWS_PRE + i] = (unsigned char)('a' + i * i % 23);
  } else {
    memcpy(out + LWS_PRE, text, length);
  }
  if (lws_write(wsi, out + LWS_PRE, length, LWS_WRITE_TEXT) < (int)length) done = 1;
}

static void on_message(struct lws* wsi) {
  ++received;
  if (received > wanted && takes_more) return;
  if (received > wanted) {
    fprintf(stderr, "lws-client: a message that was not expected, of %zu bytes\n", size);
    exit(3);
  }
  unsigned long sum = 0;
  for (size_t i = 0; i < size; ++i) sum += message[i];
  printf("%zu %lu ", size, sum);
  for (size_t i = 0; i < size && i < shown; ++i) printf("%02x", message[i]);
  printf("\n");
  size = 0;
  if (received == wanted) closing = 1;
  lws_callback_on_writable(wsi);
}

static int on_event(struct lws* wsi, enum lws_callback_reasons reason, void* user, void* in, size_t length) {
  (void)user;
  switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED: lws_callback_on_writable(wsi); return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
      if (closing == 1) {
        closing = 2;
        lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
        return -1;
      }
      if (sent < message_count && sent <= received) send_next(wsi);
      return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
      if (received >= wanted && takes_more) return 0;
      if (size + length > most) exit(4);
      memcpy(message + size, in, length);
      size += length;
      if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) on_message(wsi);
      return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      fprintf(stderr, "lws-client: %s\n", in != NULL ? (const char*)in : "no connection");
      done = 1;
      return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
      status = closing != 0 ? 0 : 2;
      done = 1;
      return 0;
    default: return 0;
  }
}

int main(int count, char** arguments) {
  if (count < 5) return 1;
  static struct lws_protocols protocols[2];
  static struct lws_extension extensions[2];
  protocols[0].name = arguments[2];
  protocols[0].callback = on_event;
  protocols[0].rx_buffer_size = 4096;
  extensions[0].name = "permessage-deflate";
  extensions[0].callback = lws_extension_callback_pm_deflate;
  extensions[0].client_offer = arguments[3];
  wanted = atoi(arguments[4]);
  takes_more = arguments[4][0] == '+';
  messages = arguments + 5;
  message_count = count - 5;
  setvbuf(stdout, NULL, _IOLBF, 0);

  lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
  struct lws_context_creation_info info = {0};
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = protocols;
  if (arguments[3][0] != '\0') info.extensions = extensions;
  struct lws_context* context = lws_create_context(&info);
  if (context == NULL) return 1;
  struct lws_client_connect_info to = {0};
  to.context = context;
  to.address = to.host = "127.0.0.1";
  to.port = atoi(arguments[1]);
  to.path = "/";
  to.protocol = arguments[2];
  if (lws_client_connect_via_info(&to) == NULL) return 1;
  while (done == 0 && lws_service(context, 0) >= 0) {
  }
  lws_context_destroy(context);
  return status;
}
