"""Records that cannot be taken: the first one ends the run, or they are passed over and counted by cause."""

from __future__ import annotations

from corpustools.errors import DataError

# Cause -> what it means. Summaries and manifests count by these words.
CAUSES = {
    "json": "the line is no JSON",
    "utf8": "the record is not valid UTF-8",
    "surrogate": "the text holds half of a surrogate pair",
    "missing": "the field is not there",
    "null": "the field is null",
    "type": "the record is no object, or the field no text",
    "depth": "the line is nested too deeply",
    "size": "the record is longer than memory is kept for",
}


class BadRecords:
    """What becomes of records that cannot be taken.

    Who reads records calls `refuse` for each that is bad. That raises the error, or counts the record where bad ones
    are skipped. Each batch has an object of its own; `add` puts the later ones to the first, in the order of the
    records.

    Args:
        skip: count bad records instead of raising.

    Attributes:
        counts: bad records by cause.
        first: where the first bad record stands, as messages name it; empty where there is none.
    """

    def __init__(self, skip: bool = False) -> None:
        self.skip = skip
        self.counts: dict[str, int] = {}
        self.first = ""

    @property
    def total(self) -> int:
        """How many bad records there are."""
        return sum(self.counts.values())

    def refuse(self, cause: str, place: str, what: str, remedy: str) -> None:
        """Count a bad record.

        Args:
            cause: a key of CAUSES.
            place: how messages name the record, such as 'b.jsonl: record 3'.
            what: what is wrong with it, as the sentence goes on.
            remedy: what every record has to be.

        Raises:
            DataError: bad records are not skipped.
        """
        if not self.skip:
            raise DataError(f"{place} {what}", remedy)
        self.counts[cause] = self.counts.get(cause, 0) + 1
        self.first = self.first or f"{place} ({cause})"

    def add(self, later: BadRecords) -> None:
        """Count the bad records of a later batch too."""
        for cause, count in later.counts.items():
            self.counts[cause] = self.counts.get(cause, 0) + count
        self.first = self.first or later.first
