"""Text out of JSON records."""

from __future__ import annotations

import json

import numpy as np

from corpustools.errors import DataError
from corpustools.files.batches import RecordBatch


def take_field(batch: RecordBatch, name: str) -> RecordBatch:
    """Return the batch of the texts that a batch of JSON objects has under a key.

    Args:
        batch: one object a record.
        name: the key.

    Raises:
        DataError: a record is no JSON object, or has no text under the key.
    """
    texts = []
    for i, (start, end) in enumerate(zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)):
        try:
            value = json.loads(batch.data[start:end])[name]
        except (ValueError, KeyError, TypeError) as error:
            what = f"has no '{name}'" if isinstance(error, KeyError) else "is no JSON object"
            raise DataError(f"record {batch.first + i} {what}", "every record needs this field") from error
        if not isinstance(value, str):
            raise DataError(f"record {batch.first + i}: '{name}' is no text", "the field holds a JSON string")
        texts.append(value.encode("utf-8", "surrogatepass"))
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = np.zeros(len(texts), np.int64)
    starts[1:] = ends[:-1]
    return RecordBatch(b"".join(texts), starts, ends, batch.first)
