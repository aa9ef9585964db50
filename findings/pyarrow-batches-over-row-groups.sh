#!/bin/sh
# pyarrow 26.0.1: whether `ParquetFile.iter_batches` can read a list of dictionary values depends on the row groups.
#
# Good guess: a file that read_table reads whole, iter_batches reads in parts, whatever size the parts have.
# Seen:       parts that lie within a row group are given. A part that reaches over the end of one is an
#             ArrowNotImplementedError ("Nested data conversions not implemented for chunked array outputs"), and that
#             is so with the default size of 65,536 rows for every file of smaller row groups. read_table reads it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder/tags.parquet" <<'PYTHON'
import sys

import pyarrow
from pyarrow import parquet

kind = pyarrow.list_(pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
tags = pyarrow.table({"tags": pyarrow.array([["en", "web"], ["zh"], ["en"]] * 1000, kind)})
parquet.write_table(tags, sys.argv[1], row_group_size=1000)


def rows(**size):
    try:
        return sum(batch.num_rows for batch in parquet.ParquetFile(sys.argv[1]).iter_batches(**size))
    except pyarrow.ArrowNotImplementedError as error:
        return str(error)


whole, within, over = parquet.read_table(sys.argv[1]).num_rows, rows(batch_size=500), rows()
print("pyarrow", pyarrow.__version__)
print(f"read_table: {whole} rows; batches of 500: {within}; batches of the default size: {over}")
sys.exit((whole, within) != (3000, 3000) or isinstance(over, int))
PYTHON
