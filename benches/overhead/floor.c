/* What reading at a rate costs without any program around it: a loop that reads N sysfs attributes and sleeps until the next reading is due.
 *
 *     floor HZ FILES SECONDS        prints the CPU time as a share of one core, in percent
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words) {
    static const char *const names[] = {"mtu", "tx_queue_len", "ifindex", "iflink", "addr_len", "type"};
    if (count != 4) return 2;
    long hz = atol(words[1]), files = atol(words[2]);
    double seconds = atof(words[3]);
    int open_files[6];
    if (hz < 1 || files < 0 || files > 6) return 2;
    for (int i = 0; i < files; i++) {
        char path[64];
        snprintf(path, sizeof path, "/sys/class/net/lo/%s", names[i]);
        if ((open_files[i] = open(path, O_RDONLY)) < 0) return 1;
    }
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (long n = (long)(seconds * (double)hz); n > 0; n--) {
        char text[32];
        for (int i = 0; i < files; i++)
            if (pread(open_files[i], text, sizeof text, 0) < 0) return 1;
        due.tv_nsec += 1000000000L / hz;
        if (due.tv_nsec >= 1000000000L) due.tv_nsec -= 1000000000L, due.tv_sec++;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    printf("%.4f\n", 100.0 * cpu / seconds);
    return 0;
}
