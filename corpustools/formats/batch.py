"""Batches of documents: as they come to a format, and as the format's bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Ids = np.ndarray[Any, np.dtype[np.int32]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class IdBatch:
    """The ids of consecutive documents. A document is one segmentation of a record; it may have no ids.

    ids: int32, of all documents, one after another.
    ends: int64, where each document ends in `ids`.
    columns: values beside the ids, by name: one for each document.
    """

    ids: Ids
    ends: Counts
    columns: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class FormattedBatch:
    """The same documents in the bytes of a format, on their way from a worker thread to the writing thread.

    data: the bytes.
    lengths: int64, how many ids each document has.
    passed_over: how many records have no document because there was nothing in them.
    """

    data: bytes | memoryview
    lengths: Counts
    passed_over: int = 0
