#!/bin/sh
# zstandard 0.25.0: a stream_reader over an object of Python's that refers back to it, as a reader that keeps its source
# and is kept by it.
#
# Good guess: the garbage collector finds such a circle, as it does with bz2.BZ2File or io.BufferedReader over it.
# Seen:       never: the reader holds its source and takes no part in the collection. Source, reader and the decoder's
#             buffers stay until the process ends, about a megabyte for each input.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check zstandard==0.25.0
"$folder/venv/bin/python" - <<'PYTHON'
import gc
import io
import sys
import weakref

import zstandard

PACKED = zstandard.ZstdCompressor().compress(b"a line\n" * 1000)


class Source(io.RawIOBase):
    def __init__(self):
        self.data = io.BytesIO(PACKED)

    def readable(self):
        return True

    def readinto(self, view):
        return self.data.readinto(view)

    def read(self, size=-1):
        return self.data.read(size)


def stays(make):
    source = Source()
    source.reader = make(source)
    source.reader.read(10)
    gone = weakref.ref(source)
    del source
    gc.collect()
    return gone() is not None


zstd = stays(lambda source: zstandard.ZstdDecompressor().stream_reader(source, closefd=False))
buffered = stays(io.BufferedReader)
print("zstandard", zstandard.__version__)
print("stays after a collection: stream_reader over its source", zstd, "- io.BufferedReader over it", buffered)
sys.exit(not (zstd and not buffered))
PYTHON
