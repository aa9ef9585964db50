"""Records with their numbers and boundaries, for work on each: batches of whole ones, and fragments of a long one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from corpustools.errors import DataError, UsageError
from corpustools.files.chunks import SLACK, Chunk, Fragment, RecordFormat
from corpustools.files.decoding import decode_beside
from corpustools.files.inputs import Input
from corpustools.files.reader import RecordReader
from corpustools.files.zstd import LARGEST_WINDOW

Offsets = np.ndarray[Any, np.dtype[np.int64]]

BATCH_BYTES = 1 << 20
# A longer record is given in fragments.
LONG_BYTES = 2 * BATCH_BYTES
# The longest record that is held at once, where it cannot be given in fragments.
LONGEST_WHOLE = 1 << 30
# What a compressed input may ask for to be decoded: nothing else here needs much memory.
_DECODER_MEMORY = LARGEST_WINDOW


@dataclass(frozen=True)
class RecordBatch:
    """Whole records: data[starts[i]:ends[i]] is record `first + i`, without its delimiter.

    Attributes:
        data: bytes of this batch alone.
        starts: where each record begins, int64.
        ends: where each record ends, int64.
        first: the number of the first record, counted over all inputs from 0.
        source: what messages call the input.
        before: how many records came before the input.
    """

    data: bytes | memoryview
    starts: Offsets
    ends: Offsets
    first: int
    source: str = "input"
    before: int = 0

    def record(self, i: int) -> bytes:
        """Return the batch's record i."""
        return bytes(memoryview(self.data)[self.starts[i] : self.ends[i]])

    def number_in_source(self, i: int) -> int:
        """Return the number of the batch's record i in its input, from 1, the header aside."""
        return self.first + i - self.before + 1

    def place(self, i: int) -> str:
        """Return how messages name the batch's record i."""
        return f"{self.source}: record {self.number_in_source(i)}"


@dataclass(frozen=True)
class RecordFragment:
    """The next bytes of a record that is longer than a batch, without its delimiter.

    Attributes:
        data: bytes of this fragment alone; the last one may be empty.
        record: the number of the record, counted over all inputs from 0.
        last: whether the record ends here.
        source: what messages call the input.
        before: how many records came before the input.
    """

    data: bytes
    record: int
    last: bool
    source: str = "input"
    before: int = 0

    @property
    def number_in_source(self) -> int:
        """The number of the record in its input, from 1, the header aside."""
        return self.record - self.before + 1

    @property
    def place(self) -> str:
        """How messages name the record."""
        return f"{self.source}: record {self.number_in_source}"


@dataclass(frozen=True)
class TooLong:
    """A record that should be given whole and is too long for that. What follows it is given all the same.

    Attributes:
        record: the number of the record, counted over all inputs from 0.
        source: what messages call the input.
        before: how many records came before the input.
    """

    record: int
    source: str = "input"
    before: int = 0

    @property
    def place(self) -> str:
        """How messages name the record."""
        return f"{self.source}: record {self.record - self.before + 1}"

    @property
    def what(self) -> str:
        """What is wrong, as the sentence goes on."""
        return f"is longer than the {LONGEST_WHOLE} bytes that may be held at once"


