/* The part of abi.h that is about HTTP: requests that a row handles, and the byte pipes that a connection can become. abi.h includes it.
 *
 * A row handles the requests of the mounts that name it. For each request, `request` is called; the response may be given within that
 * call, or at any time later, whole or in pieces. The rules of abi.h hold here too.
 */
#ifndef WHARF_ABI_HTTP_H
#define WHARF_ABI_HTTP_H

#ifndef WHARF_ABI_H
#error "include wharf/abi.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* One request and its response. Lent from `request` to the end of `closing`; not valid on other threads (see wharf_handle). */
typedef struct wharf_exchange {
  const wharf_services* services;
} wharf_exchange;

/* A connection that left HTTP for another protocol (RFC 9110 section 7.8), or never spoke it (wharf_row::raw): bytes in both directions.
 * Lent from `open` to the end of `closing`. */
typedef struct wharf_pipe {
  const wharf_services* services;
} wharf_pipe;

/* As a length in bytes: not known beforehand. */
#define WHARF_UNKNOWN_LENGTH UINT64_MAX

/* Like wharf_task: runs on the loop of the exchange or the pipe with its state; with NULLs if it is gone. */
typedef void (*wharf_exchange_task)(wharf_exchange* exchange, void* state, void* argument);
typedef void (*wharf_pipe_task)(wharf_pipe* pipe, void* state, void* argument);

/* What speaks on a pipe. Set `size` to sizeof(wharf_raw). The state is the server's to allocate, zeroed, and aligned for every standard type. */
struct wharf_raw {
  size_t size;
  size_t state_size;
  /* Constructs the state; of an upgrade, right after the 101 response was queued. Returns 0; anything else cuts the connection, and `destroy` is not called. */
  int (*open)(void* state, wharf_pipe* pipe, void* argument);
  /* Bytes that arrived, at least one, lent during the call; those that came together with the request too. */
  void (*data)(void* state, const char* data, size_t size);
  /* The peer sends no more. Output still reaches it. NULL: the pipe is closed then. */
  void (*ended)(void* state);
  /* The peer took what had made a call return WHARF_HOLD. */
  void (*drained)(void* state);
  /* In the period that pipe_every set. */
  void (*tick)(void* state);
  /* The pipe is over, whichever side ended it: once, right before `destroy`. */
  void (*closing)(void* state);
  void (*destroy)(void* state);
};

/* A field of a request, or of a part of one. */
typedef struct wharf_field {
  wharf_text name;
  wharf_text value;
} wharf_field;

/* What a row and its protocol are doing on all loops of the server: for pages that show it. */
typedef struct wharf_row_statistics {
  size_t size; /* set it to sizeof(wharf_row_statistics) before the call */
  wharf_text name;
  uint64_t open;      /* conversations that are open now */
  uint64_t opened;    /* since the start */
  uint64_t exchanges; /* requests handled since the start */
} wharf_row_statistics;

typedef struct wharf_server_statistics {
  size_t size;          /* set it to sizeof(wharf_server_statistics) before the call */
  uint64_t connections; /* open now, of whatever kind */
  uint64_t accepted;    /* since the start */
  uint64_t exchanges;   /* requests handled since the start */
  uint64_t uptime;      /* milliseconds */
  uint64_t rows;        /* how many rows there are */
  /* Since 1.5, and all since the start. TLS handshakes with clients that were finished; of these, those of TLS 1.2, and those that resumed
   * a session; handshakes that were not finished; and connections cut after the handshake because what came was no TLS, or a flood. */
  uint64_t tls_handshakes;
  uint64_t tls_1_2;
  uint64_t tls_resumed;
  uint64_t tls_failed;
  uint64_t tls_cut;
  /* Since 1.5. What was refused: connections, by a limit of their address; connections, by reason of a PROXY header; connections that
   * showed no protocol in time; and requests, with 429 or 503, by a limit of requests or of their virtual host. */
  uint64_t connections_refused;
  uint64_t proxy_refused;
  uint64_t openings_refused;
  uint64_t requests_refused;
} wharf_server_statistics;

/* What the server does for rows that speak HTTP. Like wharf_services, all members up to the minor number that your plugin needs are there. */
struct wharf_http_services {
  size_t size;

  /* ---- Requests: also those that ask for a WebSocket. Texts are lent as long as the request. ---- */

