#!/bin/sh
# datasets 5.2.0 and a Parquet file without rows, as pyarrow 26.0.1 writes it from an empty table.
#
# Good guess: such a file adds no row, as it does for pyarrow's own data sets; alone it may be refused.
# Seen:       pyarrow writes one row group of 0 rows. load_dataset takes the batch size from the first row group, and
#             fails with "BatchSize must be greater than 0, got 0" for the whole list of files, streaming or not. A file
#             without any row group (a ParquetWriter that wrote nothing) is passed over.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1
cd "$folder"
HF_HOME=$folder/home "$folder/venv/bin/python" - <<'PYTHON'
import sys

import datasets
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

datasets.disable_progress_bars()
table = pa.table({"input_ids": pa.array([[1, 2], [3]], pa.list_(pa.int32()))})
pq.write_table(table, "full.parquet")
pq.write_table(table.slice(0, 0), "no-rows.parquet")
pq.ParquetWriter("no-row-group.parquet", table.schema).close()


def rows(name):
    files = ["full.parquet", name]
    try:
        found = len(datasets.load_dataset("parquet", data_files=files, split="train"))
    except Exception as error:
        found = str(error.__cause__ or error)
    return pyarrow.dataset.dataset(files).count_rows(), found


seen = {name: rows(name) for name in ("no-rows.parquet", "no-row-group.parquet")}
print("datasets", datasets.__version__, "pyarrow", pa.__version__)
for name, (by_pyarrow, by_datasets) in seen.items():
    print(f"{name} beside 2 rows: pyarrow {by_pyarrow}; load_dataset {by_datasets}")
wanted = (2, "BatchSize must be greater than 0, got 0")
sys.exit(seen != {"no-rows.parquet": wanted, "no-row-group.parquet": (2, 2)})
PYTHON
