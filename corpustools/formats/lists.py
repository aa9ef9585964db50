"""The ground of the formats whose rows are lists of int32 in a file that a library reads."""

from __future__ import annotations

from corpustools.errors import UsageError
from corpustools.files.compression import output_codec
from corpustools.formats.row_writer import RowWriter
from corpustools.formats.rows import Rows
from corpustools.formats.training import require_room
from corpustools.formats.vocabulary import Vocabulary


class ListWriter(RowWriter):
    """Lists of int32, one a row. A format overrides `write_lists` where it would override `write_rows`."""

    streams = False
    # A list says how long it is.
    pads = False
    # What one row may have.
    longest = (1 << 31) - 1
    _rows = 0

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id."""
        return "<i4"

    def check_target(self, output: str) -> None:
        """Refuse a name that asks for compression around the file.

        Raises:
            UsageError: its readers would not find the format behind it.
        """
        if output_codec(output) is not None:
            raise UsageError(
                f"{output}: a file of format {self.name} is not compressed as a whole", "name it without that suffix"
            )

    def write_rows(self, rows: Rows) -> None:
        """Take whole rows.

        Raises:
            DataError: a row is longer than the format can say.
        """
        require_room(self.name, rows.lengths, self.longest, self._rows)
        self._rows += len(rows.lengths)
        self.bytes += rows.ids.nbytes
        self.write_lists(rows)

    def write_lists(self, rows: Rows) -> None:
        """Take whole rows, none too long."""
        raise NotImplementedError
