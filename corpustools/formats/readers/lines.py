"""`ids` and `jsonl`: a line a document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from corpustools.errors import DataError
from corpustools.files.batches import BatchReader, RecordBatch, RecordFragment
from corpustools.files.chunks import RecordFormat
from corpustools.files.inputs import inspect
from corpustools.formats.batch import Counts
from corpustools.formats.jsonl import JsonlReader
from corpustools.formats.readers.reader import TokenBatch, TokenReader
from corpustools.kernels import load

_SPACES = b" \t\r"
# Lines with ids and nothing else, as they are written here: what is left without the marks is a line of ids.
_BARE = re.compile(rb'(?:\{"ids": \[(?:(?:0|[1-9][0-9]*+)(?:, (?:0|[1-9][0-9]*+))*+)?+\]\}\n)*+')
_MARKS = b'{}[]ids":,'


class LinesReader(TokenReader):
    """Lines of any compression; the number of documents is known at the end."""

    streams = False

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        self._input = inspect([path])

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        held = b""
        for item in BatchReader(self._input, RecordFormat(), whole=not self.streams):
            if isinstance(item, RecordBatch):
                yield self.read(item)
                continue
            # A number that is cut off waits for its other half.
            text = held + item.data
            whole = len(text) if item.last else max(text.rfind(byte) for byte in _SPACES) + 1
            held = text[whole:]
            yield self.read_part(text[:whole], item)

    def count(self) -> int:
        """Return how many lines there are."""
        if self.documents is None:
            items = BatchReader(self._input, RecordFormat())
            self.documents = sum(len(one.starts) if isinstance(one, RecordBatch) else one.last for one in items)
        return self.documents

    def read(self, lines: RecordBatch) -> TokenBatch:
        """Return the ids of lines."""
        raise NotImplementedError

    def read_part(self, text: bytes, line: RecordFragment) -> TokenBatch:
        """Return the ids of a part of a long line."""
        raise NotImplementedError


class IdsReader(LinesReader):
    """Lines of decimal numbers, with any white space between them."""

    form = "ids"
    streams = True

    def read(self, lines: RecordBatch) -> TokenBatch:
        """Return the ids of lines."""
        ids, ends, stopped = _numbers(bytes(lines.data))
        if stopped < len(lines.data):
            i = int(np.searchsorted(lines.ends, stopped))
            word = bytes(lines.data[stopped : lines.ends[i]]).split(maxsplit=1)[0]
            raise _no_id(lines.place(i), word)
        return TokenBatch(ids, ends)

    def read_part(self, text: bytes, line: RecordFragment) -> TokenBatch:
        """Return the ids of a part of a long line."""
        ids, ends, stopped = _numbers(text + b"\n" if line.last else text)
        if stopped < len(text):
            raise _no_id(f"{self.name}: record {line.record + 1}", text[stopped:].split(maxsplit=1)[0])
        return TokenBatch(ids, ends)


class JsonReader(LinesReader):
    """Objects with a list `ids`."""

    form = "jsonl"

    def read(self, lines: RecordBatch) -> TokenBatch:
        """Return the ids of lines."""
        data = bytes(lines.data)
        if _BARE.fullmatch(data):
            plain = data.translate(None, _MARKS)
            ids, ends, stopped = _numbers(plain)
            if len(ends) == len(lines.starts) and stopped == len(plain):
                return TokenBatch(ids, ends)
        reader = JsonlReader()
        parts: list[Sequence[int]] = []
        for i, (start, stop) in enumerate(zip(lines.starts.tolist(), lines.ends.tolist(), strict=True)):
            try:
                parts.append(reader.ids_of(bytes(lines.data[start:stop]), lines.place(i)))
            except DataError as error:
                raise DataError(f"{lines.place(i)} is no JSON object with a list of 'ids'", error.remedy) from error
        flat = np.array([i if -1 < i < 1 << 31 else -1 for part in parts for i in part], np.int32)
        return TokenBatch(flat, np.cumsum([len(part) for part in parts], dtype=np.int64))

    def piece_lengths(self) -> Iterator[Counts] | None:
        """Give what `seq_lengths` holds, where the first object has it; they end with an object that has it not."""
        parts = self._pieces()
        first = next(parts, None)
        return None if first is None else chain([first], parts)

    def _pieces(self) -> Iterator[Counts]:
        for item in BatchReader(self._input, RecordFormat(), whole=True):
            assert isinstance(item, RecordBatch)
            for start, stop in zip(item.starts.tolist(), item.ends.tolist(), strict=True):
                line = bytes(item.data[start:stop])
                if not line.strip():
                    continue
                try:
                    lengths = json.loads(line)["seq_lengths"]
                    numbers = np.array(lengths, np.int64)
                except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
                    return
                yield numbers.reshape(-1)


def _numbers(text: bytes) -> tuple[np.ndarray, np.ndarray, int]:
    ids = np.empty((len(text) + 1) // 2, np.int32)
    ends = np.empty(text.count(b"\n"), np.int64)
    count, lines, stopped = load("verify").read_lines(text, ids, ends)
    return ids[:count], ends[:lines], stopped


def _no_id(place: str, word: bytes) -> DataError:
    return DataError(f"{place}: {word[:40]!r} is no id", "ids are decimal numbers below 2^31, separated by spaces")