  wharf_text (*method)(const wharf_request* request);
  /* As sent. */
  wharf_text (*target)(const wharf_request* request);
  /* "HTTP/1.0", "HTTP/1.1"... */
  wharf_text (*version)(const wharf_request* request);
  /* Of the request's body, in bytes: 0 if there is none, WHARF_UNKNOWN_LENGTH if it is not known before the body has come. */
  uint64_t (*body_length)(const wharf_request* request);
  /* The path, percent-decoded once; NULL if it cannot be decoded. The bytes are the client's: check them before you use them as a file name. */
  wharf_text (*decoded_path)(const wharf_request* request);
  /* What follows the mount's prefix in decoded_path, with a '/' before it. */
  wharf_text (*path_below_mount)(const wharf_request* request);
  /* Field number `index`, from 0, in the order sent; both texts NULL behind the last. */
  wharf_field (*field_at)(const wharf_request* request, size_t index);
  /* Facts of the TLS connection by name: "version", "cipher", "server_name", "client_subject", "client_fingerprint", "alpn", "resumed".
     NULL if the fact is not known, or the connection has no TLS. */
  wharf_text (*tls)(const wharf_request* request, const char* fact);
  /* The user that the mount's access control has let in, or NULL. */
  wharf_text (*user)(const wharf_request* request);

  /* ---- Exchanges ---- */

  /* Lent during the callback; ask again in the next. */
  const wharf_request* (*request)(const wharf_exchange* exchange);
  wharf_scope* (*scope)(const wharf_exchange* exchange);
  /* The whole body, for rows without `body`; lent as long as the exchange. Empty if there was none. */
  wharf_text (*body)(const wharf_exchange* exchange);

  /* Adds a field to the response, before it begins. 0, or anything else if the name is no token, the value has a control character
   * other than tab, the response has begun, or the field is one that the server writes: Connection, Content-Length, Date, Keep-Alive, Transfer-Encoding. */
  int (*add_field)(wharf_exchange* exchange, const char* name, size_t name_size, const char* value, size_t value_size);

  /* Sends the whole response. The body is copied. One of respond, respond_file, begin and upgrade, once for each exchange; a second response
   * is logged and does nothing. WHARF_CLOSED if the connection is gone or there was a response. Status 200 to 599. */
  wharf_flow (*respond)(wharf_exchange* exchange, int status, const char* data, size_t size);

  /* Responds with a file: its length, its media type unless a Content-Type was added, and nothing else that a mount of files does. `path` is
   * opened as it is. 0, or anything else if it cannot be opened or is no regular file: then there is no response yet. */
  int (*respond_file)(wharf_exchange* exchange, int status, const char* path);

  /* Begins a response in pieces, of `length` bytes in all or WHARF_UNKNOWN_LENGTH. Then `write` any number of times, then `end`. More or
   * fewer bytes than promised cut the connection, and the log says so. */
  wharf_flow (*begin)(wharf_exchange* exchange, int status, uint64_t length);
  /* The piece is copied. WHARF_HOLD: more is queued than the high-water mark; `drained` follows. At the hard cap the connection is cut. */
  wharf_flow (*write)(wharf_exchange* exchange, const char* data, size_t size);
  void (*end)(wharf_exchange* exchange);
  /* Cuts the connection, so that the client knows that the response is incomplete. */
  void (*abort)(wharf_exchange* exchange);
  /* Responds with 500 if no response has begun, else cuts the connection. */
  void (*fail)(wharf_exchange* exchange);

  /* No `body` until body_resume: the client comes to a halt. */
  void (*body_pause)(wharf_exchange* exchange);
  void (*body_resume)(wharf_exchange* exchange);

  /* The response must begin within so many milliseconds from now, instead of the server's limit; WHARF_NEVER: at any time. */
  void (*answer_within)(wharf_exchange* exchange, uint32_t milliseconds);
  /* Calls the row's `tick` every so many milliseconds; 0 ends it. */
  void (*every)(wharf_exchange* exchange, uint32_t milliseconds);
  /* Bytes queued that the operating system has not taken yet. */
  size_t (*buffered)(const wharf_exchange* exchange);

  /* A name for this exchange that other threads may hold, and that knows when it is over. */
  wharf_handle (*handle)(wharf_exchange* exchange);
  /* From any thread; as wharf_services::post. */
  int (*post)(wharf_handle handle, wharf_exchange_task task, void* argument);

