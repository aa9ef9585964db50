"""Compressed streams by content: which codec a stream has, and its decoder.

Decoders know concatenated members and frames, bound their output by the buffer they are given, and tell a torn file
from a whole one.
"""

from __future__ import annotations

from corpustools.errors import UsageError
from corpustools.files.members import MemberReader
from corpustools.files.streams import Decoder, Reader
from corpustools.files.zstd import MAGIC, SKIPPABLE, ZstdReader

MAGICS = {b"\x1f\x8b": "gz", MAGIC: "zst", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
WRITABLE = {".gz": "gz", ".zst": "zst"}
REFUSED = (
    *(
        ".bz2",
        ".xz",
        ".lz4",
        ".zip",
        ".7z",
        ".rar",
        ".br",
        ".lz",
        ".lzma",
        ".lzo",
        ".z",
        ".zz",
        ".sz",
        ".gzip",
        ".zstd",
    ),
    *(".tar", ".tgz", ".tzst", ".tar.gz", ".tar.zst"),
)


def detect(head: bytes) -> str | None:
    """Return the codec whose magic the first bytes carry: gz, zst, bz2, xz, or None for plain bytes."""
    if head.startswith(SKIPPABLE):
        return "zst"
    return next((codec for magic, codec in MAGICS.items() if head.startswith(magic)), None)


def output_codec(path: str) -> str | None:
    """Return the codec that a path's suffix asks for, or None.

    Raises:
        UsageError: the suffix is that of a format which can only be read.
    """
    name = path.lower()
    if name.endswith(REFUSED):
        raise UsageError(f"{path}: this compression cannot be written", "outputs may end in .zst or .gz")
    return next((codec for suffix, codec in WRITABLE.items() if name.endswith(suffix)), None)


def decoder(codec: str, raw: Reader, name: str, memory: int, begin: int = 0, stop: int | None = None) -> Decoder:
    """Return a reader of the decoded bytes of raw.

    Args:
        codec: one that `detect` returns.
        raw: the bytes of the file from `begin` on, where a member begins.
        name: what messages call the file.
        memory: what the format may ask for, in bytes.
        begin: a byte of the file.
        stop: end at the first place from there on that is between two members; None: at the end of the file.
    """
    if codec == "zst":
        return ZstdReader(raw, name, memory, begin, stop)
    return MemberReader(codec, raw, name, memory, begin, stop)
