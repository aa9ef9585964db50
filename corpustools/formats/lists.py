"""The ground of the formats whose rows are lists of int32 in a file that a library reads."""

from __future__ import annotations

from corpustools.errors import DataError, UsageError
from corpustools.files.compression import output_codec
from corpustools.formats.row_writer import RowWriter
from corpustools.formats.rows import Rows
from corpustools.formats.vocabulary import Vocabulary


class ListWriter(RowWriter):
    """Lists of int32, one a row. A format overrides `write_lists` where it would override `write_rows`."""

    streams = False
    # A list says how long it is.
    pads = False
    # What one row may have.
    longest = (1 << 31) - 1

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
        longest = int(rows.lengths.max()) if len(rows.lengths) else 0
        if longest > self.longest:
            raise DataError(
                f"a document of {longest} ids; a row of format {self.name} has room for {self.longest}",
                "leave the document out, or ask for context windows",
            )
        self.bytes += rows.ids.nbytes
        self.write_lists(rows)

    def write_lists(self, rows: Rows) -> None:
        """Take whole rows, none too long."""
        raise NotImplementedError
