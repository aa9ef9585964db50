"""Text out of JSON records, with one rule for every odd line.

A line of white space alone is passed over. Every other line has to be UTF-8 and hold one JSON object with a string
under the key: of a key that stands twice the last counts, numbers may be of any length, NaN and Infinity are taken as
Python writes them, and half of a surrogate pair is an error in the wanted text alone.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.files.batches import RecordBatch

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def take_field(batch: RecordBatch, name: str) -> list[RecordBatch]:
    """Return the texts that a batch of JSON objects has under a key.

    Args:
        batch: one object a record.
        name: the key.

    Returns:
        Batches of texts, each of neighbouring records: where lines are passed over, another batch begins, since a
        record keeps its number.

    Raises:
        DataError: a record is no JSON object, or has no text under the key; the error names its file and line.
    """
    runs: list[tuple[int, list[bytes]]] = []
    previous = None
    for i, (start, end) in enumerate(zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)):
        line = batch.data[start:end]
        if not line.strip():
            continue
        if previous is None or i != previous + 1:
            runs.append((i, []))
        runs[-1][1].append(_text(line, name, batch, i))
        previous = i
    return [_batch(texts, batch, first) for first, texts in runs]


def _batch(texts: list[bytes], batch: RecordBatch, first: int) -> RecordBatch:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = np.zeros(len(texts), np.int64)
    starts[1:] = ends[:-1]
    return RecordBatch(b"".join(texts), starts, ends, batch.first + first, batch.source, batch.before)


def _text(line: bytes, name: str, batch: RecordBatch, i: int) -> bytes:
    """Return the UTF-8 of the text under a key of one line."""

    def wrong(what: str, remedy: str = "") -> DataError:
        return DataError(f"{batch.place(i)} {what}", remedy or "every record needs this field, with a JSON string")

    if batch.number_in_source(i) == 1:
        line = line.removeprefix(_BYTE_ORDER_MARK)
    try:
        content = _parse(line.decode())
    except UnicodeDecodeError as error:
        raise wrong(f"is not valid UTF-8 (byte {error.start} of the line)", "write it as UTF-8") from error
    except RecursionError as error:
        raise wrong("is nested too deeply", "leave it out, or take the text out of it first") from error
    except ValueError as error:
        raise wrong(f"is no JSON ({error})", "every record is one JSON object") from error
    if not isinstance(content, dict):
        raise wrong("is no JSON object", "every record is one JSON object")
    if name not in content:
        raise wrong(f"has no '{name}'")
    value = content[name]
    if not isinstance(value, str):
        raise wrong(f"has no text under '{name}' but {_KINDS[type(value)]}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise wrong(
            f"has half of a surrogate pair in '{name}' (character {error.start})", "write whole pairs"
        ) from error


_KINDS = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python takes no integer of more than 4,300 digits; here none is looked at.
        return json.loads(text, parse_int=float)
