#!/bin/sh
# pyarrow 26.0.1: one column of a Parquet file whose name has a dot, beside a struct with such a field.
#
# Good guess: iter_batches(columns=["a.b"]) gives the column that is named so.
# Seen:       it gives two, the field b of the struct a first. Who takes the first column tokenizes other text.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

pq.write_table(pa.table({"a": [{"b": "inside", "c": 1}], "a.b": ["outside"]}), "x.parquet")
batch = next(pq.ParquetFile("x.parquet").iter_batches(columns=["a.b"]))
print("pyarrow", pa.__version__)
print(batch.to_pydict())
sys.exit(batch.to_pydict() != {"a": [{"b": "inside"}], "a.b": ["outside"]})
PYTHON
