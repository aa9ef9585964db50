"""One text that is too long to be segmented at once: it is held once, and passes in parts as often as is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from corpustools.files.batches import BATCH_BYTES, RecordBatch
from corpustools.formats.batch import Ids
from corpustools.formats.writer import Writer
from corpustools.stages.tokenize.bpe.canonical import CanonicalStream
from corpustools.stages.tokenize.lattice.segmenter import StreamingSegmenter
from corpustools.stages.tokenize.pipeline import Pipeline


class LongText:
    """The text of a record, and its segmentations in parts.

    Args:
        pipeline: what is asked for.
        record: the record alone.
    """

    def __init__(self, pipeline: Pipeline, record: RecordBatch) -> None:
        self._pipeline, self._record = pipeline, record
        self._text = memoryview(record.data)[record.starts[0] : record.ends[0]]

    def write(self, sample: int, writer: Writer) -> tuple[int, int | None]:
        """Write a sample of the record.

        Returns:
            How many ids it has, and the first special token that text became, if any did.

        Raises:
            DataError: a character that the vocabulary cannot write.
        """
        segmenter = self._segmenter(sample, self._pipeline.measured)
        for ids in self._ids(segmenter):
            self._pipeline.count(ids)
            writer.write_part(ids)
        if writer.columns:
            writer.add_columns(self._columns(segmenter), self._ids(self._segmenter(sample, False)))
        return writer.end_document(), segmenter.special

    def _segmenter(self, sample: int, measured: bool) -> StreamingSegmenter | CanonicalStream:
        return self._pipeline.in_parts.stream(self._record.first, sample, measured)

    def _ids(self, segmenter: StreamingSegmenter | CanonicalStream) -> Iterator[Ids]:
        for text, last in self._parts():
            yield segmenter.feed(text, last)

    def _parts(self) -> Iterator[tuple[bytes, bool]]:
        """Give the normalised text in parts, and whether each is the last one."""
        normalizer = self._pipeline.tokenizer.model.normalizer.stream()
        for at in range(0, len(self._text), BATCH_BYTES):
            last = at + BATCH_BYTES >= len(self._text)
            yield normalizer.feed(self._text[at : at + BATCH_BYTES], last), last

    def _columns(self, segmenter: StreamingSegmenter | CanonicalStream) -> dict[str, float]:
        known = {"score": segmenter.score, "logz": segmenter.log_z}
        if self._pipeline.measurer is not None:
            measured = self._pipeline.measurer.measure_parts(self._parts())
            known |= dict(zip(("logz", "entropy", "length"), measured, strict=True))
        known["logprob"] = self._pipeline.request.alpha * known["score"] - known["logz"]
        return known
