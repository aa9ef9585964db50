"""`jsonl`: a JSON object a document: `ids`, and the columns that were asked for; of windows `seq_lengths`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import Counts, IdBatch, Ids
from corpustools.formats.decimals import decimal_rows
from corpustools.formats.layout import Layout
from corpustools.formats.reader import LineReader
from corpustools.formats.vocabulary import Vocabulary
from corpustools.formats.writer import Writer
from corpustools.kernels import load

_BEGIN, _COMMA = b'{"ids": [', b", "


class JsonlWriter(Writer):
    """JSON lines. A number that is not finite is null: JSON has none."""

    name = "jsonl"
    streams = True
    holds_columns = True

    def __init__(self, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None) -> None:
        super().__init__(vocabulary, columns, layout)
        self._names = [json.dumps(name) for name in vocabulary.names] if "pieces" in columns else []

    def format_documents(self, batch: IdBatch) -> memoryview:
        """Return the objects of whole documents."""
        if not self.columns and batch.pieces is None:
            return decimal_rows(batch.ids, batch.ends, _BEGIN, _COMMA, b"]}\n")[0]
        lists, ends = decimal_rows(batch.ids, batch.ends, _BEGIN, _COMMA, b"]")
        if batch.pieces is not None:
            rest, rest_ends = decimal_rows(*batch.pieces, b', "seq_lengths": [', _COMMA, b"]}\n")
        else:
            rest, rest_ends = self._columns_of(batch)
        out = np.empty(len(lists) + len(rest), np.uint8)
        load("rows").interleave(lists, ends, rest, rest_ends, out)
        return out.data

    def format_part(self, ids: Ids, first: bool) -> memoryview:
        """Return further ids of an object."""
        before = b"" if not len(ids) else _BEGIN if first else _COMMA
        return decimal_rows(ids, np.array([len(ids)], np.int64), before, _COMMA, b"")[0]

    def format_end(self) -> bytes:
        """Return the end of an object."""
        begun = b"" if self._part_length else _BEGIN
        return b"}\n" if self.columns else begun + b"]}\n"

    def add_columns(self, values: Mapping[str, float], ids: Iterable[Ids]) -> None:
        """Write what stands beside the ids of a long document."""
        if not self.columns:
            return
        self.put(b"]" if self._part_length else b'{"ids": []')
        for name in self.columns:
            if name == "pieces":
                self.put(b', "pieces": [')
                before = b""
                for part in ids:
                    if len(part):
                        self.put(before + ", ".join([self._names[i] for i in part.tolist()]).encode())
                        before = b", "
                self.put(b"]")
            else:
                self.put(f', "{name}": {_number(values[name])}'.encode())

    def _columns_of(self, batch: IdBatch) -> tuple[memoryview, Counts]:
        """Return what stands behind the ids of each object, and where each ends."""
        ids = batch.ids.tolist() if self._names else []
        rests, start = [], 0
        for i, end in enumerate(batch.ends.tolist()):
            parts = [""]
            for name in self.columns:
                if name == "pieces":
                    parts.append(f'"pieces": [{", ".join([self._names[j] for j in ids[start:end]])}]')
                else:
                    parts.append(f'"{name}": {_number(batch.columns[name][i])}')
            rests.append((", ".join(parts) + "}\n").encode())
            start = end
        return memoryview(b"".join(rests)), np.cumsum([len(rest) for rest in rests], dtype=np.int64)


class JsonlReader(LineReader):
    """JSON lines with a list `ids`; other keys are ignored."""

    passes_blank = True

    def ids_of(self, line: bytes, place: str) -> Sequence[int]:
        """Return the ids of an object.

        Raises:
            DataError: the line is no JSON object with a list of ids.
        """
        try:
            ids = json.loads(line)["ids"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{place} is no JSON object with 'ids'") from error
        if not isinstance(ids, list) or not all(type(i) is int and abs(i) < 1 << 62 for i in ids):
            raise DataError(f"{place}: 'ids' is no list of ids")
        return ids


def _number(value: float) -> str:
    return repr(value) if abs(value) < float("inf") else "null"
