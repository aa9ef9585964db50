"""What differs between an output and its source, as an error that programs can ask."""

from __future__ import annotations

from corpustools.errors import DataError


class Difference(DataError):
    """The first document of an output that differs from its source.

    Attributes:
        kind: 'missing', 'doubled', 'swapped', 'added', 'begin', 'end', 'boundary', 'text', 'range' or 'length'; for
            shuffled records 'missing', 'added', 'length' or, of tables, 'schema'.
        document: its number in the output, from 1; 0 where none is meant.
        record: where the source has it, such as 'a.jsonl: record 5'; empty where the source has none.
        expected: the source's text around the first difference, as it is segmented.
        written: the output's text there.
    """

    def __init__(
        self, kind: str, what: str, remedy: str, *, document: int = 0, record: str = "", expected: str = "",
        written: str = "",
    ) -> None:  # fmt: skip
        super().__init__(what, remedy)
        self.kind, self.document, self.record = kind, document, record
        self.expected, self.written = expected, written

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.kind, self.what, self.remedy, self.document, self.record, self.expected, self.written)


def _again(kind: str, what: str, remedy: str, document: int, record: str, expected: str, written: str) -> Difference:
    return Difference(kind, what, remedy, document=document, record=record, expected=expected, written=written)
