"""Compressed inputs decoded on threads of their own: the one that is read, and those behind it.

Helpers decode stretches of the one that is read, where it is cut into some.

    input 1   [ read .......... | decoded, waiting | ............ ]   thread 1
    input 2   [ decoded, waiting .......... | ................... ]   thread 2
    input 3   [ decoded, waiting .. | ........................... ]   thread 3

Bytes, and what is wrong with them, come in the order of the inputs, as without threads.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from corpustools.errors import CorpusError
from corpustools.files.decoded import PIECE, Decoded, Helpers
from corpustools.files.inputs import Input, OpenInput
from corpustools.files.ordered import Pool
from corpustools.files.page_cache import Passing
from corpustools.files.stretches import CODECS, Stretches, enough_of, packed_bytes
from corpustools.files.zstd import LARGEST_WINDOW

# With less memory what waits would take too much of it.
_LEAST_MEMORY = 192 << 20
_LEAST_AHEAD, _MOST_AHEAD = 2 << 20, 256 << 20
# Bytes of a stretch: frames of zstd often hold 1 to 8 MiB.
_SHORTEST, _LONGEST = 1 << 20, 16 << 20
# Where no memory is given: of a stretch, and of all that helpers may take.
_BESIDE_STRETCH, _BESIDE = 4 << 20, 96 << 20
# So many inputs tell whether members are as short as that.
_LOOKED_AT = 4


class DecodeAhead(NamedTuple):
    """How many inputs are decoded at a time, and how far ahead of who reads them.

    Attributes:
        threads: inputs that are decoded at a time; 0: who reads an input decodes it.
        most: decoded bytes of each input that may wait.
        helpers: threads that decode stretches of the input that is read, beside its own.
        stretch: bytes of a stretch of whole members, compressed or decoded.
    """

    threads: int = 0
    most: int = 0
    helpers: int = 0
    stretch: int = 0

    @property
    def memory(self) -> int:
        """The bytes that decoded pieces may take, those included that are filled or read just now."""
        pieces = self.threads * (self.most + 2 * PIECE)
        if not self.helpers:
            return pieces
        # Each stretch is there compressed and decoded, and decoding it may take as much again. An input has one at work
        # and one that is cut, and of the one that is read each helper has one, and one more waits.
        return pieces + self.threads * 4 * self.stretch + (self.helpers + 1) * 3 * packed_bytes(self.stretch)

    def all_bytes(self, decoder: int) -> int:
        """Return what all decoders may take, of so many bytes each, and what they have decoded."""
        return decoder * max(1, self.threads) + self.memory


NOT_AHEAD = DecodeAhead()


def decode_ahead(inputs: list[Input], memory: int, workers: int, decoder: int) -> DecodeAhead:
    """Return how many compressed inputs are decoded at a time: by one thread less than work on their records.

    Where an input is cut into stretches, as many helpers decode them as work on the records.

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
    ahead = DecodeAhead(threads, most) if threads > 1 else DecodeAhead(1, _LEAST_AHEAD)
    return with_helpers(ahead, inputs, memory // 4 - decoder * ahead.threads, min(memory // 256, _LONGEST), workers)


def decode_beside(inputs: list[Input], workers: int) -> DecodeAhead:
    """Return how inputs are decoded where nothing else needs much memory: one at a time, beside those who work on it.

    Args:
        inputs: in order.
        workers: threads that work on the records.
    """
    if workers < 2 or not any(one.codec and one.seekable for one in inputs):
        return NOT_AHEAD
    return with_helpers(DecodeAhead(1, _LEAST_AHEAD), inputs, _BESIDE, _BESIDE_STRETCH, workers)


def with_helpers(ahead: DecodeAhead, inputs: list[Input], memory: int, stretch: int, workers: int) -> DecodeAhead:
    """Return the same with as many helpers as the memory holds, where an input can be cut into stretches.

    Args:
        ahead: without helpers.
        inputs: in order.
        memory: bytes of the memory that decoded pieces and helpers may take.
        stretch: bytes of a stretch.
        workers: helpers at most.
    """
    least = ahead._replace(most=max(ahead.most, 2 * stretch), helpers=2, stretch=stretch)
    helpers = min(workers, 2 + (memory - least.memory) // (3 * packed_bytes(stretch)))
    if helpers < 2 or stretch < _SHORTEST:
        return ahead
    largest = sorted((one for one in inputs if one.codec in CODECS), key=lambda one: -(one.size or 0))[:_LOOKED_AT]
    return least._replace(helpers=helpers) if any(_is_cut(one, stretch) for one in largest) else ahead


def _is_cut(source: Input, stretch: int) -> bool:
    """Whether an input has more than one stretch."""
    try:
        opened = OpenInput(source, LARGEST_WINDOW)
    except CorpusError:
        # It is told at its turn.
        return False
    try:
        first = next(iter(Stretches(opened, 0, stretch, enough_of(source.codec, stretch))), None)
        return first is not None and first.stop < (source.size or 0)
    finally:
        # Standard input stays open.
        opened.seek(opened.origin)
        opened.close()


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
        self._decoded: dict[int, Decoded] = {}
        self._helpers = Helpers(Pool(ahead.helpers), ahead.helpers, ahead.stretch) if ahead.helpers else None

    def open(self, number: int) -> OpenInput:
        """Return an input, open, and begin to decode those behind it.

        Raises:
            SystemFailure: the input cannot be opened.
            DataError: it is another file than was found, or of a format that is not read.
        """
        if number not in self._open:
            self._start(number, is_read=True)
        elif number in self._decoded:
            self._decoded[number].is_read = True
        for one in range(number + 1, min(number + self._ahead.threads, len(self._inputs))):
            source = self._inputs[one]
            if one not in self._open and source.codec and source.seekable:
                # What is wrong with it is told when its turn comes: something before it may be wrong too.
                with contextlib.suppress(CorpusError):
                    self._start(one, is_read=False)
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
        if self._helpers is not None:
            self._helpers.pool.close()

    def _start(self, number: int, is_read: bool) -> None:
        opened = OpenInput(self._inputs[number], self._memory, self._passing)
        self._open[number] = opened
        # A thread that waits for a silent pipe could not be ended.
        if self._ahead.threads and opened.codec and opened.source.seekable:
            decoded = Decoded(opened, self._memory, self._ahead.most, self._helpers, is_read)
            if decoded.start():
                self._decoded[number] = decoded
                opened.reader = decoded
