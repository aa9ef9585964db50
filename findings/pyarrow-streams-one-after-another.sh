#!/bin/sh
# pyarrow 26.0.1: two Arrow IPC streams, one behind another in a file, as `cat` joins them.
#
# Good guess: the reader gives the rows of both, as every reader of gzip members or zstd frames does, or says that
#             something follows the end.
# Seen:       it gives the rows of the first and ends, without a word. A stream that lacks its end mark, because its
#             writer was stopped between two batches, is also read to its last whole batch as if it were complete.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pyarrow as pa

batch = pa.record_batch({"text": ["a", "b"]})
for name in ("one", "two"):
    with pa.OSFile(name, "wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        stream.write_batch(batch)
        stream.write_batch(batch)
one, two = (open(name, "rb").read() for name in ("one", "two"))
end = b"\xff\xff\xff\xff\0\0\0\0"
assert one.endswith(end)


def rows(data):
    return pa.ipc.open_stream(pa.BufferReader(data)).read_all().num_rows


seen = [rows(one), rows(one + two), rows(one.removesuffix(end))]
print("pyarrow", pa.__version__)
print("rows of a stream, of two joined, of one without its end mark:", seen)
sys.exit(seen != [4, 4, 4])
PYTHON
