/* Preloaded in a test: the wall clock stands an hour later from the moment at which the file $CLOCK_JUMP_FILE exists. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, id, time);
    const char *file = getenv("CLOCK_JUMP_FILE");
    if (id == CLOCK_REALTIME && file && access(file, F_OK) == 0) time->tv_sec += 3600;
    return result;
}
