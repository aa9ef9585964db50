"""What runs of this stage report when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Why a small run was not checked; nobody needs to be told.
UNREAD = "less than 1 MiB was read"


@dataclass(frozen=True)
class TokenizeResult:
    """What a tokenization did.

    Attributes:
        records: input records that were segmented.
        segmentations: output records.
        tokens: ids written.
        bytes: bytes written, before compression.
        seconds: the time it took.
        seed: the seed that repeats the samples; None for best segmentations.
        windows: context windows written; None where ids were not cut into windows.
        dropped: ids of the incomplete last window, which are not written; None likewise.
        padding: ids that windows packed by best fit lack, whether they are padded or shorter; None where none were.
        shards: shards written; None where none were asked for.
        skipped: bad records that were passed over, by cause: json, utf8, surrogate, missing, null, type, depth or size.
        first_skipped: where the first of them stands, and its cause; None where there is none.
        growth: how many tokens more than canonical ones are expected for each canonical one, by the first MiB of text;
            None where words are not drawn.
        special: output records in which text became a special token, such as the end of a document.
        first_special: the first of their input records, and its first special token; None where there is none.
        engine: what made canonical ids: 'fast' or 'reference'; None for other ids.
        library: the model's own library and its version, which made the ids or checked some; None where it did neither.
        checked: documents that both engines made the same canonical ids of; None where none were to be checked.
        unchecked: why no document was checked; None where some were, or where none were to be.
        others: records that the library has no way to take and our engine wrote; None where the library wrote none.
    """

    records: int
    segmentations: int
    tokens: int
    bytes: int
    seconds: float
    seed: str | None = None
    windows: int | None = None
    dropped: int | None = None
    padding: int | None = None
    shards: int | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    first_skipped: str | None = None
    growth: float | None = None
    special: int = 0
    first_special: tuple[str, str] | None = None
    engine: str | None = None
    library: str | None = None
    checked: int | None = None
    unchecked: str | None = None
    others: int | None = None

    @property
    def fill(self) -> float | None:
        """The share of the windows that is ids of documents; None where there are no windows."""
        if not self.windows:
            return None
        return self.tokens / (self.tokens + (self.padding or 0))


@dataclass(frozen=True)
class DetokenizeResult:
    """What a detokenization did.

    Attributes:
        records: input records, each of which made one output record.
        tokens: ids read.
        bytes: bytes written, before compression.
        seconds: the time it took.
        form: what the output is: 'lines', or 'jsonl' (objects with `text`).
    """

    records: int
    tokens: int
    bytes: int
    seconds: float
    form: str = "lines"
