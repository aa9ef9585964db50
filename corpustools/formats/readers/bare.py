"""Ids without documents: `u16`, `u32`, `npy`, and `llmc`, whose header counts them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from corpustools.errors import DataError
from corpustools.files.inputs import OpenInput, inspect
from corpustools.files.zstd import LARGEST_WINDOW
from corpustools.formats.batch import Ids
from corpustools.formats.readers.reader import BATCH_IDS, DTYPES, Dtype, RawFile, TokenBatch, TokenReader, as_ids

NPY_MAGIC = b"\x93NUMPY"
# The numbers that a file of each version begins with, and the bytes of its ids.
LLMC = {20240520: 2, 20240801: 4}
_LLMC_HEAD = 256
# The header of an array of integers as NumPy writes it, in either of the versions that differ in the width of its size.
_NPY_HEAD = 4096
_NPY_HEADER = re.compile(
    rb"\x93NUMPY(?:\x01\x00..|[\x02\x03]\x00....)\{'descr': '(?P<dtype>[<>|][iu][1248])', "
    rb"'fortran_order': (?P<fortran>True|False), 'shape': \((?P<shape>(?:[0-9]{1,18}(?:, ?|,?(?=\))))*)\), *\} *\n",
    re.DOTALL,
)
_NOTHING = np.zeros(0, np.int64)


def narrow(vocabulary: int) -> int:
    """Return the bytes of an id that formats choose for a vocabulary."""
    return 2 if vocabulary <= 1 << 16 else 4


def npy_header(file: RawFile) -> tuple[Dtype, tuple[int, ...], int]:
    """Return type, shape and the place of the first number of an .npy file.

    Raises:
        DataError: it is none, or not all of it is there.
    """
    head = file.read(0, min(file.size, _NPY_HEAD))
    match = _NPY_HEADER.match(head)
    if match is None:
        raise DataError(f"{file.name}: is no .npy file of integers", "write it again")
    dtype = np.dtype(match["dtype"].decode())
    shape = tuple(int(side) for side in match["shape"].split(b",") if side.strip())
    begin = 10 if head[6] == 1 else 12
    at = begin + int.from_bytes(head[8:begin], "little")
    if match["fortran"] == b"True" and len(shape) > 1:
        raise DataError(f"{file.name}: is an array in Fortran order", "write it in C order")
    # Counted without bounds: the header is a stranger's.
    size = dtype.itemsize
    for side in shape:
        size *= side
    if at + size != file.size:
        raise DataError(
            f"{file.name}: has {file.size} bytes, and {at + size} belong to shape {shape} of {dtype}",
            "it is torn: write it again",
        )
    return dtype, shape, at


class BareReader(TokenReader):
    """Ids of one width from a place on."""

    bounded = False

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        self.file = RawFile(path)
        self.dtype, self.at = self.layout()
        self.width = self.dtype.itemsize
        self.tokens = (self.file.size - self.at) // self.width
        if (self.file.size - self.at) % self.width:
            raise DataError(
                f"{path}: has {self.file.size - self.at} bytes of ids, no multiple of {self.width}",
                "it is torn, or its ids have another width",
            )

    def layout(self) -> tuple[Dtype, int]:
        """Return the type of an id and where the first one stands."""
        raise NotImplementedError

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        assert self.tokens is not None
        for numbers in self.file.arrays(self.dtype, self.at, self.tokens, BATCH_IDS):
            yield TokenBatch(as_ids(numbers), _NOTHING)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class NpyReader(BareReader):
    """One NumPy array, or a row for each context window."""

    form = "npy"

    def layout(self) -> tuple[Dtype, int]:
        """Return what the header says."""
        dtype, shape, at = npy_header(self.file)
        if dtype.kind not in "iu" or len(shape) not in (1, 2):
            raise DataError(f"{self.name}: has shape {shape} of {dtype}", "accepted are integers in 1 or 2 dimensions")
        return dtype, at


class LlmcReader(BareReader):
    """256 numbers of four bytes, then ids."""

    form = "llmc"

    def layout(self) -> tuple[Dtype, int]:
        """Return what the header says."""
        at = 4 * _LLMC_HEAD
        if self.file.size < at:
            raise DataError(f"{self.name}: has {self.file.size} bytes, less than its header", "write it again")
        magic, _, count = self.file.array("<i4", 0, 3).tolist()
        if magic not in LLMC:
            raise DataError(f"{self.name}: begins with {magic}", "the format begins with 20240520 or 20240801")
        width = LLMC[magic]
        if self.file.size != at + count * width:
            raise DataError(
                f"{self.name}: has {self.file.size} bytes, and {at + count * width} belong to {count} ids of {width}",
                "it is torn, or its ids have another width: write it again",
            )
        return DTYPES[width], at


class _PlainReader(BareReader):
    """Ids and nothing else; the name says whether they are compressed."""

    bytes_of_id = 0

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        self._stream: OpenInput | None = None
        if path.endswith((".gz", ".zst")):
            TokenReader.__init__(self, path, vocabulary)
            self.dtype, self.width = DTYPES[self.bytes_of_id], self.bytes_of_id
            [found] = inspect([path])
            self._stream = OpenInput(found, LARGEST_WINDOW)
        else:
            super().__init__(path, vocabulary)

    def layout(self) -> tuple[Dtype, int]:
        """Return the type of an id and 0."""
        return DTYPES[self.bytes_of_id], 0

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        if self._stream is None:
            yield from super().batches()
            return
        for ids in self._decoded(self._stream):
            yield TokenBatch(ids, _NOTHING)

    def _decoded(self, stream: OpenInput) -> Iterator[Ids]:
        buffer, filled = memoryview(bytearray(BATCH_IDS * self.width)), 0
        while n := stream.readinto(buffer[filled:]):
            filled += n
            whole = filled // self.width * self.width
            yield as_ids(np.frombuffer(bytes(buffer[:whole]), self.dtype))
            buffer[: filled - whole] = bytes(buffer[whole:filled])
            filled -= whole
        if filled:
            raise DataError(f"{self.name}: {filled} bytes are left over behind ids of {self.width}", "it is torn")

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
        else:
            super().close()


class U16Reader(_PlainReader):
    """Ids of two bytes."""

    form = "u16"
    bytes_of_id = 2


class U32Reader(_PlainReader):
    """Ids of four bytes."""

    form = "u32"
    bytes_of_id = 4
