"""What a verification found when everything agreed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VerifyResult:
    """An output that agrees with its source.

    Attributes:
        documents: documents of the output, or records of a shuffled file.
        tokens: ids of the output, marks included and padding left out; None for a shuffled file.
        compared: documents whose text was held against the source.
        records: records of the source.
        skipped: records of the source that cannot be taken, and were passed over.
        duplicates: documents equal to an earlier one; an estimate where `exact` is False. None for a shuffled file.
        exact: whether every document was looked at for duplicates.
        bos, eos: documents that begin with the bos id and end with the eos id; None where that is not asked.
        width: bytes of an id; 0 where ids have no fixed width. None for a shuffled file.
        format: of the output; None for a shuffled file.
        unwritten: records at the end that are not in the output, because an incomplete window was dropped.
        seconds: the time it took.
        windows: context windows packed by best fit; None where there are none.
        padding: ids that these lack, whether they are padded or shorter; None likewise.
    """

    documents: int
    tokens: int | None
    compared: int
    records: int
    skipped: int
    duplicates: int | None
    exact: bool
    bos: int | None
    eos: int | None
    width: int | None
    format: str | None
    unwritten: int
    seconds: float
    windows: int | None = None
    padding: int | None = None
