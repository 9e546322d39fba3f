/* The binary interface between Wharf and its protocol plugins: valid C11, and what protocol.hpp is made of.
 *
 * A plugin is a shared object that exports one symbol, `wharf_plugin_export`, of type wharf_plugin. It lists protocol rows: a name that
 * clients offer in Sec-WebSocket-Protocol, and callbacks. Rows built into a program have the same type.
 *
 * Rules that hold for everything here:
 * - Structs that cross the boundary start with their size, and later versions only append fields: a plugin built against an older
 *   header loads in a newer server. WHARF_ABI_NUMBER changes only when that promise has to be broken. WHARF_ABI_MINOR grows with every
 *   field or service that is appended; a server refuses a plugin that needs a newer one than its own.
 * - Every callback runs on the thread of the loop that its peer belongs to, never inside another callback, and must not block.
 * - Handles (wharf_peer and the like) are lent. Nothing here takes ownership of memory; texts are copied or used before the call returns.
 * - Except for `post`, services may only be called on the loop's own thread.
 * - No C++ exception may leave a callback. (protocol.hpp catches them.)
 */
#ifndef WHARF_ABI_H
#define WHARF_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WHARF_ABI_NUMBER 1u

/* Add one if you append to a struct here or in abi_http.h, and write "Since 1.N." at what you append, N being the new number. Members
 * that were there before 1.1 say nothing. No two changes share a number, not even between releases. */
#define WHARF_ABI_MINOR 5u

/* The oldest minor number that a plugin works with. A plugin that can do without later members defines a smaller number before it
 * includes this header, and asks WHARF_HAS before it uses any of them. */
#ifndef WHARF_ABI_LEAST
#define WHARF_ABI_LEAST WHARF_ABI_MINOR
#endif

/* Whether a struct that the other side made is long enough to have that member: WHARF_HAS(peer->services, resume) */
#define WHARF_HAS(pointer, member) ((pointer)->size >= (size_t)((const char*)(&(pointer)->member + 1) - (const char*)(pointer)))

/* What a WebSocket message is (RFC 6455 section 5.6). Text is valid UTF-8, received and sent. */
typedef enum wharf_kind { WHARF_TEXT = 1, WHARF_BINARY = 2 } wharf_kind;

/* The place of a piece in its message. The values are bits: a whole message is both the first and the last piece. */
typedef enum wharf_part { WHARF_NEXT = 0, WHARF_FIRST = 1, WHARF_LAST = 2, WHARF_WHOLE = 3 } wharf_part;

/* How a row's messages are compressed if the client offers permessage-deflate (RFC 7692). */
typedef enum wharf_compression {
  WHARF_COMPRESSION_DEFAULT = 0, /* the server's option; WHARF_COMPRESSION_SHARED if it has none */
  WHARF_COMPRESSION_OFF = 1,     /* the extension is declined */
  WHARF_COMPRESSION_SHARED = 2,  /* each message by itself: costs an idle peer no memory */
  WHARF_COMPRESSION_DEDICATED =
      3 /* each peer keeps what it saw, which makes similar short messages much smaller and costs memory */
} wharf_compression;

/* Which messages are compressed, if that was agreed on. */
typedef enum wharf_compress_messages {
  WHARF_COMPRESS_DEFAULT = 0,    /* the server's option; WHARF_COMPRESS_WORTHWHILE if it has none */
  WHARF_COMPRESS_WORTHWHILE = 1, /* those of at least `compress_from` bytes that become shorter */
  WHARF_COMPRESS_ALL = 2         /* all of them, for peers that cannot read others */
} wharf_compress_messages;

/* As a time in milliseconds: never. */
#define WHARF_NEVER UINT32_MAX

/* The outcome of a call that sends. The message was accepted in the first two cases, and not in the third. */
typedef enum wharf_flow {
  WHARF_GO = 0,   /* go on */
  WHARF_HOLD = 1, /* more is queued than the high-water mark: nothing more is read from this peer until `drained` is called. Sending
                      further is allowed; at the hard cap the connection is cut */
  WHARF_CLOSED = 2 /* the conversation is over, or its close has begun */
} wharf_flow;

typedef enum wharf_level { WHARF_ERROR = 1, WHARF_WARN = 2, WHARF_INFO = 3, WHARF_DEBUG = 4 } wharf_level;

