/* Loaded before the C library (LD_PRELOAD): holds the files of one folder to a rate that reading and writing share, as
 * the one head of a rotating disk does.
 *
 * RATE_UNDER   the folder; files without a name are of the folder in which they were made
 * RATE_BYTES   bytes a second
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#define SECOND 1000000000LL

/* The time at which the disk will be done with what it was given. */
static int64_t busy_until;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static int is_meant(int descriptor) {
    const char *under = getenv("RATE_UNDER");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = under ? readlink(link, path, sizeof path - 1) : -1;
    if (n < 0) return 0;
    path[n] = 0;
    return !strncmp(path, under, strlen(under));
}

/* Lets the caller sleep until the disk would be done with so many bytes more. */
static ssize_t take(int descriptor, ssize_t size) {
    const char *rate = getenv("RATE_BYTES");
    if (size <= 0 || !rate || !is_meant(descriptor)) return size;
    int64_t cost = (int64_t)((double)size * SECOND / atof(rate)), before, done;
    do {
        before = __atomic_load_n(&busy_until, __ATOMIC_SEQ_CST);
        done = (before > now() ? before : now()) + cost;
    } while (!__atomic_compare_exchange_n(&busy_until, &before, done, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    for (int64_t left; (left = done - now()) > 0;) {
        struct timespec time = {left / SECOND, left % SECOND};
        nanosleep(&time, NULL);
    }
    return size;
}

ssize_t read(int descriptor, void *to, size_t n) { return take(descriptor, REAL(read)(descriptor, to, n)); }

ssize_t write(int descriptor, const void *from, size_t n) { return take(descriptor, REAL(write)(descriptor, from, n)); }

ssize_t readv(int descriptor, const struct iovec *to, int n) {
    return take(descriptor, REAL(readv)(descriptor, to, n));
}

ssize_t writev(int descriptor, const struct iovec *from, int n) {
    return take(descriptor, REAL(writev)(descriptor, from, n));
}

ssize_t pread64(int descriptor, void *to, size_t n, off64_t at) {
    return take(descriptor, REAL(pread64)(descriptor, to, n, at));
}

ssize_t pwrite64(int descriptor, const void *from, size_t n, off64_t at) {
    return take(descriptor, REAL(pwrite64)(descriptor, from, n, at));
}

ssize_t preadv64(int descriptor, const struct iovec *to, int n, off64_t at) {
    return take(descriptor, REAL(preadv64)(descriptor, to, n, at));
}

ssize_t pwritev64(int descriptor, const struct iovec *from, int n, off64_t at) {
    return take(descriptor, REAL(pwritev64)(descriptor, from, n, at));
}

ssize_t preadv64v2(int descriptor, const struct iovec *to, int n, off64_t at, int flags) {
    return take(descriptor, REAL(preadv64v2)(descriptor, to, n, at, flags));
}

ssize_t pwritev64v2(int descriptor, const struct iovec *from, int n, off64_t at, int flags) {
    return take(descriptor, REAL(pwritev64v2)(descriptor, from, n, at, flags));
}
