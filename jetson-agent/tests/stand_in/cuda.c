/* Stands in for CUDA's driver in tests: the host's memory, one device, a stream that is always done.
 * STAND_IN_CUDA sets the error that starting it returns. */
#include <stdlib.h>
#include <string.h>

static int stream;

int cuInit(unsigned int flags) {
    const char *error = getenv("STAND_IN_CUDA");
    (void)flags;
    return error ? atoi(error) : 0;
}
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { (void)device; *context = &stream; return 0; }
int cuCtxSetCurrent(void *context) { return context ? 0 : 201; }
int cuStreamCreate(void **out, unsigned int flags) { (void)flags; *out = &stream; return 0; }
int cuStreamSynchronize(void *s) { return s == &stream ? 0 : 400; }
int cuMemAlloc_v2(unsigned long long *address, size_t bytes) {
    *address = (unsigned long long)(size_t)malloc(bytes);
    return *address ? 0 : 2;
}
int cuMemsetD8_v2(unsigned long long address, unsigned char value, size_t bytes) {
    memset((void *)(size_t)address, value, bytes);
    return 0;
}
int cuMemFree_v2(unsigned long long address) { free((void *)(size_t)address); return 0; }
