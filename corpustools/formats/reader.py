"""What every input format of ids is."""

from __future__ import annotations

from collections.abc import Sequence


class LineReader:
    """A format with a document a line. Who reads the file cuts the lines; the format knows what is in them."""

    # A line of white space alone is no document.
    passes_blank = False

    def ids_of(self, line: bytes, place: str) -> Sequence[int]:
        """Return the ids of a line.

        Args:
            line: the line, without its newline.
            place: how messages name the record.

        Raises:
            DataError: the line holds no ids.
        """
        raise NotImplementedError
