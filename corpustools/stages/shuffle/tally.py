"""What went in and what came out, counted and compared."""

from __future__ import annotations

from dataclasses import dataclass

from corpustools.errors import DataError
from corpustools.stages.shuffle.order import KEYS


@dataclass
class Tally:
    """What has passed.

    Attributes:
        records: how many.
        size: their bytes, delimiters included.
        checksum: the sum of their checksums modulo 2^64, which does not depend on their order.
    """

    records: int = 0
    size: int = 0
    checksum: int = 0

    def add(self, records: int, size: int, checksum: int) -> None:
        """Count further records."""
        self.records += records
        self.size += size
        self.checksum = (self.checksum + checksum) % KEYS

    def since(self, before: Tally) -> Tally:
        """Return what was counted after this tally was like an earlier copy of it."""
        checksum = (self.checksum - before.checksum) % KEYS
        return Tally(self.records - before.records, self.size - before.size, checksum)

    def add_all(self, other: Tally) -> None:
        """Count what another tally counted."""
        self.add(other.records, other.size, other.checksum)


def verify(written: Tally, records: int, size: int, checksum: int | None) -> None:
    """Compare what came out with what went in.

    Args:
        written: what came out.
        records: how many went in.
        size: their bytes.
        checksum: their checksum, or None where it is not known.

    Raises:
        DataError: they differ.
    """
    if (written.records, written.size) == (records, size) and checksum in (None, written.checksum):
        return
    raise DataError(
        f"what came out is not what went in ({written.records} records of {written.size} bytes with checksum "
        f"{written.checksum:016x}, against {records}, {size}, {'unknown' if checksum is None else f'{checksum:016x}'})",
        "leave inputs alone while they are read; if they were, the memory or a disk fails",
    )
