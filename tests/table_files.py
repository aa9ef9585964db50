"""Tables for tests: files of every kind that is read, and rows with columns of many types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

KINDS = ("parquet", "arrow", "stream")


def write_table(path: Path, table: Any, kind: str = "parquet", rows: int = 100) -> str:
    """Write a table as a file of a kind, in groups or batches of so many rows; return the file's name."""
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=rows, use_compliant_nested_type=False)
    else:
        make = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with make(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=rows)
    return path.name


def text_table(count: int, size: int = 40) -> Any:
    """Return rows with a number, a text and a nested column, none of them alike."""
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "text": [None if i % 17 == 5 else f"{i} " + "wörter " * (i * 7919 % size // 7) for i in range(count)],
            "meta": [{"url": f"u{i}", "tags": ["a", None, str(i)][: i % 4]} if i % 5 else None for i in range(count)],
        }
    )
