"""A compressed file cut into stretches: whole members, one behind another, that can be decoded beside each other.

Frames of zstd are found by their outline. Of gz and bz2 only the first bytes of a member tell that one begins, and the
same bytes may stand inside a member by chance. So a cut is a guess: it holds if what stands before it, decoded from a
place where a member is known to begin, ends there as a member.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from corpustools.errors import CorpusError, DataError
from corpustools.files.foreign import HEAD_BYTES
from corpustools.files.inputs import OpenInput
from corpustools.files.members import MemberReader
from corpustools.files.streams import READ_BYTES, ReaderOf
from corpustools.files.zstd import (
    LARGEST_WINDOW,
    LONGEST_BLOCK,
    MAGIC,
    SKIPPABLE,
    content_bytes,
    frame_needs,
    header_bytes,
)

# A gz member has no reserved flags, a hint on the level that compressors give, and a system that exists (RFC 1952); a
# bz2 stream has a size and a first block.
_FIRST_BYTES = {
    "gz": re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL),
    "bz2": re.compile(rb"BZh[1-9]1AY&SY"),
}
_LONGEST_FIRST = 10
CODECS = ("zst", *_FIRST_BYTES)
# Text is some times as long as gz and bz2 make it.
_RATIO = 8
# Threads take so much decoded text at once, or one frame.
_ENOUGH = 1 << 20


@dataclass(frozen=True)
class Stretch:
    """Whole members, if the cut behind them is right.

    Attributes:
        start: their first byte in the file.
        stop: the byte behind them.
        buffer: holds them at its front.
    """

    start: int
    stop: int
    buffer: bytearray


class Stretches:
    """The stretches of a file from a place on where a member begins, up to the first one that is none.

    Why none follows is not told: whoever decodes from there on meets it.

    Args:
        opened: the file.
        begin: the place.
        most: a stretch has about this many bytes at most, compressed or, as far as that is told, decoded.
        enough: bytes of gz and bz2 that are taken at once, about.
        take: returns a buffer of so many bytes.
    """

    def __init__(
        self, opened: OpenInput, begin: int, most: int, enough: int, take: Callable[[int], bytearray] = bytearray
    ) -> None:
        self._opened, self._place, self._most, self._enough, self._take = opened, begin, most, enough, take
        self._buffer = take(packed_bytes(most))
        self._filled = 0
        self._is_cut = begin > 0

    def __iter__(self) -> Iterator[Stretch]:
        cut = self._frames if self._opened.codec == "zst" else self._members
        while stop := cut():
            start, buffer = self._place, self._buffer
            self._buffer = self._take(len(buffer))
            rest = self._filled - stop
            self._buffer[:rest] = buffer[stop : self._filled]
            self._place, self._filled = start + stop, rest
            yield Stretch(start, start + stop, buffer)

    def _holds(self, stop: int) -> bool:
        """Whether the buffer has so many bytes of the file, or can be filled so far."""
        if stop > len(self._buffer):
            return False
        with memoryview(self._buffer) as view:
            while self._filled < stop:
                try:
                    room = view[self._filled : self._filled + READ_BYTES]
                    n = self._opened.read_at(self._place + self._filled, room)
                except CorpusError:
                    # It is met again where it is read in order.
                    return False
                self._filled += n
                if not n:
                    return False
        return True

    def _frames(self) -> int:
        """Return where to cut a zstd file, by the outline of its frames (RFC 8878, section 3.1); 0: nowhere."""
        stop = size = 0
        while size < min(_ENOUGH, self._most) and (frame := self._frame(stop, self._most - size)):
            stop, size = frame[0], size + frame[1]
        return stop

    def _frame(self, at: int, most: int) -> tuple[int, int] | None:
        """Return where the frame at a byte of the buffer ends, and how many bytes it says or seems to hold at most.

        None: it does not end in the buffer, holds more than `most`, or needs what threads do not have.
        """
        if not self._holds(at + 8):
            return None
        data = self._buffer
        if data[at : at + 4] != MAGIC:
            end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            return (end, 0) if data.startswith(SKIPPABLE, at) and self._holds(end) else None
        at += 4
        stop = at + header_bytes(data[at])
        if not self._holds(stop + 3):
            return None
        header = bytes(data[at:stop])
        (window, dictionary), content = frame_needs(header), content_bytes(header)
        if dictionary or window > self._most or (content or 0) > most:
            return None
        found = self._blocks(stop, min(window, LONGEST_BLOCK), most if content is None else LARGEST_WINDOW)
        if found is None:
            return None
        end = found[0] + 4 * (header[0] >> 2 & 1)
        return (end, found[1] if content is None else content) if self._holds(end) else None

    def _blocks(self, at: int, longest: int, most: int) -> tuple[int, int] | None:
        """Return where the blocks of a frame end, and how many bytes they hold at most."""
        size = 0
        while self._holds(at + 3):
            word = int.from_bytes(self._buffer[at : at + 3], "little")
            kind, length = word >> 1 & 3, word >> 3
            at += 3 + (1 if kind == 1 else length)
            size += longest if kind == 2 else length
            if size > most:
                return None
            if word & 1:
                return at, size
        return None

    def _members(self) -> int:
        """Return where to cut a file of gz or bz2: before the last bytes that may begin a member; 0: nowhere."""
        pattern, searched = _FIRST_BYTES[self._opened.codec or ""], 1
        wanted = min(self._enough, self._most)
        while True:
            whole = self._holds(wanted)
            starts = [found.start() for found in pattern.finditer(self._buffer, searched, self._filled)]
            if starts:
                self._is_cut = True
            if not whole:
                # The end of the file. A file of one member is decoded as it is read.
                return self._filled if self._is_cut else 0
            if starts:
                return starts[-1]
            if wanted == self._most:
                return 0
            searched = max(1, self._filled - _LONGEST_FIRST)
            wanted = min(wanted + READ_BYTES, self._most)


def decode_stretch(stretch: Stretch, codec: str, buffer: bytearray) -> int | None:
    """Decode a stretch into a buffer.

    Args:
        stretch: what to decode.
        codec: one of CODECS.
        buffer: is longer than what the stretch may hold.

    Returns:
        The decoded bytes; None where the stretch is damaged, does not end with a member, or does not fit.
    """
    data, view = memoryview(stretch.buffer)[: stretch.stop - stretch.start], memoryview(buffer)
    n = _decoded_frames(data, view) if codec == "zst" else _decoded_members(data, codec, view)
    return n if n is not None and n < len(buffer) else None


def _decoded_frames(data: memoryview, view: memoryview) -> int | None:
    import zstandard

    # What it is given whole, with room for all of it, it decodes without a window of its own.
    source = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(data, read_across_frames=True)
    filled = 0
    try:
        while filled < len(view) and (n := source.readinto(view[filled:])):
            filled += n
    except zstandard.ZstdError:
        return None
    return filled


def _decoded_members(data: memoryview, codec: str, view: memoryview) -> int | None:
    at = filled = 0

    def readinto(room: memoryview) -> int:
        nonlocal at
        n = min(len(room), len(data) - at)
        room[:n] = data[at : at + n]
        at += n
        return n

    source = MemberReader(codec, ReaderOf(readinto), "", 0)
    try:
        while filled < len(view) and (n := source.readinto(view[filled:])):
            filled += n
    except DataError:
        return None
    return filled


def packed_bytes(most: int) -> int:
    """Return how long a buffer for stretches is: what cannot be compressed becomes a little longer."""
    return most + most // 64 + 1024


def enough_of(codec: str | None, most: int) -> int:
    """Return how many bytes of gz or bz2 are taken at once at first."""
    return most // _RATIO if codec != "zst" else most


def raw_from(opened: OpenInput, begin: int) -> ReaderOf:
    """Return a reader of a file's bytes from a place on, in the same pieces as if it had been read from its front.

    A message on damage names the end of such a piece.
    """
    place, front = begin, min(HEAD_BYTES, opened.source.size or 0)

    def readinto(view: memoryview) -> int:
        nonlocal place
        left = front - place if place < front else READ_BYTES
        piece = min(left, READ_BYTES - (place if place < front else place - front) % READ_BYTES)
        n = opened.read_at(place, view[:piece])
        place += n
        return n

    return ReaderOf(readinto)
