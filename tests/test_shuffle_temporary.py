"""Temporary data that come back changed: an error that says so, never a crash and never other records."""

from __future__ import annotations

import subprocess
import sys

import pytest
from harness import Folder, needs_speed

SCRIPT = """
import random, sys
from corpustools.errors import CorpusError
from corpustools.files.temporary import TemporaryFiles
from corpustools.stages.shuffle import shuffle

real, seed, spill, data = TemporaryFiles.read, int(sys.argv[1]), sys.argv[2], sys.argv[3]
chance, reads = random.Random(seed), 0
hit = chance.randrange(40)

def read(self, extent, offset, parts):
    global reads
    real(self, extent, offset, parts)
    if reads == hit:
        part = parts[chance.randrange(len(parts))]
        for _ in range(chance.choice([1, 1, 40])):
            part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
    reads += 1

TemporaryFiles.read = read
try:
    shuffle(data, "out", seed=1, memory="64MiB", workers=2, spill=spill, tmp_dirs=["."])
except CorpusError as error:
    print(type(error).__name__, error)
else:
    print("whole" if reads <= hit else "UNNOTICED")
"""


@needs_speed
@pytest.mark.parametrize("spill", ["raw", "lz4", "zstd"])
@pytest.mark.parametrize("seed", range(6))
def test_changed_temporary_data_are_noticed(folder: Folder, spill: str, seed: int):
    """Bits are turned over in what is read back: one, or many in a block, of lines and of short records."""
    width = (12, 90)[seed % 2]
    lines = b"".join(b"%*d\n" % (width, i) for i in range(100_000))
    folder.write("in", lines * (120_000_000 // len(lines)))
    folder.write("out", b"old\n")
    folder.write("script.py", SCRIPT.encode())
    words = [sys.executable, "script.py", str(seed), spill, "in"]
    ended = subprocess.run(words, cwd=folder.path, env=folder.variables, capture_output=True, check=False, timeout=120)
    said = ended.stdout.decode()
    assert ended.returncode == 0, ended.stderr.decode()
    if said == "UNNOTICED\n" and spill != "raw":
        # What fills packed shares up to whole pages is read and not used.
        folder.corpus("shuffle", "in", "-o", "expected", "-s", "1", "-m", "2G").ok()
        assert folder.read("out") == folder.read("expected")
        return
    assert said.startswith(("DataError temporary data", "SystemFailure")) or said == "whole\n", said
    if said != "whole\n":
        assert folder.read("out") == b"old\n"
