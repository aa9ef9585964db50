#!/bin/sh
# Linux 6.18: cachestat(2) of a file that is seen through an overlay, as in most containers. Needs root, for the mount.
#
# Good guess: it counts the pages of the file that are in the page cache, as mincore(2) does and as posix_fadvise drops.
# Seen:       0, always: it looks at the overlay's own inode, which never has pages. mincore and the same file in the
#             upper folder tell the truth, and posix_fadvise works on it.
set -eu
folder=$(mktemp -d)
trap 'umount "$folder/all"; rm -rf "$folder"' EXIT
mkdir "$folder/lower" "$folder/upper" "$folder/work" "$folder/all"
mount -t overlay overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" "$folder/all"
head -c 8388608 /dev/urandom >"$folder/all/file"
uname -sr
python3 - "$folder/all/file" "$folder/upper/file" <<'PYTHON'
import ctypes
import os
import sys

library = ctypes.CDLL(None)
library.mmap.restype = ctypes.c_void_p
SIZE = 8 << 20


def cachestat(path):
    descriptor = os.open(path, os.O_RDONLY)
    stretch, found = (ctypes.c_uint64 * 2)(0, SIZE), (ctypes.c_uint64 * 5)()
    refused = library.syscall(ctypes.c_long(451), descriptor, stretch, found, 0)
    os.close(descriptor)
    return None if refused else found[0]


def mincore(path):
    descriptor = os.open(path, os.O_RDONLY)
    address = ctypes.c_void_p(library.mmap(None, ctypes.c_size_t(SIZE), 1, 1, descriptor, ctypes.c_int64(0)))
    told = ctypes.create_string_buffer(SIZE // 4096)
    library.mincore(address, ctypes.c_size_t(SIZE), told)
    library.munmap(address, ctypes.c_size_t(SIZE))
    os.close(descriptor)
    return sum(byte & 1 for byte in told.raw)


seen = {name: (cachestat(path), mincore(path)) for name, path in zip(("overlay", "upper folder"), sys.argv[1:])}
for name, (one, other) in seen.items():
    print(f"{name}: cachestat {one} pages, mincore {other} pages")
sys.exit(seen != {"overlay": (0, 2048), "upper folder": (2048, 2048)})
PYTHON
