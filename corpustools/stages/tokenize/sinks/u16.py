"""`u16`: bare little-endian ids of two bytes."""

from __future__ import annotations

from corpustools.errors import UsageError
from corpustools.stages.tokenize.lattice.segmenter import Ids
from corpustools.stages.tokenize.sinks import Segmented, Sink
from corpustools.stages.tokenize.tokenizer import Tokenizer


class Bare(Sink):
    """Ids of one width, nothing between them.

    Args:
        tokenizer: the model.
        dtype: the numpy type of an id.
    """

    streams = True

    def __init__(self, tokenizer: Tokenizer, dtype: str) -> None:
        super().__init__(tokenizer)
        self.dtype, self.width = dtype, int(dtype[-1])
        if len(tokenizer) > 1 << 8 * self.width:
            raise UsageError(f"the model's {len(tokenizer)} ids do not fit into 16 bits", "use -f u32")

    def format(self, batch: Segmented) -> memoryview:
        """Return the bytes of whole segmentations."""
        return self.part(batch.ids, True)

    def part(self, ids: Ids, first: bool) -> memoryview:
        """Return the bytes of further ids."""
        return ids.astype(self.dtype).data.cast("B") if len(ids) else memoryview(b"")


def make(tokenizer: Tokenizer, columns: tuple[str, ...]) -> Sink:
    """Return the sink."""
    return Bare(tokenizer, "<u2")
