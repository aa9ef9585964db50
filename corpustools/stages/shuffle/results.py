"""What a shuffle did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShuffleResult:
    """What a shuffle did.

    Attributes:
        records: records or rows written, the header aside.
        bytes: their bytes, delimiters included; of rows the bytes of the files written.
        checksum: the order-free checksum of what was written, as 16 hexadecimal digits; of rows that of their sort
            keys.
        seed: the seed that repeats the run.
        seconds: the time it took.
        records_read: records of the inputs.
        temporary_bytes: bytes that went to temporary files.
        passes: how often the inputs were read.
        kept: records of them that an earlier run had written, where this one went on with its output; else None.
        spilled: bytes of temporary data before packing, by codec; None where there were none.
    """

    records: int
    bytes: int
    checksum: str
    seed: str
    seconds: float
    records_read: int
    temporary_bytes: int
    passes: int
    kept: int | None = None
    spilled: dict[str, int] | None = None
