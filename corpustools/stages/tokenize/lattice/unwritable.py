"""What a record is called that a vocabulary has no segmentation for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from corpustools.errors import DataError


class Unwritable(DataError):
    """A character that the vocabulary cannot write.

    Args:
        record: the number of the record, as the segmenter was given it.
    """

    def __init__(self, record: int, place: str = "") -> None:
        super().__init__(
            f"{place or f'record {record}'} holds a character that the vocabulary cannot write",
            "the model has neither an unknown token nor byte pieces",
        )
        self.record = record


@contextmanager
def naming(place: Callable[[int], str]) -> Iterator[None]:
    """Name a record that cannot be written as messages do; `place` returns that for its number."""
    try:
        yield
    except Unwritable as error:
        raise Unwritable(error.record, place(error.record)) from error
