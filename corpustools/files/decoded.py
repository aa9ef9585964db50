"""The decoded bytes of one compressed file, made on other threads ahead of who reads them.

    file      [ stretch | stretch | stretch | one long member ........ | stretch ... ]
                decoded   decoded   helper     this file's own thread

A thread of the file's own cuts it into stretches of whole members and hands their bytes on in order. While the file is
the one that is read, helpers decode the stretches, several at a time. What is no stretch, or is damaged, the thread
decodes in order as if there were no others: so the bytes, and what is said of them, are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

from corpustools.files.ahead import Ahead
from corpustools.files.compression import decoder
from corpustools.files.inputs import OpenInput
from corpustools.files.ordered import Pool
from corpustools.files.streams import Reader
from corpustools.files.stretches import CODECS, Stretch, Stretches, decode_stretch, enough_of, packed_bytes, raw_from

# Decoded in order at a time.
PIECE = 512 << 10
# Fewer members than this would make short stretches of many.
_LEAST_ENOUGH = 64 << 10

Piece = tuple[bytearray, int]


@dataclass(frozen=True)
class Helpers:
    """Threads that decode stretches of whichever file is read.

    Attributes:
        pool: the threads.
        count: how many there are.
        most: bytes of a stretch, compressed or decoded.
    """

    pool: Pool
    count: int
    most: int


class Decoded:
    """The bytes of a compressed file, which are decoded on other threads into pieces that are used again and again.

    Args:
        opened: the file.
        memory: what a decoder may allocate, in bytes.
        most: decoded bytes that may wait.
        helpers: None: there are none.
        is_read: whether this is the file that is read, for which the helpers work.

    Attributes:
        is_read: the same, which may become so.
    """

    def __init__(self, opened: OpenInput, memory: int, most: int, helpers: Helpers | None, is_read: bool) -> None:
        self._opened, self._memory, self._helpers, self.is_read = opened, memory, helpers, is_read
        self._reader: Reader = opened.reader
        # Bytes of gz and bz2 that are taken at once.
        self._enough = 0
        # By their lengths, of which few are in use at a time.
        self._free: dict[int, deque[bytearray]] = {PIECE: deque()}
        splits = helpers is not None and opened.codec in CODECS
        self._ahead = Ahead(self._split() if splits else self._in_order(), lambda piece: len(piece[0]), most)
        self._buffer = bytearray()
        self._rest = memoryview(self._buffer)

    def start(self) -> bool:
        """Start the thread; return False where the system gives none."""
        return self._ahead.start()

    def readinto(self, view: memoryview) -> int:
        """Fill the front of the view with decoded bytes; 0 at the end.

        Raises:
            DataError: the compressed data is torn or damaged.
            SystemFailure: reading failed.
        """
        if not self._rest:
            if self._buffer:
                self._give(self._buffer)
                self._buffer = bytearray()
            try:
                self._buffer, size = next(self._ahead)
            except StopIteration:
                return 0
            self._rest = memoryview(self._buffer)[:size]
        n = min(len(view), len(self._rest))
        view[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n

    def close(self) -> None:
        """End the thread and give the pieces up."""
        self._ahead.close()
        # An error that somebody keeps holds this object too.
        self._free, self._buffer, self._rest = {}, bytearray(), memoryview(b"")

    def _take(self, size: int) -> bytearray:
        free = self._free.get(size)
        return free.popleft() if free else bytearray(size)

    def _give(self, buffer: bytearray) -> None:
        free = self._free.get(len(buffer))
        if free is not None:
            free.append(buffer)

    def _use(self, *lengths: int) -> None:
        """Keep free buffers of some lengths only."""
        self._free = {size: self._free.get(size, deque()) for size in lengths}

    def _in_order(self) -> Generator[Piece]:
        while True:
            piece = self._take(PIECE)
            n = self._reader.readinto(memoryview(piece))
            if not n:
                return
            yield piece, n

    def _split(self) -> Generator[Piece]:
        """Give the bytes of stretches as long as there are some, and what is between them in order."""
        assert self._helpers is not None
        opened, most, place = self._opened, self._helpers.most, 0
        self._enough = enough_of(opened.codec, most)
        while True:
            self._use(packed_bytes(most), most + 1)
            place, stop = yield from self._stretches(place, most)
            raw = raw_from(opened, place)
            self._reader = reader = decoder(opened.codec or "", raw, opened.source.name, self._memory, place, stop)
            self._use(PIECE)
            yield from self._in_order()
            if reader.stopped is None:
                return
            place = reader.stopped

    def _stretches(self, place: int, most: int) -> Generator[Piece, None, tuple[int, int]]:
        """Give the bytes of stretches; return where they end, and how far to read in order before the next ones."""
        stretches = iter(Stretches(self._opened, place, most, self._enough, self._take))
        begun: deque[tuple[Stretch, bytearray, Callable[[], int | None]]] = deque()
        try:
            while True:
                while len(begun) < self._at_a_time() and (stretch := next(stretches, None)) is not None:
                    buffer = self._take(most + 1)
                    begun.append((stretch, buffer, self._begin(stretch, buffer)))
                if not begun:
                    # A file without stretches would else be looked through again and again.
                    return place, place + most
                stretch, buffer, result = begun.popleft()
                n = result()
                self._give(stretch.buffer)
                if n is None:
                    # It is damaged, or too long.
                    self._enough = max(self._enough // 2, min(self._enough, _LEAST_ENOUGH))
                    return place, stretch.stop
                if n:
                    yield buffer, n
                place = stretch.stop
        finally:
            for stretch, _, result in begun:
                result()
                self._give(stretch.buffer)

    def _at_a_time(self) -> int:
        return self._helpers.count + 1 if self._helpers is not None and self.is_read else 1

    def _begin(self, stretch: Stretch, buffer: bytearray) -> Callable[[], int | None]:
        """Have a stretch decoded, by the helpers or here where they work for another file; return what waits for it."""
        codec = self._opened.codec or ""
        if self._helpers is not None and self.is_read:
            return self._helpers.pool.submit(decode_stretch, (stretch, codec, buffer)).result
        n = decode_stretch(stretch, codec, buffer)
        return lambda: n
