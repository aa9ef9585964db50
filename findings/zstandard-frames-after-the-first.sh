#!/bin/sh
# python-zstandard 0.25.0 and a .zst file of two frames, such as pzstd and `cat a.zst b.zst` write.
#
# Good guess: every way to decode gives the whole file, as `zstd -dc` does (RFC 8878: frames may be concatenated), or all
#             of them stop at the first frame, since stream_reader's read_across_frames is False by default.
# Seen:       decompress(), decompressobj() and read_to_iter() return the first frame and raise nothing.
#             stream_reader() and copy_stream() return everything, read_across_frames=False included.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check zstandard==0.25.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import zstandard

first, second = b"one\n" * 1000, b"two\n" * 1000
compress = zstandard.ZstdCompressor().compress
data = compress(first) + compress(second)


def decoder():
    return zstandard.ZstdDecompressor()


copied = io.BytesIO()
decoder().copy_stream(io.BytesIO(data), copied)
seen = {
    "decompress": decoder().decompress(data),
    "decompressobj": decoder().decompressobj().decompress(data),
    "read_to_iter": b"".join(decoder().read_to_iter(io.BytesIO(data))),
    "stream_reader": decoder().stream_reader(io.BytesIO(data), read_across_frames=False).read(),
    "copy_stream": copied.getvalue(),
}
print("zstandard", zstandard.__version__)
for name, text in seen.items():
    print(f"{name}: {len(text)} of {len(first + second)} bytes, no error")
expected = dict.fromkeys(seen, first) | {"stream_reader": first + second, "copy_stream": first + second}
sys.exit(seen != expected)
PYTHON
