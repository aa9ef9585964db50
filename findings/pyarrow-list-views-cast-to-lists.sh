#!/bin/sh
# pyarrow 26.0.1: a column of list views, cast to lists.
#
# Good guess: the lists are the same, and the result is a valid array: every caller may read it.
# Seen:       the array has one offset too few. Its values print, but validate() refuses it, and what is written from it
#             depends on who reads the missing offset. Casts of list views from slices are no better.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pyarrow as pa

views = pa.array([["a"], [], None, ["b", "c"]], pa.list_view(pa.string()))
views.validate(full=True)
lists = views.cast(pa.list_(pa.string()))
offsets = lists.buffers()[1].size // 4
try:
    lists.validate()
    seen = "valid"
except pa.lib.ArrowInvalid as error:
    seen = str(error)
print("pyarrow", pa.__version__)
print(len(lists), "lists,", offsets, "offsets:", seen)
sys.exit(offsets != 4 or "isn't large enough" not in seen)
PYTHON