  /* Responds with 101 for `token`, which the request must have in its Upgrade field, with Connection: upgrade, over HTTP/1.1, and with no body left
   * to come. The pipe's `open` is called before this returns. 0, or anything else if the request does not ask for that: then there
   * is no response yet. Fields added before go into the response. */
  int (*upgrade)(wharf_exchange* exchange, const char* token, const wharf_raw* raw, void* argument);

  /* ---- Pipes ---- */

  /* Queues bytes; as `write` above. All that a turn of the loop writes leaves in one system call. */
  wharf_flow (*pipe_write)(wharf_pipe* pipe, const char* data, size_t size);
  /* Between the two, what is written waits, up to the high-water mark, even beyond the turn of the loop. */
  void (*pipe_cork)(wharf_pipe* pipe);
  void (*pipe_uncork)(wharf_pipe* pipe);
  /* No more output: the peer reads the end after what was written. Input goes on. */
  void (*pipe_end)(wharf_pipe* pipe);
  /* Closes after everything written has left. `closing` follows. */
  void (*pipe_close)(wharf_pipe* pipe);
  void (*pipe_abort)(wharf_pipe* pipe);
  void (*pipe_pause)(wharf_pipe* pipe);
  void (*pipe_resume)(wharf_pipe* pipe);
  void (*pipe_every)(wharf_pipe* pipe, uint32_t milliseconds);
  size_t (*pipe_buffered)(const wharf_pipe* pipe);
  wharf_text (*pipe_address)(const wharf_pipe* pipe);
  wharf_scope* (*pipe_scope)(const wharf_pipe* pipe);
  wharf_handle (*pipe_handle)(wharf_pipe* pipe);
  int (*pipe_post)(wharf_handle handle, wharf_pipe_task task, void* argument);

  /* ---- The server, as it is now ---- */

  void (*server_statistics)(const wharf_scope* scope, wharf_server_statistics* statistics);
  /* Row number `index`, from 0. Returns 0, or anything else behind the last. */
  int (*row_statistics)(const wharf_scope* scope, size_t index, wharf_row_statistics* statistics);

  /* Since 1.3. Hands the connection over to another server: `to` is host:port, [address]:port, unix:/path, or unix:@name for an abstract
   * name. The first `size` bytes there are those of `data`, which are copied. Then all that comes from the peer goes there, and the other
   * way, neither faster than it is taken; the end of one side's output is passed on; and both end after Limits::pipe_idle without a byte.
   * What was written before leaves first. No `data` and no `ended` from here on; `closing` and `destroy` follow when the other server is
   * reached, or the peer has gone. If it is not reached within `milliseconds` (0: 5,000), the pipe is closed, and the log says why.
   * Returns 0, or anything else if `to` is no such address, or it was called before: then nothing has changed. */
  int (*pipe_forward)(wharf_pipe* pipe, const char* to, size_t to_size, const char* data, size_t size, uint32_t milliseconds);
  /* Since 1.3. As `tls` above, of the connection. */
  wharf_text (*pipe_tls)(const wharf_pipe* pipe, const char* fact);
  /* Since 1.4. What the PROXY header that began the connection says, by name: "version", "destination", "authority", "unique_id", "alpn",
   * "netns", "ssl_version", "ssl_cipher", "ssl_cn", or a type like "0xea" for the value of any other. NULL if it does not say that, or there
   * was no such header. Lent as long as the request. */
  wharf_text (*proxy)(const wharf_request* request, const char* fact);
};

/* What a row does with requests. Set `size` to sizeof(wharf_http_row). The state belongs to one exchange; it is the server's to allocate, zeroed,
 * and the row's to construct. */
typedef struct wharf_http_row {
  size_t size;
  size_t state_size;
  /* A request. Without `body`, when its body has come whole; with it, when its head has come. Constructs the state. Returns 0; with anything
   * else the client gets 500, and neither `closing` nor `destroy` is called. */
  int (*request)(void* state, void* shared, wharf_exchange* exchange);
  /* A piece of the request's body, lent during the call. */
  void (*body)(void* state, const char* data, size_t size);
  /* The body is complete, or there is none. Not called if it broke off: then `closing` comes. */
  void (*body_end)(void* state);
  /* The peer took what had made a call return WHARF_HOLD. */
  void (*drained)(void* state);
  void (*tick)(void* state);
  /* The exchange is over: once, right before `destroy`. `complete` is 1 if the whole response was handed to the connection. */
  void (*closing)(void* state, int complete);
  void (*destroy)(void* state);
} wharf_http_row;

#ifdef __cplusplus
}
#endif
#endif