/* Bytes lent, not NUL-terminated. */
typedef struct wharf_text {
  const char* data; /* NULL if there is no such thing, in contrast to an empty one */
  size_t size;
} wharf_text;

typedef enum wharf_address_family {
  WHARF_ADDRESS_UNKNOWN = 0,
  WHARF_ADDRESS_IPV4 = 1,
  WHARF_ADDRESS_IPV6 = 2,
  WHARF_ADDRESS_UNIX = 3
} wharf_address_family;

/* The other end of a connection. */
typedef struct wharf_address {
  size_t size;       /* set it to sizeof(wharf_address) before the call */
  uint32_t family;   /* wharf_address_family; IPv4 clients of an IPv6 socket are IPv4 */
  uint32_t scope;    /* the index of a network interface, if an IPv6 address is valid only there; else 0 */
  uint8_t bytes[16]; /* in network byte order; IPv4 uses the first four */
  wharf_text host;   /* as text, without port and brackets; lent as long as the request */
  uint32_t port;     /* 0: not known */
} wharf_address;

typedef struct wharf_services wharf_services;
typedef struct wharf_http_services wharf_http_services;
typedef struct wharf_http_row wharf_http_row;
typedef struct wharf_raw wharf_raw;

/* One open conversation. Lent from `open` to the end of `closing`; not valid on other threads (see wharf_handle). */
typedef struct wharf_peer {
  const wharf_services* services;
} wharf_peer;

/* One row as it serves one virtual host on one loop. Lent as long as the shared state lives. */
typedef struct wharf_scope {
  const wharf_services* services;
} wharf_scope;

/* The request that asks to open a conversation. Lent during `accept` and `open`, with every text taken from it. */
typedef struct wharf_request {
  const wharf_services* services;
} wharf_request;

/* Names a peer for ever, on any thread and even after the peer is gone. A plain value: copy it freely. */
typedef struct wharf_handle {
  uint64_t loop;
  uint32_t slot;
  uint32_t generation;
} wharf_handle;

/* Runs on the peer's loop with the peer and its session state; both are NULL if the peer is gone, so that `argument` can be freed. */
typedef void (*wharf_task)(wharf_peer* peer, void* state, void* argument);

/* What the server does for a row. All members up to the minor number that your plugin needs are there; see WHARF_HAS for newer ones. */
struct wharf_services {
  size_t size;

  /* Queues one whole message; any size, any number of times, from a buffer that is yours again on return. Text that is not valid UTF-8
   * is not sent: the peer is closed with 1011, the fault is logged, and WHARF_CLOSED returned. */
  wharf_flow (*send)(wharf_peer* peer, wharf_kind kind, const char* data, size_t size);

  /* Queues a ping of at most 125 bytes (RFC 6455 section 5.5.2); more are cut off. Its pong comes to the row's `pong`. */
  wharf_flow (*ping)(wharf_peer* peer, const char* data, size_t size);

  /* Begins the close handshake (RFC 6455 section 7): what is queued still goes out. `code` is 1000-1003, 1007-1014 or 3000-4999;
   * anything else is logged and sent as 1011. `reason` is cut to at most 123 bytes at the end of a code point; invalid UTF-8 is left
   * out. Messages that arrive later are dropped; `closing` follows when the peer has answered, or after 5 seconds. A second call does nothing. */
  void (*close)(wharf_peer* peer, uint16_t code, const char* reason, size_t reason_size);

  /* Drops the connection without a close frame; what is queued is lost. `closing` follows with 1006. */
  void (*abort)(wharf_peer* peer);

  /* Calls the row's `tick` every so many milliseconds from now on, as long as the conversation is open; 0 stops it. One per peer: a
   * second call replaces the first. Ticks that a busy loop missed are not made up for. */
  void (*every)(wharf_peer* peer, uint32_t milliseconds);

  /* Bytes queued for this peer that the operating system has not taken yet. */
  size_t (*buffered)(const wharf_peer* peer);

  /* A name for this peer that other threads may hold. */
  wharf_handle (*handle)(wharf_peer* peer);

  /* From any thread: runs `task` on the loop of the peer. Returns 1 if the task will run, exactly once; 0 if the loop has gone and it
   * will not. */
  int (*post)(wharf_handle handle, wharf_task task, void* argument);

  /* The value of an option of this row on this virtual host, NUL-terminated, or NULL. Valid as long as the scope. */
  const char* (*option)(const wharf_scope* scope, const char* name);

