"""`pieces`: a line a document, pieces separated by one space."""

from __future__ import annotations

from corpustools.formats.batch import IdBatch
from corpustools.formats.writer import Writer


class PiecesWriter(Writer):
    """Lines of names. What would break a line or a column, or is not UTF-8, is written as <0x20>."""

    name = "pieces"

    def format_documents(self, batch: IdBatch) -> bytes:
        """Return the lines of whole documents."""
        names = self.vocabulary.names
        ids, start, lines = batch.ids.tolist(), 0, []
        for end in batch.ends.tolist():
            lines.append(" ".join([names[i] for i in ids[start:end]]))
            start = end
        return "".join(line + "\n" for line in lines).encode()
