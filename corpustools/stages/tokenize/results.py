"""What runs of this stage report when they are done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TokenizeResult:
    """What a tokenization did.

    Attributes:
        records: input records.
        segmentations: output records.
        tokens: ids written.
        bytes: bytes written, before compression.
        seconds: the time it took.
        seed: the seed that repeats the samples; None for best segmentations.
        windows: context windows written; None where ids were not cut into windows.
        dropped: ids of the incomplete last window, which are not written; None likewise.
    """

    records: int
    segmentations: int
    tokens: int
    bytes: int
    seconds: float
    seed: str | None = None
    windows: int | None = None
    dropped: int | None = None


@dataclass(frozen=True)
class DetokenizeResult:
    """What a detokenization did.

    Attributes:
        records: input records, each of which made one output record.
        tokens: ids read.
        bytes: bytes written, before compression.
        seconds: the time it took.
    """

    records: int
    tokens: int
    bytes: int
    seconds: float
