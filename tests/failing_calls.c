/* Loaded before the C library (LD_PRELOAD): lets calls on the files of one folder fail, or be cut short.
 *
 * FAIL_UNDER   the folder; files without a name are of the folder in which they were made
 * FAIL_CALL    read, write, sync (fsync), begin (sync_file_range) or allocate
 * FAIL_AFTER   the bytes that pass before, counted over all such calls
 * FAIL_NUMBER  the errno; 0: each call takes no more than a third of its first part
 * FAIL_LOG     a file that gets a byte for each call that failed or was cut
 * FAIL_DIRECT  1: only descriptors that are open past the page cache
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static int64_t passed;

/* Whether a call on this descriptor is one of those that are meant. */
static int meant(const char *call, int descriptor) {
    const char *wanted = getenv("FAIL_CALL"), *under = getenv("FAIL_UNDER"), *direct = getenv("FAIL_DIRECT");
    if (!wanted || !under || strcmp(wanted, call)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    if (strncmp(path, under, strlen(under))) return 0;
    return !direct || fcntl(descriptor, F_GETFL) & O_DIRECT;
}

/* Tell the test that a call was not let through. */
static void note(void) {
    const char *log = getenv("FAIL_LOG");
    int descriptor = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (descriptor < 0) return;
    if (REAL(write)(descriptor, "x", 1) != 1) abort();
    close(descriptor);
}

/* Whether the call fails now, its errno set; what may still pass is counted. */
static int fails(const char *call, int descriptor, int64_t size) {
    if (!meant(call, descriptor)) return 0;
    const char *after = getenv("FAIL_AFTER"), *number = getenv("FAIL_NUMBER");
    if (!number || !atoi(number)) return 0;
    if (__atomic_add_fetch(&passed, size, __ATOMIC_SEQ_CST) <= (after ? atoll(after) : 0)) return 0;
    note();
    errno = atoi(number);
    return 1;
}

/* How many of so many bytes a call may take. */
static size_t cut(const char *call, int descriptor, size_t size) {
    const char *number = getenv("FAIL_NUMBER");
    if (!number || atoi(number) || size <= 3 || !meant(call, descriptor)) return size;
    note();
    return size / 3;
}

static int64_t total(const struct iovec *parts, int count) {
    int64_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    return size;
}

#define ONE(name, call, type)                                                    \
    ssize_t name(int descriptor, type memory, size_t size) {                     \
        if (fails(call, descriptor, size)) return -1;                            \
        return REAL(name)(descriptor, memory, cut(call, descriptor, size));      \
    }
#define ONE_AT(name, call, type)                                                 \
    ssize_t name(int descriptor, type memory, size_t size, off64_t at) {         \
        if (fails(call, descriptor, size)) return -1;                            \
        return REAL(name)(descriptor, memory, cut(call, descriptor, size), at);  \
    }
#define PARTS(name, call)                                                        \
    ssize_t name(int descriptor, const struct iovec *parts, int count) {         \
        if (fails(call, descriptor, total(parts, count))) return -1;             \
        struct iovec first = parts[0];                                           \
        first.iov_len = cut(call, descriptor, first.iov_len);                    \
        if (first.iov_len == parts[0].iov_len) return REAL(name)(descriptor, parts, count); \
        return REAL(name)(descriptor, &first, 1);                                \
    }
#define PARTS_AT(name, call)                                                     \
    ssize_t name(int descriptor, const struct iovec *parts, int count, off64_t at) { \
        if (fails(call, descriptor, total(parts, count))) return -1;             \
        struct iovec first = parts[0];                                           \
        first.iov_len = cut(call, descriptor, first.iov_len);                    \
        if (first.iov_len == parts[0].iov_len) return REAL(name)(descriptor, parts, count, at); \
        return REAL(name)(descriptor, &first, 1, at);                            \
    }
/* Python calls these where the C library has them. */
#define PARTS_AT2(name, call)                                                    \
    ssize_t name(int descriptor, const struct iovec *parts, int count, off64_t at, int flags) { \
        if (fails(call, descriptor, total(parts, count))) return -1;             \
        struct iovec first = parts[0];                                           \
        first.iov_len = cut(call, descriptor, first.iov_len);                    \
        if (first.iov_len == parts[0].iov_len) return REAL(name)(descriptor, parts, count, at, flags); \
        return REAL(name)(descriptor, &first, 1, at, flags);                     \
    }

ONE(read, "read", void *)
ONE(write, "write", const void *)
ONE_AT(pread64, "read", void *)
ONE_AT(pwrite64, "write", const void *)
PARTS(readv, "read")
PARTS(writev, "write")
PARTS_AT(preadv64, "read")
PARTS_AT(pwritev64, "write")
PARTS_AT2(preadv64v2, "read")
PARTS_AT2(pwritev64v2, "write")

int fsync(int descriptor) { return fails("sync", descriptor, 1) ? -1 : REAL(fsync)(descriptor); }

int sync_file_range(int descriptor, off64_t at, off64_t size, unsigned flags) {
    return fails("begin", descriptor, size) ? -1 : REAL(sync_file_range)(descriptor, at, size, flags);
}

int posix_fallocate64(int descriptor, off64_t at, off64_t size) {
    return fails("allocate", descriptor, size) ? errno : REAL(posix_fallocate64)(descriptor, at, size);
}