class BatchReader:
    """The records of several inputs in batches, one input after another.

    Args:
        inputs: in order.
        form: what a record is.
        part: (I, N) keeps only the records that begin in the I-th of N equal stretches of all inputs' bytes. A record
            has the same number in every part.
        whole: give a long record in a batch of its own, and not in fragments; at most LONGEST_WHOLE bytes.
        workers: threads that work on the records; with more than one, compressed files are decoded beside them.

    Raises:
        UsageError: a part is asked of inputs that are no plain files.
    """

    def __init__(
        self,
        inputs: list[Input],
        form: RecordFormat,
        part: tuple[int, int] | None = None,
        whole: bool = False,
        workers: int = 1,
    ) -> None:
        self._inputs, self._form, self._whole = inputs, form, whole
        self._reader = RecordReader(inputs, form, _DECODER_MEMORY, ahead=decode_beside(inputs, workers))
        self._buffer = bytearray(LONG_BYTES + SLACK)
        sizes = [one.size or 0 for one in inputs]
        # Where each input begins among the bytes of all inputs.
        self._begins = list(accumulate(sizes, initial=0))
        self._low, self._high = 0, math.inf
        if part is not None:
            for one in inputs:
                if one.size is None or one.codec is not None:
                    raise UsageError(f"{one.name}: a part needs plain files", "decompress it, or take all of it")
            self._low, self._high = (part[0] - 1) * sum(sizes) // part[1], part[0] * sum(sizes) // part[1]

    @property
    def header(self) -> bytes:
        """The header of the first input that is not empty, known once that was read."""
        return self._reader.header

    @property
    def raw_bytes(self) -> int:
        """Bytes read from the files so far."""
        return self._reader.raw_bytes

    def __iter__(self) -> Iterator[RecordBatch | RecordFragment]:
        """Give batches and fragments in order.

        Raises:
            DataError: an input is malformed, or a record is too long to be given whole.
        """
        for item in self.with_too_long():
            if isinstance(item, TooLong):
                raise DataError(f"{item.place} {item.what}", "split it")
            yield item

    def with_too_long(self) -> Iterator[RecordBatch | RecordFragment | TooLong]:
        """Give batches and fragments in order, and TooLong in the place of a record that cannot be given whole."""
        number = before = 0
        current = -1
        try:
            while (got := self._reader.read(self._buffer, BATCH_BYTES, LONG_BYTES)) is not None:
                begin = self._begins[got.input] + got.offset
                if begin >= self._high:
                    # What is behind the part is not read, so nobody else looks.
                    self._reader.verify()
                    return
                if got.input != current:
                    current, before = got.input, number
                source = self._inputs[current].name
                if isinstance(got, Chunk):
                    data = bytes(memoryview(got.data)[got.start : got.stop])
                    batch = replace(cut_records(data, number, self._form), source=source, before=before)
                    yield from self._of_the_part(batch, begin)
                    number += len(batch.starts)
                else:
                    for item in self._long_record(got, number, begin >= self._low):
                        yield replace(item, source=source, before=before)
                    number += 1
        finally:
            self._reader.close()

    def _of_the_part(self, batch: RecordBatch, begin: int) -> Iterator[RecordBatch]:
        """Give what of a batch begins in the part, if anything does; `begin` is where the batch stands."""
        if self._low <= begin and begin + len(batch.data) <= self._high:
            yield batch
            return
        inside = (batch.starts + begin >= self._low) & (batch.starts + begin < self._high)
        if inside.any():
            first = batch.first + int(inside.argmax())
            yield replace(batch, starts=batch.starts[inside], ends=batch.ends[inside], first=first)

    def _long_record(
        self, first: Fragment, number: int, wanted: bool
    ) -> Iterator[RecordBatch | RecordFragment | TooLong]:
        """Read a long record to its end, and give it if it is wanted."""
        # It grows in place: parts that are joined at the end would be there twice.
        text = bytearray()
        for fragment in self._reader.fragments(first, self._buffer, LONG_BYTES):
            delimiter = 1 if fragment.last and not self._form.record_bytes else 0
            if not wanted:
                continue
            data = memoryview(fragment.data)[: fragment.size - delimiter]
            if not self._whole:
                yield RecordFragment(bytes(data), number, fragment.last)
                continue
            text += data
            if len(text) > LONGEST_WHOLE:
                text, wanted = bytearray(), False
                yield TooLong(number)
        if self._whole and wanted:
            yield RecordBatch(memoryview(text), np.zeros(1, np.int64), np.array([len(text)], np.int64), number)


def cut_records(data: bytes, first: int, form: RecordFormat) -> RecordBatch:
    """Return whole records with their boundaries.

    Args:
        data: whole records.
        first: the number of the first.
        form: what a record is.
    """
    if form.record_bytes:
        starts = np.arange(0, len(data), form.record_bytes, dtype=np.int64)
        return RecordBatch(data, starts, starts + form.record_bytes, first)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == form.delimiter).astype(np.int64, copy=False)
    starts = np.zeros(len(ends), np.int64)
    starts[1:] = ends[:-1] + 1
    return RecordBatch(data, starts, ends, first)
