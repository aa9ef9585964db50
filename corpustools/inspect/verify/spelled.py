"""Documents that are made once more for a verification, and have to spell their texts like those of any output."""

from __future__ import annotations

import numpy as np

from corpustools.formats.batch import Counts
from corpustools.formats.writer import Writer
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.spelling import spelling_of
from corpustools.kernels.verify.status import Place, Status
from corpustools.stages.tokenize.lattice.segmenter import Batch
from corpustools.stages.tokenize.pipeline import Pipeline
from corpustools.stages.tokenize.request import TokenizeRequest
from corpustools.stages.tokenize.tokenizer import Tokenizer


class SpelledPipeline(Pipeline):
    """A pipeline that holds every document against its text: a fault of tokenization would be made twice.

    The parts of a record that is too long to be segmented at once are taken as they are.

    Raises:
        UsageError: the request does not fit itself or the model.
    """

    def __init__(self, tokenizer: Tokenizer, request: TokenizeRequest, writer: Writer) -> None:
        super().__init__(tokenizer, request, writer)
        self._spelling = spelling_of(self.tokenizer.model, request.bos, request.eos)

    def _segmented(self, text: memoryview, offsets: Counts, first: int) -> tuple[Batch, Counts]:
        """Return the segmentations of normalised records, and the record that each belongs to.

        Raises:
            Difference: one does not spell its record.
        """
        batch, owners = super()._segmented(text, offsets, first)
        where, hashes = np.zeros(12, np.int64), np.zeros(len(owners), np.uint64)
        Place().store(where)
        status = self._spelling.run(
            where, np.ascontiguousarray(batch.ids), np.ascontiguousarray(batch.ends), text, offsets[owners],
            offsets[owners + 1], None, False, True, hashes,
        )  # fmt: skip
        at = Place.of(where).record
        if status != Status.MORE_TEXT or at != len(owners):
            record = first + int(owners[at]) + 1
            raise Difference(
                "text", f"the ids of record {record} of the source do not spell its text", "report it, with the model"
            )
        return batch, owners
