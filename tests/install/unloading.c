#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Loads the named library, has it speak to a full pipe, unloads it, and lives longer than the thread that speaks. */
int main(int count, char** arguments) {
  int ends[2];
  char byte = 'x';
  void* library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  void (*speak)(void) = NULL;
  if (library == NULL || pipe(ends) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0) return 2;
  while (write(ends[1], &byte, 1) == 1) continue;
  dup2(ends[1], STDERR_FILENO);
  *(void**)(&speak) = dlsym(library, "speak");
  speak();
  dlclose(library);
  if (dlopen(arguments[1], RTLD_NOW | RTLD_NOLOAD) != NULL) return 3;
  for (;;) { /* until the thread is gone */
    char name[64];
    int threads = 0;
    FILE* status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(name, sizeof name, status) != NULL) sscanf(name, "Threads: %d", &threads);
    if (status != NULL) fclose(status);
    if (threads == 1) return 0;
    usleep(10000);
  }
}
