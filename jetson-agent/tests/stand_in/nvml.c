/* Stands in for NVIDIA's management library in tests: one GPU at fixed power, and a counter that runs at 70 W.
 * With STAND_IN_NVML=jetson it starts and finds a device, as on a Jetson, and supports no reading. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, NOT_SUPPORTED = 3 };

struct field_value {
    unsigned int field_id, scope_id;
    long long timestamp, latency_us;
    int value_type, status;
    union { double d; unsigned int ui; unsigned long long ull; } value;
};

static int jetson(void) {
    const char *mode = getenv("STAND_IN_NVML");
    return mode && strcmp(mode, "jetson") == 0;
}

int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 1; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) { *device = (void *)(size_t)(index + 1); return OK; }

int nvmlDeviceGetName(void *device, char *name, unsigned int length) {
    (void)device;
    strncpy(name, "Stand-in GPU", length);
    return OK;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned int *mw) {
    (void)device;
    *mw = 70250;
    return jetson() ? NOT_SUPPORTED : OK;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj) {
    struct timespec now;
    (void)device;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* 70 W are 70 mJ a millisecond. */
    *mj = 70ULL * ((unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000);
    return jetson() ? NOT_SUPPORTED : OK;
}

int nvmlDeviceGetFieldValues(void *device, int count, struct field_value *values) {
    (void)device;
    if (jetson()) return NOT_SUPPORTED;
    for (int i = 0; i < count; i++) {
        values[i].value_type = 1; /* unsigned int */
        values[i].status = OK;
        if (values[i].field_id == 186) values[i].value.ui = 71500;
        else if (values[i].field_id == 185) values[i].value.ui = 70250;
        else values[i].status = NOT_SUPPORTED;
    }
    return OK;
}
