/* To be preloaded: a look-up of a name that begins with "hangs" lasts until somebody writes to the named pipe $WHARF_SLOW_NAMES. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((visibility("default"))) int getaddrinfo(const char* host, const char* port, const struct addrinfo* wanted,
                                                       struct addrinfo** found) {
  int (*system_one)(const char*, const char*, const struct addrinfo*, struct addrinfo**) = NULL;
  const char* pipe_name = getenv("WHARF_SLOW_NAMES");
  if (pipe_name != NULL && host != NULL && strncmp(host, "hangs", 5) == 0 &&
      (wanted == NULL || !(wanted->ai_flags & AI_NUMERICHOST))) {
    char asked[4096];
    snprintf(asked, sizeof asked, "%s.asked", pipe_name);
    close(open(asked, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(pipe_name, O_RDONLY | O_CLOEXEC));
    return EAI_AGAIN;
  }
  *(void**)(&system_one) = dlsym(RTLD_NEXT, "getaddrinfo");
  return system_one(host, port, wanted, found);
}