  /* Writes a line to the server's log. */
  void (*log)(const wharf_scope* scope, wharf_level level, const char* text, size_t size);

  /* The scope that a peer lives in. */
  wharf_scope* (*scope)(const wharf_peer* peer);

  /* Milliseconds on the loop's monotonic clock; tests drive it. */
  uint64_t (*now)(const wharf_scope* scope);

  /* Parts of the request: its path, not decoded; its query without '?', not decoded; the first field of that name (ignoring case);
   * the address of the other end as text, an IPv4 or IPv6 address with its port. */
  wharf_text (*path)(const wharf_request* request);
  wharf_text (*query)(const wharf_request* request);
  wharf_text (*field)(const wharf_request* request, const char* name);
  wharf_text (*address)(const wharf_request* request);

  /* Queues a piece of a message, which becomes a frame (RFC 6455 section 5.4): one WHARF_FIRST, any number of WHARF_NEXT, one WHARF_LAST.
   * `kind` counts with the first. Text may be cut anywhere, even inside a code point. Pings, pongs and a close may go between; another
   * message may not: a piece or message out of turn is a fault of the row, which closes the peer with 1011 and is logged. */
  wharf_flow (*send_part)(wharf_peer* peer, wharf_kind kind, wharf_part part, const char* data, size_t size);

  /* No message is handed out until `resume`: reading stops, and what the peer sends waits in the network, so that the peer comes to a halt.
   * Nothing else is read meanwhile either: no ping is answered, no close is seen. Messages that were read in the turn of the call
   * wait too. A second call does nothing, and neither does `resume` without a pause. */
  void (*pause)(wharf_peer* peer);
  void (*resume)(wharf_peer* peer);

  /* The services for HTTP: abi_http.h. */
  const wharf_http_services* http;

  /* Since 1.2. The client: the other end of the connection, or the client that a trusted front names. 0 if `size` is one that this
   * server knows. */
  int (*peer_address)(const wharf_request* request, wharf_address* address);
  /* Since 1.2. Of the connection, or as such a front says: "http" or "https"; the host, with its port if that is not the usual one,
   * empty if an HTTP/1.0 client named none. */
  wharf_text (*scheme)(const wharf_request* request);
  wharf_text (*host)(const wharf_request* request);

  /* Since 1.4. The name of the virtual host that a scope belongs to, as it was given; empty: the one for all other names. Lent as long as the
   * scope. */
  wharf_text (*virtual_host)(const wharf_scope* scope);
};

/* One row of the protocol table. Set `size` to sizeof(wharf_row) and leave what you do not use at zero.
 *
 * State is the server's to allocate and the row's to construct: so many bytes, zeroed, aligned for every standard type (max_align_t).
 * The session state belongs to one peer, the shared state to one virtual host on one loop. */
