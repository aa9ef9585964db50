#!/bin/sh
# array-record 0.8.6: a file that lacks its last byte, as an interrupted copy leaves it.
#
# Good guess: opening it fails, or num_records() does.
# Seen:       it opens, and num_records() is 0: a loop over the records trains on nothing and ends well. Only ok() is
#             False, and read() and close() raise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check array-record==0.8.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

from array_record.python import array_record_module

writer = array_record_module.ArrayRecordWriter("x", "group_size:1")
for i in range(100):
    writer.write(b"record %d" % i)
writer.close()
seen = []
for cut in (0, 1):
    os.truncate("x", os.path.getsize("x") - cut)
    reader = array_record_module.ArrayRecordReader("x")
    seen.append((reader.num_records(), reader.ok()))
print("array-record 0.8.6")
print("records, ok(): whole and torn", seen)
sys.exit(seen != [(100, True), (0, False)])
PYTHON
