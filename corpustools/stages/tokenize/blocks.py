"""Input records in order: blocks of whole records, and parts of a record that is larger than a block."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from corpustools.errors import DataError, UsageError
from corpustools.files.inputs import Input, OpenInput
from corpustools.stages.tokenize.lattice.trie import Offsets

BLOCK = 1 << 20
# What a compressed input may ask for to be decoded.
_DECODER_MEMORY = 128 << 20
_NEWLINE = 0x0A


@dataclass(frozen=True)
class Block:
    """Whole records: data[starts[i]:ends[i]] is record first + i, without its newline."""

    data: bytes
    starts: Offsets
    ends: Offsets
    first: int


@dataclass(frozen=True)
class Piece:
    """A stretch of one record that is larger than a block; `last` ends it."""

    data: bytes
    record: int
    last: bool


class Blocks:
    """Reads inputs one after another; a missing last newline is added, per input.

    Args:
        inputs: what to read.
        part: (I, N) reads only the records that begin in the I-th of N equal stretches of bytes.
        whole: give records of any size in one block.

    Attributes:
        read: bytes of the files that were read.
    """

    def __init__(self, inputs: list[Input], part: tuple[int, int] | None, whole: bool) -> None:
        self._inputs, self._whole = inputs, whole
        self.read = 0
        self._low, self._high = 0, -1
        if part is not None:
            for one in inputs:
                if one.size is None or one.codec is not None:
                    raise UsageError(f"{one.name}: --part needs plain files", "decompress it, or leave --part away")
            size = sum(one.size or 0 for one in inputs)
            self._low, self._high = (part[0] - 1) * size // part[1], part[0] * size // part[1]

    def __iter__(self) -> Iterator[Block | Piece]:
        """Give blocks and pieces in order; record numbers count from the first input's first record."""
        number = before = 0
        for one in self._inputs:
            if 0 <= self._high <= before:
                return
            source = OpenInput(one, _DECODER_MEMORY)
            try:
                for item, begins in self._records(source, number):
                    number = item.first + len(item.starts) if isinstance(item, Block) else item.record + item.last
                    kept = self._kept(item, before + begins)
                    if kept is not None:
                        yield kept
                    if self._high >= 0 and before + begins >= self._high:
                        break
                    self.read = before + source.raw_bytes
            finally:
                before += source.raw_bytes if one.size is None else one.size
                source.close()
            self.read = before

    def _records(self, source: OpenInput, number: int) -> Iterator[tuple[Block | Piece, int]]:
        """Give an input's items, each with the byte of the input at which its record begins."""
        rest, at, inside, begins = b"", 0, False, 0
        buffer = bytearray(BLOCK)
        while n := source.readinto(memoryview(buffer)):
            data, rest = rest + buffer[:n], b""
            if inside:
                cut = data.find(b"\n")
                yield Piece(data if cut < 0 else data[:cut], number, cut >= 0), begins
                if cut < 0:
                    at += len(data)
                    continue
                inside, number, at, data = False, number + 1, at + cut + 1, data[cut + 1 :]
            cut = data.rfind(b"\n") + 1
            if cut:
                block = _block(data[:cut], number)
                yield block, at
                number += len(block.starts)
                at += cut
            rest = data[cut:]
            if len(rest) >= 2 * BLOCK and not self._whole:
                inside, begins = True, at
                yield Piece(rest, number, False), begins
                at, rest = at + len(rest), b""
        if inside:
            yield Piece(b"", number, True), begins
        elif rest:
            yield _block(rest + b"\n", number), at

    def _kept(self, item: Block | Piece, begins: int) -> Block | Piece | None:
        """Return what of an item belongs to the part."""
        if self._high < 0:
            return item
        if isinstance(item, Piece):
            return item if self._low <= begins < self._high else None
        inside = (item.starts + begins >= self._low) & (item.starts + begins < self._high)
        first = int(inside.argmax())
        if not inside.any():
            return None
        return Block(item.data, item.starts[inside], item.ends[inside], item.first + first)


def _block(data: bytes, number: int) -> Block:
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE).astype(np.int64)
    starts = np.zeros(len(ends), np.int64)
    starts[1:] = ends[:-1] + 1
    return Block(data, starts, ends, number)


def take_field(block: Block, name: str) -> Block:
    """Return the block of the text under a key of JSON records.

    Raises:
        DataError: a record is no JSON object, or has no text under the key.
    """
    texts = []
    for i, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
        try:
            value = json.loads(block.data[start:end])[name]
        except (ValueError, KeyError, TypeError) as error:
            what = f"has no '{name}'" if isinstance(error, KeyError) else "is no JSON object"
            raise DataError(f"record {block.first + i} {what}", "every line needs one, as --field says") from error
        if not isinstance(value, str):
            raise DataError(f"record {block.first + i}: '{name}' is no text", "--field names a JSON string")
        texts.append(value.encode("utf-8", "surrogatepass"))
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = np.zeros(len(texts), np.int64)
    starts[1:] = ends[:-1]
    return Block(b"".join(texts), starts, ends, block.first)