typedef struct wharf_row {
  size_t size;

  /* The subprotocol name, a token (RFC 6455 section 4.1). A row with the empty name serves clients that offer no subprotocol, if the
   * virtual host names no default. Lives as long as the row. */
  const char* name;

  /* The longest message that is received, in bytes after reassembly; 0 means what the server's limit for
   * messages is (docs/limits.md). A longer one closes the peer with 1009. */
  uint64_t message_limit;

  size_t shared_state_size;
  size_t state_size;

  /* Constructs the shared state. Returns 0, or anything else to say that the row cannot serve (log why): the server does not start. */
  int (*start)(void* shared, wharf_scope* scope);
  /* Destroys it: once, after the last peer is gone, and only if start returned 0. */
  void (*stop)(void* shared);

  /* Whether to accept a handshake that is valid and chose this row: 0 to accept, or the HTTP status, 400 to 599, to refuse with. */
  int (*accept)(void* shared, const wharf_request* request);

  /* Constructs the session state when the conversation opens. Sending is allowed. Returns 0; anything else closes the peer with 1011,
   * and then `destroy` is not called. */
  int (*open)(void* state, void* shared, wharf_peer* peer, const wharf_request* request);

  /* A whole message. `data` is lent during the call, and the callee may change it. */
  void (*message)(void* state, wharf_kind kind, char* data, size_t size);

  /* After a call returned WHARF_HOLD: the peer has taken enough. */
  void (*drained)(void* state);

  /* In the period that `every` set. */
  void (*tick)(void* state);

  /* A pong arrived (RFC 6455 section 5.5.3), asked for or not. */
  void (*pong)(void* state, const char* data, size_t size);

  /* The conversation is over: once, right before `destroy`. `code` is that of the peer's close frame, 1005 if it had none, 1006 if
   * the connection ended without one. Nothing can be sent any more. */
  void (*closing)(void* state, uint16_t code, const char* reason, size_t reason_size);

  /* Destroys the session state. The last call with it. */
  void (*destroy)(void* state);

  /* A piece of a message as it arrived, for rows that do not want to wait for the whole; instead of `message`, not beside it. Pieces
   * are not the peer's frames: a piece may be a part of one. Text comes cut between code points only. The first piece of a message has
   * WHARF_FIRST, the last WHARF_LAST, and may be empty; a close that comes before the last leaves the message unfinished. */
  void (*fragment)(void* state, wharf_kind kind, wharf_part part, char* data, size_t size);

  /* Milliseconds without a byte from the peer after which it is sent a ping, and after which it is cut if still nothing came. 0 means what
   * the server's limits are (docs/limits.md); ping_after WHARF_NEVER: no pings. */
  uint32_t ping_after;
  uint32_t pong_timeout;

  /* Compression. 0 means the default in each, the server's: a window of 2^N bytes (8 to 15); zlib's memory level (1 to 9); zlib's level
   * (1 to 9); the fewest bytes of a message that is compressed. docs/compression.md has the defaults, and says what each costs. */
  uint32_t compression; /* wharf_compression */
  uint32_t compression_window_bits;
  uint32_t compression_memory_level;
  uint32_t compression_level;
  uint64_t compress_from;

  /* The requests that the row handles (abi_http.h), at mounts that name it; NULL: none. A row that has them, and neither `message` nor
   * `fragment` nor `open`, cannot be chosen by WebSocket clients. */
  const wharf_http_row* http;
  /* The longest body of such a request, in bytes; a longer one is refused with 413. 0: 1 MiB if bodies are whole, no limit if
   * wharf_http_row::body takes pieces. */
  uint64_t body_limit;

  /* More on compression: wharf_compress_messages. Since 1.1. */
  uint32_t compress_messages;

  /* Since 1.3. What speaks on connections that are this row's from their first byte, on doors that name it (abi_http.h); NULL: none.
   * Its `open` gets the shared state as its argument, and no response was queued before. A row that has it, and neither `message` nor
   * `fragment` nor `open`, cannot be chosen by WebSocket clients. Lives as long as the row. */
  const wharf_raw* raw;
} wharf_row;

/* What a plugin exports. `abi` and `size` keep their place for ever. */
typedef struct wharf_plugin {
  uint32_t abi; /* WHARF_ABI_NUMBER */
  uint32_t row_count;
  size_t size;                  /* sizeof(wharf_plugin) */
  const wharf_row* const* rows; /* row_count of them; live as long as the plugin */
  /* Since 1.1; a plugin without them was built for 1.0. WHARF_ABI_MINOR of the header it was built against, and WHARF_ABI_LEAST: a server
   * with a smaller number refuses it. */
  uint32_t minor;
  uint32_t least_minor;
} wharf_plugin;

#if defined(__GNUC__)
#define WHARF_VISIBLE __attribute__((visibility("default")))
#else
#define WHARF_VISIBLE
#endif

/* The plugin's one symbol. A unit that is built into a program next to others defines another name for it before this header. */
#ifndef WHARF_PLUGIN_SYMBOL
#define WHARF_PLUGIN_SYMBOL wharf_plugin_export
#endif

/* Defines the plugin's symbol from an array of pointers to rows: WHARF_PLUGIN(rows) */
#ifdef __cplusplus
#define WHARF_C_LINKAGE extern "C"
#else
#define WHARF_C_LINKAGE extern
#endif
#define WHARF_PLUGIN(rows)                                              \
  WHARF_C_LINKAGE WHARF_VISIBLE const wharf_plugin WHARF_PLUGIN_SYMBOL; \
  const wharf_plugin WHARF_PLUGIN_SYMBOL = {                            \
      WHARF_ABI_NUMBER, sizeof(rows) / sizeof((rows)[0]), sizeof(wharf_plugin), rows, WHARF_ABI_MINOR, WHARF_ABI_LEAST};

#ifdef __cplusplus
}
#endif

#include "wharf/abi_http.h" /* IWYU pragma: export */

#endif
