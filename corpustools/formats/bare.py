"""Ids of one width and nothing between them: the ground of the binary formats."""

from __future__ import annotations

from corpustools.errors import UsageError
from corpustools.formats.batch import IdBatch, Ids
from corpustools.formats.vocabulary import Vocabulary
from corpustools.formats.windows import ContextWindows
from corpustools.formats.writer import Writer

# How many ids fit into two bytes.
SHORT = 1 << 16


class BareWriter(Writer):
    """Little-endian ids, as they come or in context windows.

    Attributes:
        dtype: the numpy type of an id, '<u2' or '<u4'.

    Raises:
        UsageError: the vocabulary's ids do not fit the width.
    """

    streams = True
    cuts_windows = True

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), context: int = 0) -> None:
        super().__init__(vocabulary, columns, context)
        self.dtype = self.dtype_for(vocabulary)
        self.width = int(self.dtype[-1])
        if vocabulary.size > 1 << 8 * self.width:
            raise UsageError(f"the model's {vocabulary.size} ids do not fit into 16 bits", "use format u32")
        self._windows = ContextWindows(context * self.width) if context else None

    def dtype_for(self, vocabulary: Vocabulary) -> str:
        """Return the numpy type of an id: the narrowest one that holds the vocabulary."""
        return "<u2" if vocabulary.size <= SHORT else "<u4"

    @property
    def dropped(self) -> int:
        """Ids that were taken and are not written, because they fill no context window."""
        return self._windows.held // self.width if self._windows else 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is written, now that nothing follows: (ids,), or (windows, ids of a window)."""
        written = self.tokens - self.dropped
        return (written // self.context, self.context) if self.context else (written,)

    def format_documents(self, batch: IdBatch) -> memoryview:
        """Return the ids of whole documents."""
        return self.format_part(batch.ids, True)

    def format_part(self, ids: Ids, first: bool) -> memoryview:
        """Return further ids."""
        return ids.astype(self.dtype).data.cast("B") if len(ids) else memoryview(b"")

    def put(self, data: bytes | memoryview) -> None:
        """Take ids; with context windows, write those that are full."""
        super().put(self._windows.feed(data) if self._windows else data)
