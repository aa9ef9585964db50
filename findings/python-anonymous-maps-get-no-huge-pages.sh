#!/bin/sh
# CPython 3.11 to 3.14, Linux: mmap.mmap(-1, size), the usual way to large zeroed memory, with madvise(MADV_HUGEPAGE).
#
# Good guess: private memory, as malloc gives; after the advice it lies in huge pages where the system offers them.
# Seen:       the default flags are MAP_SHARED, so the memory is a shared file of the system. The advice is taken without
#             an error and does nothing where huge pages of shared memory are off, which is Linux's default. With
#             flags=MAP_PRIVATE | MAP_ANONYMOUS the same advice gives huge pages.
set -eu
[ "$(grep -o '\[[a-z]*\]' /sys/kernel/mm/transparent_hugepage/enabled)" != "[never]" ] || { echo "huge pages are off"; exit 2; }
[ "$(grep -o '\[[a-z]*\]' /sys/kernel/mm/transparent_hugepage/shmem_enabled)" = "[never]" ] || { echo "shared huge pages are on"; exit 2; }
uname -sr
python3 - <<'PYTHON'
import mmap
import sys

SIZE = 64 << 20


def huge_bytes():
    """Return the bytes of this process that lie in huge pages, private and shared."""
    with open("/proc/self/smaps_rollup") as facts:
        return sum(int(line.split()[1]) for line in facts if line.startswith(("AnonHuge", "ShmemPmd"))) << 10


def gained(**how):
    before, memory = huge_bytes(), mmap.mmap(-1, SIZE, **how)
    memory.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, SIZE, 4096):
        memory[at] = 1
    after = huge_bytes()
    memory.close()
    return (after - before) >> 20


shared, private = gained(), gained(flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
print("CPython", sys.version.split()[0])
print(f"MiB in huge pages of {SIZE >> 20}: default flags {shared}, private {private}")
sys.exit(not (shared == 0 and private > 0))
PYTHON
