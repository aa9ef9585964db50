#!/bin/sh
# zstandard 0.25.0: a stream_reader on a zstd frame that breaks off behind a whole block, read with a small buffer.
#
# Good guess: all text of the blocks that are there comes out, as it does with a large buffer.
# Seen:       the end of the last block is missing: when the input ends, what zstd has decoded and not yet handed over
#             is given up. An empty last block (01 00 00) behind the data brings it out.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check zstandard==0.25.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import random
import sys

import zstandard

words = [b"%x" % (i * 2654435761 % 2**32) for i in range(999)]
text = b" ".join(random.Random(1).choices(words, k=200_000))[: 1 << 20]
packed = io.BytesIO()
writer = zstandard.ZstdCompressor(level=2).stream_writer(packed, closefd=False)
writer.write(text)
writer.flush(zstandard.FLUSH_BLOCK)
front = packed.getvalue()


def size(data, buffer):
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data))
    return sum(iter(lambda: len(reader.read(buffer)), 0))


seen = [size(front, 1 << 21), size(front, 70_000), size(front + b"\x01\x00\x00", 70_000)]
print("zstandard 0.25.0")
print("bytes of text, and read: large buffer, small buffer, small buffer with an empty block behind", len(text), seen)
sys.exit(not (seen[0] == seen[2] == len(text) and seen[1] < len(text)))
PYTHON
