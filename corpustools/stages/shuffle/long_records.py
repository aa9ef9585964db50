"""Records that are longer than a buffer: they stay outside the pool, and their bytes are read again when written.

In a plain file such a record stays where it is. From a pipe or a compressed file it goes to an overflow file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from corpustools import kernels
from corpustools.errors import DataError, from_os
from corpustools.files.chunks import Buffer, Fragment
from corpustools.files.inputs import STDIN, Input, OpenInput
from corpustools.files.page_cache import ReadBehind
from corpustools.files.reader import RecordReader
from corpustools.files.temporary import OverflowFile

# A packed place: the offset in the low 48 bits, then 15 bits for the file (0 is the overflow file, i + 1 is input i),
# and the top bit where a delimiter is added.
_FILE_BITS = 48
_MOST_FILES = (1 << 15) - 1
_ADDS_DELIMITER = 1 << 63
# So many input files are kept open for their long records; those of further files are opened for each record.
_MOST_OPEN = 16


class Place(NamedTuple):
    """Where the bytes of a long record stand.

    Attributes:
        file: the number of the input, from 0, or None for the overflow file.
        offset: of the first byte in that file.
        adds_delimiter: whether a delimiter follows that is not in the file.
    """

    file: int | None
    offset: int
    adds_delimiter: bool = False


class LongRecord(NamedTuple):
    """A record that is kept outside the pool.

    Attributes:
        place: where its bytes stand.
        length: bytes, an added delimiter included.
        checksum: what it adds to the checksum of all records, modulo 2^64.
    """

    place: Place
    length: int
    checksum: int


def pack_place(place: Place) -> int:
    """Return a place as the 64-bit word that the pool holds for it."""
    file = 0 if place.file is None else place.file + 1
    return place.offset | file << _FILE_BITS | (_ADDS_DELIMITER if place.adds_delimiter else 0)


def unpack_place(word: int) -> Place:
    """Return the place that a word of `pack_place` stands for."""
    file = word >> _FILE_BITS & _MOST_FILES
    return Place(file - 1 if file else None, word & (1 << _FILE_BITS) - 1, bool(word & _ADDS_DELIMITER))


class _Source(NamedTuple):
    """A file that holds long records: what messages call it, and what drops it from the page cache, or None."""

    name: str
    descriptor: int
    behind: ReadBehind | None


class LongRecords:
    """The long records of one shuffle, noted while they are read and written out later.

    One thread at a time calls `follow`. Any number of threads call `copy` once no thread follows any more.

    Args:
        directory: where the overflow file is made when it is needed, or None: no temporary space may be used.
        delimiter: the byte that ends a record.
        spares_cache: whether the overflow file is kept out of the page cache. Inputs are treated as their reader does.
    """

    def __init__(self, directory: str | None, delimiter: int, spares_cache: bool = False) -> None:
        self._delimiter = delimiter
        self._overflow = OverflowFile(directory, spares_cache) if directory is not None else None
        self._behind: dict[int, ReadBehind] = {}
        self._inputs: dict[int, Input] = {}
        self._descriptors: dict[int, int] = {}
        self._kernel = kernels.load("records")

    def follow(
        self,
        reader: RecordReader,
        first: Fragment,
        buffer: Buffer,
        capacity: int,
        look: Callable[[Fragment], None] | None = None,
    ) -> LongRecord:
        """Read a long record to its end and note where it is.

        Args:
            reader: has just returned its first fragment.
            first: that fragment.
            buffer: holds it, and takes the next ones.
            capacity: bytes of the buffer, a multiple of 32.
            look: is shown each fragment.

        Raises:
            DataError: the record cannot be read again, and no temporary space may be used.
            SystemFailure: the overflow file cannot be written.
        """
        stays = self._note_input(reader, first.input)
        if not stays and self._overflow is None:
            raise DataError(
                f"a record of more than {first.size} bytes cannot be kept in memory",
                "give more memory, or allow temporary space",
            )
        start, length, checksum, adds = -1, 0, 0, False
        for fragment in reader.fragments(first, buffer, capacity):
            if look is not None:
                look(fragment)
            checksum += self._kernel.checksum(buffer, 0, fragment.size, length)
            length += fragment.size
            adds = fragment.adds_delimiter
            if not stays:
                assert self._overflow is not None
                offset = self._overflow.append(memoryview(buffer)[: fragment.size])
                start = offset if fragment.first else start
        if stays:
            assert reader.current is not None
            return LongRecord(Place(first.input, reader.current.origin + first.offset, adds), length, checksum)
        return LongRecord(Place(None, start), length, checksum)

    def copy(
        self, place: Place, length: int, buffer: memoryview, capacity: int, write: Callable[[memoryview], None]
    ) -> int:
        """Hand the bytes of a long record to `write`, a buffer at a time, and return their checksum.

        Args:
            place: where they stand.
            length: bytes, an added delimiter included.
            buffer: takes them, with SLACK bytes behind `capacity`.
            capacity: bytes to read at a time, at least 32.
            write: takes a part of the buffer, which is filled anew afterwards.

        Raises:
            DataError: the file is shorter than it was, or another one.
            SystemFailure: it cannot be read.
        """
        step, done, checksum = capacity - capacity % 32, 0, 0
        in_file = length - place.adds_delimiter
        with self._source(place.file) as source:
            behind = source.behind
            if behind is not None:
                behind = behind.again(source.descriptor, place.offset, place.offset + in_file)
            while done < length:
                size = min(step, length - done)
                stored = min(size, in_file - done)
                _fill(source, place.offset + done, buffer[:stored])
                if stored < size:
                    buffer[stored] = self._delimiter
                checksum += self._kernel.checksum(buffer, 0, size, done)
                write(buffer[:size])
                done += size
                if behind is not None:
                    behind.passed(place.offset + min(done, in_file))
        return checksum

    def close(self) -> None:
        """Close the files; the overflow file ends."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
        if self._overflow is not None:
            self._overflow.close()

    def _note_input(self, reader: RecordReader, number: int) -> bool:
        """Remember the file that is being read, if its bytes can be found again; return whether they can."""
        source = reader.current
        assert source is not None
        if not source.plain or number >= _MOST_FILES:
            return False
        if source.behind is not None:
            self._behind[number] = source.behind
        if number not in self._inputs:
            self._inputs[number] = source.source
            if len(self._descriptors) < _MOST_OPEN or source.source.path == STDIN:
                try:
                    self._descriptors[number] = os.dup(source.descriptor)
                except OSError as error:
                    raise from_os(error, f"{source.source.name}: cannot be kept open") from error
        return True

    @contextmanager
    def _source(self, file: int | None) -> Iterator[_Source]:
        """Give the file that a place names, open."""
        if file is None:
            assert self._overflow is not None
            assert self._overflow.descriptor is not None
            yield _Source("temporary data", self._overflow.descriptor, self._overflow.read_behind)
        elif file in self._descriptors:
            yield _Source(self._inputs[file].name, self._descriptors[file], self._behind.get(file))
        else:
            opened = OpenInput(self._inputs[file], 0)
            try:
                yield _Source(opened.source.name, opened.descriptor, self._behind.get(file))
            finally:
                opened.close()


def _fill(source: _Source, offset: int, view: memoryview) -> None:
    """Fill the view with a file's bytes from an offset."""
    try:
        while view:
            n = os.preadv(source.descriptor, [view], offset)
            if not n:
                raise DataError(
                    f"{source.name}: is shorter than when it was first read", "leave inputs alone while they are read"
                )
            offset, view = offset + n, view[n:]
    except OSError as error:
        raise from_os(error, f"{source.name}: reading failed at byte {offset}") from error
