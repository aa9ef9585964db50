"""System calls of Linux that Python does not offer; each says so where the system or its library has none."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import struct
from functools import cache
from typing import Any

# What direct I/O is aligned to where a file system does not say: a page, the largest sector in use.
PAGE = 4096

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_AT_EMPTY_PATH, _STATX_DIOALIGN, _STATX_BYTES, _DIOALIGN_AT = 0x1000, 0x2000, 256, 152
_CACHESTAT = 451
_STATFS_BYTES, _OVERLAY = 256, 0x794C7630
_GETFLAGS, _SETFLAGS, _NOCOW = 0x80086601, 0x40086602, 0x00800000
# sync_file_range(2): 2 begins to write; 7 waits as well.
_BEGIN, _WAIT = 2, 7
# madvise(2), Linux 5.14.
_POPULATE_WRITE = 23


def punch_hole(descriptor: int, start: int, length: int) -> bool:
    """Free a stretch of a file; False where the system does not offer it."""
    call = _function("fallocate")
    if call is None:
        return False
    mode = _KEEP_SIZE | _PUNCH_HOLE
    return bool(call(descriptor, mode, ctypes.c_int64(start), ctypes.c_int64(length)) == 0)


def preallocate(descriptor: int, size: int) -> bool:
    """Make room on the disk for the first bytes of a file, which becomes as long; False where that is not offered.

    No byte of it changes; those that are new are zeroes.
    """
    call = _function("fallocate")
    return bool(call is not None and call(descriptor, 0, ctypes.c_int64(0), ctypes.c_int64(size)) == 0)


def direct_alignment(descriptor: int, untold: int = PAGE) -> int:
    """Return what memory, offsets and lengths of direct I/O are multiples of (statx(2), DIOALIGN); 0: there is none.

    Args:
        descriptor: an open file.
        untold: the answer where the file system says nothing; some take the flag and go through the page cache.
    """
    call = _function("statx")
    facts = ctypes.create_string_buffer(_STATX_BYTES)
    if call is None or call(descriptor, b"", _AT_EMPTY_PATH, _STATX_DIOALIGN, facts):
        return untold
    if not struct.unpack_from("I", facts)[0] & _STATX_DIOALIGN:
        return untold
    memory, offset = struct.unpack_from("2I", facts, _DIOALIGN_AT)
    return int(max(memory, offset, PAGE)) if memory and offset else 0


def do_not_copy_on_write(descriptor: int) -> None:
    """Let btrfs write a new, empty file in place: it has no checksums then, and only so is its direct I/O direct.

    Other file systems refuse the flag, and are left as they are.
    """
    with contextlib.suppress(OSError):
        flags = struct.unpack("I", fcntl.ioctl(descriptor, _GETFLAGS, bytes(8))[:4])[0]
        fcntl.ioctl(descriptor, _SETFLAGS, struct.pack("Q", flags | _NOCOW))


def write_out(descriptor: int, start: int, length: int, wait: bool) -> bool:
    """Begin to write a stretch of a file to disk, and wait for it where asked; False where that is not offered.

    A failure of the disk is told to the first who asks, and only to them: it must not be passed over.

    Raises:
        OSError: the disk is full or fails.
    """
    call = _function("sync_file_range")
    if call is None:
        return False
    flags = _WAIT if wait else _BEGIN
    if call(descriptor, ctypes.c_int64(start), ctypes.c_int64(length), ctypes.c_uint(flags)) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EIO, errno.ENOSPC, errno.EDQUOT):
        raise OSError(number, os.strerror(number))
    return False


def populate(memory: mmap.mmap, start: int, length: int) -> None:
    """Give pages to a stretch of memory that begins on a page, all at once, as far as the system offers that."""
    call = _function("madvise")
    if call is not None and length:
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory, start))
        call(ctypes.c_void_p(address), ctypes.c_size_t(length), _POPULATE_WRITE)


def cached_bytes(descriptor: int, start: int, length: int) -> int | None:
    """Return about how many bytes of a stretch of a file are in the page cache, or None where that is not told."""
    pages = None if _is_overlay(descriptor) else _cachestat(descriptor, start, length)
    if pages is None:
        pages = _mincore(descriptor, start, length)
    return None if pages is None else min(pages * os.sysconf("SC_PAGE_SIZE"), length)


def _is_overlay(descriptor: int) -> bool:
    """Whether a file is seen through an overlay, as in containers: cachestat(2) finds none of its pages there."""
    call = _function("fstatfs")
    facts = ctypes.create_string_buffer(_STATFS_BYTES)
    return call is not None and not call(descriptor, facts) and struct.unpack_from("l", facts)[0] == _OVERLAY


def _cachestat(descriptor: int, start: int, length: int) -> int | None:
    """Return the cached pages of a stretch (cachestat(2), Linux 6.5)."""
    call = _function("syscall")
    if call is None:
        return None
    stretch, found = (ctypes.c_uint64 * 2)(start, length), (ctypes.c_uint64 * 5)()
    if call(ctypes.c_long(_CACHESTAT), ctypes.c_uint(descriptor), stretch, found, ctypes.c_uint(0)):
        return None
    return int(found[0])


def _mincore(descriptor: int, start: int, length: int) -> int | None:
    """Return the cached pages of a stretch that begins on a page; all of them where the file is not the user's own."""
    library, page = _library(), os.sysconf("SC_PAGE_SIZE")
    if not all(hasattr(library, name) for name in ("mmap", "munmap", "mincore")) or start % page:
        return None
    library.mmap.restype = ctypes.c_void_p
    size, protection, shared = ctypes.c_size_t(length), 1, 1
    address = library.mmap(None, size, protection, shared, descriptor, ctypes.c_int64(start))
    if address in (None, ctypes.c_void_p(-1).value):
        return None
    try:
        told = ctypes.create_string_buffer(-(-length // page))
        if library.mincore(ctypes.c_void_p(address), size, told):
            return None
        return sum(byte & 1 for byte in told.raw)
    finally:
        library.munmap(ctypes.c_void_p(address), size)


@cache
def _library() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _function(name: str) -> Any:
    return getattr(_library(), name, None)
