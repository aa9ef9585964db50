"""From a batch of records to the bytes of the output: what runs on the threads of `corpus tokenize`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.files.bad_records import BadRecords
from corpustools.files.batches import RecordBatch
from corpustools.formats import make_writer
from corpustools.formats.batch import Counts, FormattedBatch, IdBatch, Ids, Special
from corpustools.formats.writer import Writer
from corpustools.stages.tokenize.bpe.by_reference import ByReference
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.dropout import Dropout
from corpustools.stages.tokenize.bpe.guard import Guard
from corpustools.stages.tokenize.bpe.mixture import Mixture, MixtureBatch, canonical_ids
from corpustools.stages.tokenize.bpe.mixture_law import Growth
from corpustools.stages.tokenize.bpe.reference import Reference, load_reference
from corpustools.stages.tokenize.bpe.token_counts import TokenCounts, read_counts
from corpustools.stages.tokenize.field import Texts, parse_field, take_field
from corpustools.stages.tokenize.lattice.paths import log_weight_of, path_of
from corpustools.stages.tokenize.lattice.segmenter import Batch, SampleKey, Segmenter
from corpustools.stages.tokenize.lattice.unwritable import Unwritable, naming
from corpustools.stages.tokenize.lattice.weights import Weights
from corpustools.stages.tokenize.request import GUARDED, OF_MERGES, WORD_BY_WORD, TokenizeRequest
from corpustools.stages.tokenize.tokenizer import Tokenizer


class Pipeline:
    """A tokenizer with a request, from a batch of records to the bytes of the output.

    Args:
        tokenizer: the model.
        request: what to do with every record.
        writer: takes the documents; None: one of the format that the request names.

    Raises:
        UsageError: the request does not fit itself or the model; see `TokenizeRequest.check`.
    """

    def __init__(self, tokenizer: Tokenizer, request: TokenizeRequest, writer: Writer | None = None) -> None:
        request = request.for_model(tokenizer)
        request.check(tokenizer)
        if request.special is not None:
            tokenizer = tokenizer.with_special("text" if request.special == "text" else "library")
        self.tokenizer, self.engine, self.request = tokenizer, tokenizer._engine, request
        self.keys = parse_field(request.field) if request.field is not None else None
        self.writer = writer or make_writer(request.format, tokenizer.vocabulary, request.columns, request.layout)
        self.segmenter = self._segmenter()
        self.library: ByReference | None = None
        self.guard: Guard | None = None
        if request.engine == "reference":
            assert isinstance(self.segmenter, Canonical)
            self.library = ByReference(self._reference(), self.segmenter)
        self.measured = bool(set(request.columns) & {"score", "logprob", "logz"})
        needs = {"entropy", "length"} if request.mode == "sample" else {"entropy", "length", "logprob", "logz"}
        needs = set() if request.mode in OF_MERGES else needs & set(request.columns)
        self.measurer = self.engine.measurer(request.alpha, request.length_weight) if needs else None
        self.token_counts: TokenCounts | None = None
        self.survey_end = 0  # the records before this number tell how many tokens more are expected
        self._surveyed: list[tuple[int, Growth]] = []

    def _segmenter(self) -> Segmenter | Canonical | Mixture:
        """Return what makes ids of normalised text."""
        request, control = self.request, self.tokenizer.model.control
        bos, eos = control["bos"] if request.bos else -1, control["eos"] if request.eos else -1
        if request.mode == "canonical":
            return self.engine.canonical.around(bos, eos)
        key = SampleKey(request.seed, request.epoch, request.samples)
        if request.dropout is not None:
            merger = self.engine.canonical.merger
            return Dropout(self.tokenizer.model, request.dropout, key, bos, eos, merger)
        if request.stochastic is not None:
            counts = None if request.counts is None else read_counts(request.counts, self.tokenizer.vocab_size)
            law = {"alpha": request.alpha, "length_weight": request.length_weight}
            return self.engine.mixture(request.stochastic, key, **law, counts=counts, bos=bos, eos=eos)
        return self.engine.segmenter(
            request.mode,
            request.alpha if request.drawn else 1.0,
            request.length_weight if request.drawn else 1.0,
            key,
            scores=request.scores,
            bos=bos,
            eos=eos,
        )

    def _reference(self) -> Reference:
        """Return the model's own library, with the model as it was read."""
        return load_reference(self.tokenizer._loaded, self.tokenizer.special)

    def watch(self) -> Guard | None:
        """Have some documents of our engine checked from now on; return what checks them, if anything does."""
        if self.request.engine == "auto" and self.request.mode in GUARDED:
            self.guard = Guard(self._reference, lambda: self.tokenizer.vocabulary.names)
        return self.guard

    @property
    def _weights(self) -> Weights:
        """The weights of a lattice's mode."""
        assert isinstance(self.segmenter, Segmenter)
        return self.segmenter.weights

    @property
    def in_parts(self) -> Segmenter | Canonical:
        """What segments a record in parts, where `streams` or `passes` say that it may go through so."""
        assert not isinstance(self.segmenter, (Mixture, Dropout))
        return self.segmenter

    @property
    def growth(self) -> float | None:
        """How many tokens more are expected for each canonical one; None where words are not drawn."""
        # In the order of the records, so that threads do not change the last digit.
        return sum((growth for _, growth in sorted(self._surveyed, key=lambda one: one[0])), Growth()).share

    @property
    def streams(self) -> bool:
        """Whether a record may go through in parts. Words that are drawn need it whole, as their measures do."""
        request = self.request
        plain = not (request.nbest or request.unique or request.field or request.columns) and request.samples == 1
        return plain and self.writer.streams and self.library is None and request.mode not in WORD_BY_WORD

    @property
    def passes(self) -> bool:
        """Whether a text that is there whole may go through in parts, once for each of its segmentations."""
        request = self.request
        if request.mode in WORD_BY_WORD:
            return False
        by_path = self.measured and self._by_path(np.empty(0))
        return self.writer.streams and self.library is None and not (request.nbest or request.unique or by_path)

    def texts_of(self, records: RecordBatch) -> Texts:
        """Return the texts of a batch of records."""
        if self.keys is None:
            return Texts([records], 0, BadRecords())
        return take_field(records, self.keys, self.request.skip_bad)

    def output_of(self, records: RecordBatch) -> FormattedBatch:
        """Return the output of a batch of records."""
        return self.output_of_texts(self.texts_of(records), records.source)

    def output_of_texts(self, texts: Texts, source: str) -> FormattedBatch:
        """Return the output of the texts of a batch of records from one input."""
        parts = map(self._segment, texts.batches)
        done = next(parts) if len(texts.batches) == 1 else IdBatch.joined(parts)
        return replace(
            self.writer.format(done),
            source=source,
            numbers=done.numbers,
            passed_over=texts.passed_over,
            bad=texts.bad,
            special=done.special,
        )

    def _segment(self, records: RecordBatch) -> IdBatch:
        """Return the ids of a batch of texts."""
        normalizer = self.tokenizer.model.normalizer
        normalized, offsets = normalizer.normalize_batch(records.data, records.starts, records.ends)
        with naming(lambda record: records.place(record - records.first)):
            if self.library is None:
                batch, owners = self._segmented(memoryview(normalized), offsets, records.first)
            else:
                batch, owners = self.library.batch(records), np.arange(len(records.starts))
        if self.guard is not None:
            outputs, bos, eos = self.tokenizer.model.outputs, self.request.bos, self.request.eos
            self.guard.take(records, lambda i: canonical_ids(batch, i, outputs, bos, eos))
        numbers = owners + records.number_in_source(0)
        special = self._special(batch, records.source, numbers)
        done = IdBatch(batch.ids, batch.ends, numbers=numbers, special=special)
        self.count(batch.ids)
        if isinstance(batch, MixtureBatch):
            done.columns.update(
                {name: batch.columns[name].tolist() for name in self.request.columns if name != "pieces"}
            )
            if batch.growth is not None:
                self._surveyed.append((records.first, batch.growth))
        elif self.request.columns:
            self._add_columns(done, memoryview(normalized), offsets.tolist(), owners.tolist(), batch.measures)
        return done

    def _segmented(self, text: memoryview, offsets: Counts, first: int) -> tuple[Batch, Counts]:
        """Return the segmentations of normalised records, and the record that each belongs to."""
        if self.request.nbest or self.request.unique:
            return self._listed(text, offsets.tolist(), first)
        batch: Batch
        if isinstance(self.segmenter, Mixture):
            columns = set(self.request.columns) - {"pieces"}
            batch = self.segmenter.batch(text, offsets, first, columns, growth=first < self.survey_end)
        else:
            batch = self.segmenter.batch(text, offsets, first, self.measured)
        return batch, np.repeat(np.arange(len(offsets) - 1), self.request.samples)

    def count(self, ids: Ids) -> None:
        """Count ids that are written, int32, where that is asked for."""
        if self.token_counts is not None:
            self.token_counts.add(ids)

    def _special(self, batch: Batch, source: str, numbers: Counts) -> Special:
        """Return the segmentations of a batch, of records with these numbers, in which text became a special token."""
        if not len(batch.special):
            return Special()
        among = np.unique(np.searchsorted(batch.ends, batch.special, side="right"))
        first = self.special_in(int(batch.ids[batch.special[0]]), f"{source}: record {numbers[among[0]]}")
        return replace(first, documents=len(among))

    def special_in(self, i: int | None, place: str) -> Special:
        """Return a document in which text became the special token `i`, or none where it is None.

        Raises:
            DataError: that is not wanted.
        """
        if i is None:
            return Special()
        token = self.tokenizer.vocabulary.names[i]
        if self.request.special == "error":
            what = f"{place} holds text that becomes the special token {token!r}"
            raise DataError(what, "treat special tokens as text, or take it out of the record")
        return Special(1, place, token)

    def _listed(self, text: memoryview, bounds: list[int], first: int) -> tuple[Batch, Counts]:
        """Segment records one by one: the n best, or samples without replacement; with the record each belongs to."""
        request, segmenter = self.request, self.segmenter
        assert isinstance(segmenter, Segmenter)
        pieces: list[int] = []
        ends, owners = [], []
        for i in range(len(bounds) - 1):
            record = bytes(text[bounds[i] : bounds[i + 1]])
            try:
                if request.nbest:
                    lists = [path for path, _ in self.engine.nbest(record, segmenter, request.nbest)]
                else:
                    lists = self.engine.unique(record, segmenter.weights, segmenter.key, first + i)
            except Unwritable as error:
                raise Unwritable(first + i) from error
            for path in lists:
                pieces += path
                ends.append(len(pieces))
                owners.append(i)
        batch = segmenter.batch_of(np.array(pieces, np.int32), np.array(ends, np.int64))
        return batch, np.array(owners, np.int64)

    def _add_columns(
        self,
        done: IdBatch,
        text: memoryview,
        bounds: list[int],
        owners: list[int],
        measures: np.ndarray[Any, Any] | None,
    ) -> None:
        """Fill in what is asked for beside the ids; `owners` are the records that segmentations belong to."""
        request, asked = self.request, self.request.columns
        known: dict[str, list[float]] = {}
        if measures is not None:
            known["score"] = measures[:, 0].tolist()
            known["logz"] = measures[:, 1].tolist()
        if self.measurer is not None:
            per = [self.measurer.measure(bytes(text[a:b])) for a, b in pairwise(bounds)]
            for name, column in zip(("logz", "entropy", "length"), range(3), strict=True):
                known[name] = [per[i][column] for i in owners]
        if set(asked) & {"score", "logprob", "logz"} and self._by_path(measures):
            self._path_columns(known, done, text, bounds, owners)
        elif "logprob" in asked:
            known["logprob"] = [
                request.alpha * score - z for score, z in zip(known["score"], known["logz"], strict=True)
            ]
        done.columns.update({name: known[name] for name in asked if name != "pieces"})

    def _by_path(self, measures: np.ndarray[Any, Any] | None) -> bool:
        """Say whether a score has to be added up along the path, because the lattice's is another."""
        another = self.request.length_weight != 1.0 or self._weights.rounded
        return measures is None or another or bool(self.tokenizer.model.user_defined.any())

    def _path_columns(
        self, known: dict[str, list[float]], done: IdBatch, text: memoryview, bounds: list[int], owners: list[int]
    ) -> None:
        request, engine = self.request, self.engine
        weights = engine.weights("sample", request.alpha, request.length_weight)
        starts = [0, *done.ends.tolist()]
        scores, logprobs, zs = [], [], []
        for j, i in enumerate(owners):
            record = bytes(text[bounds[i] : bounds[i + 1]])
            lattice = engine.lattice(record, weights)
            ids = done.ids[starts[j] + request.bos : starts[j + 1] - request.eos].tolist()
            codes = path_of(engine.model, lattice, ids)
            z = (
                known["logz"][j]
                if "logz" in known
                else engine.measurer(request.alpha, request.length_weight).measure(record)[0]
            )
            scores.append(float(np.sum(self._weights.scores[codes])) if codes else 0.0)
            zs.append(z)
            logprobs.append(log_weight_of(weights, codes) - z)
        known.update(score=scores, logprob=logprobs, logz=zs)
