"""Canonical ids by the model's own library alone: `--engine reference`."""

from __future__ import annotations

from threading import Lock

import numpy as np

from corpustools.files.batches import RecordBatch
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.reference import Ids, Reference
from corpustools.stages.tokenize.lattice.segmenter import Batch

# A library takes some thirty times as much memory as a record.
LARGEST_RECORD = 1 << 24


class ByReference:
    """Segments records by a library, from any number of threads. Records of more than 16 MiB are left to our engine.

    Args:
        reference: the library.
        canonical: our engine for the same model, which writes what the library has no way to take.

    Attributes:
        others: how many records our engine wrote.
    """

    def __init__(self, reference: Reference, canonical: Canonical) -> None:
        self._reference, self._canonical = reference, canonical
        self._model = canonical.model
        # The unknown id stands for unknown characters too, so it alone does not tell.
        unknown = set() if self._model.unknown_id is None else {self._model.unknown_id}
        self._special = np.array(sorted(self._model.special_ids - unknown), np.int32)
        self._lock = Lock()
        self.others = 0

    @property
    def library(self) -> str:
        """The library and its version."""
        return self._reference.library

    def batch(self, records: RecordBatch) -> Batch:
        """Return the segmentations of records that are not normalised yet.

        Raises:
            DataError: the library fails at a record, or the vocabulary cannot write a character.
        """
        count = len(records.starts)
        sizes = records.ends - records.starts
        if count and int(sizes.max()) > LARGEST_RECORD:
            found: list[Ids | None] = [None] * count  # such a record is alone
        else:
            found = self._reference.encode_batch([records.record(i) for i in range(count)], records.place)
        others = [i for i, ids in enumerate(found) if ids is None]
        with self._lock:
            self.others += len(others)
        around = [np.array([i], np.int32)[: i >= 0] for i in (self._canonical.bos, self._canonical.eos)]
        parts = [self._ours(records, i) if ids is None else ids for i, ids in enumerate(found)]
        whole = [part for ids in parts for part in (around[0], ids, around[1])]
        ends = np.cumsum([len(around[0]) + len(ids) + len(around[1]) for ids in parts], dtype=np.int64)
        ids = np.concatenate([np.zeros(0, np.int32), *whole])
        special = np.isin(ids, self._special)
        if len(around[0]):
            special[np.append(0, ends[:-1])[: len(ends)]] = False
        if len(around[1]):
            special[ends - 1] = False
        return Batch(ids, ends, np.flatnonzero(special))

    def _ours(self, records: RecordBatch, i: int) -> Ids:
        """Return the ids of a record by our engine, without bos and eos."""
        text, offsets = self._model.normalizer.normalize_batch(
            records.data, records.starts[i : i + 1], records.ends[i : i + 1]
        )
        canonical = self._canonical
        ids = canonical.batch(text, offsets, records.first + i).ids
        return ids[int(canonical.bos >= 0) : len(ids) - int(canonical.eos >= 0)].copy()
