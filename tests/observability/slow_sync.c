// Preloaded into the orchestrator: its disk becomes slow while the file named by SLOW_SYNC_SWITCH exists.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOWNESS_US 150000

static void slow(void) {
  const char* file = getenv("SLOW_SYNC_SWITCH");
  if (file != NULL && access(file, F_OK) == 0) usleep(SLOWNESS_US);
}

int fdatasync(int fd) {
  slow();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int fsync(int fd) {
  slow();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
