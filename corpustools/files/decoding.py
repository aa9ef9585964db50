"""Compressed inputs decoded on threads of their own: the one that is read, and those behind it.

    input 1   [ read .......... | decoded, waiting | ............ ]   thread 1
    input 2   [ decoded, waiting .......... | ................... ]   thread 2
    input 3   [ decoded, waiting .. | ........................... ]   thread 3

Bytes, and what is wrong with them, come in the order of the inputs, as without threads.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

from corpustools.errors import CorpusError
from corpustools.files.ahead import Ahead
from corpustools.files.inputs import Input, OpenInput
from corpustools.files.page_cache import Passing
from corpustools.files.streams import Reader

# Decoded at a time.
_PIECE = 512 << 10
# With less memory what waits would take too much of it.
_LEAST_MEMORY = 192 << 20
_LEAST_AHEAD, _MOST_AHEAD = 2 << 20, 256 << 20


@dataclass(frozen=True)
class DecodeAhead:
    """How many inputs are decoded at a time, and how far ahead of who reads them.

    Attributes:
        threads: inputs that are decoded at a time; 0: who reads an input decodes it.
        most: decoded bytes of each input that may wait.
    """

    threads: int = 0
    most: int = 0

    @property
    def memory(self) -> int:
        """The bytes that decoded pieces may take, those included that are filled or read just now."""
        return self.threads * (self.most + 2 * _PIECE)

    def all_bytes(self, decoder: int) -> int:
        """Return what all decoders may take, of so many bytes each, and what they have decoded."""
        return decoder * max(1, self.threads) + self.memory


NOT_AHEAD = DecodeAhead()


def decode_ahead(inputs: list[Input], memory: int, workers: int, decoder: int) -> DecodeAhead:
    """Return how many compressed inputs are decoded at a time: by one thread less than work on their records.

    Args:
        inputs: in order.
        memory: the bytes of the whole process, of which decoders take a quarter at most.
        workers: threads that work on the records.
        decoder: what each decoder may allocate, in bytes.
    """
    files = sum(1 for one in inputs if one.codec and one.seekable)
    if memory < _LEAST_MEMORY or workers < 2 or not files:
        return NOT_AHEAD
    most = max(_LEAST_AHEAD, min(memory // 64, _MOST_AHEAD))
    threads = min(workers - 1, files, memory // 4 // (decoder + most))
    # Of a single one little has to wait.
    return DecodeAhead(threads, most) if threads > 1 else DecodeAhead(1, _LEAST_AHEAD)


class Inputs:
    """Inputs that are opened in order, the compressed files among them decoded ahead.

    Args:
        inputs: in order.
        memory: what a decoder may allocate, in bytes.
        passing: what becomes of the pages of files that were read.
        ahead: how many are decoded at a time.
    """

    def __init__(self, inputs: list[Input], memory: int, passing: Passing, ahead: DecodeAhead) -> None:
        self._inputs, self._memory, self._passing, self._ahead = inputs, memory, passing, ahead
        self._open: dict[int, OpenInput] = {}
        self._decoded: dict[int, _Decoded] = {}

    def open(self, number: int) -> OpenInput:
        """Return an input, open, and begin to decode those behind it.

        Raises:
            SystemFailure: the input cannot be opened.
            DataError: it is another file than was found, or of a format that is not read.
        """
        if number not in self._open:
            self._start(number)
        for one in range(number + 1, min(number + self._ahead.threads, len(self._inputs))):
            source = self._inputs[one]
            if one not in self._open and source.codec and source.seekable:
                # What is wrong with it is told when its turn comes: something before it may be wrong too.
                with contextlib.suppress(CorpusError):
                    self._start(one)
        return self._open[number]

    def close(self, number: int) -> None:
        """End the decoding of an input and close it."""
        if number in self._decoded:
            # Its thread uses the descriptor.
            self._decoded.pop(number).close()
        self._open.pop(number).close()

    def close_all(self) -> None:
        """Close what is open."""
        for number in list(self._open):
            self.close(number)

    def _start(self, number: int) -> None:
        opened = OpenInput(self._inputs[number], self._memory, self._passing)
        self._open[number] = opened
        # A thread that waits for a silent pipe could not be ended.
        if self._ahead.threads and opened.codec and opened.source.seekable:
            decoded = _Decoded(opened.reader, self._ahead.most)
            if decoded.start():
                self._decoded[number] = decoded
                opened.reader = decoded


class _Decoded:
    """The bytes of a reader, which are decoded on another thread into pieces that are used again and again."""

    def __init__(self, reader: Reader, most: int) -> None:
        self._reader = reader
        self._free: deque[bytearray] = deque()
        self._ahead = Ahead(self._pieces(), lambda _: _PIECE, most)
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
                self._free.append(self._buffer)
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
        """End the thread."""
        self._ahead.close()

    def _pieces(self) -> Generator[tuple[bytearray, int]]:
        while True:
            piece = self._free.popleft() if self._free else bytearray(_PIECE)
            n = self._reader.readinto(memoryview(piece))
            if not n:
                return
            yield piece, n
