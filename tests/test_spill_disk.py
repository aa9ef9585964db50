"""A real shuffle on a disk that is held to a few bytes a second: `auto` packs, and the output stays the same."""

from __future__ import annotations

import json
import subprocess
import sys

from harness import Folder, needs_speed

# One call at a time, as long as the disk would take: what a quota does.
SCRIPT = """
import json, sys, threading, time
from corpustools.files.direct import DirectFile
from corpustools.stages.shuffle import choice, shuffle

rate, spill = float(sys.argv[1]), sys.argv[2]
disk, busy, choices = threading.Lock(), 0.0, []
real_write, real_read, real_init = DirectFile.write, DirectFile.read, choice.Choice.__init__

def held(parts):
    global busy
    seconds = sum(map(len, parts)) / rate if rate else 0
    busy += seconds
    time.sleep(seconds)

def write(self, parts, position):
    with disk:
        held(parts)
    real_write(self, parts, position)

def read(self, parts, position):
    with disk:
        held(parts)
    return real_read(self, parts, position)

def init(self, *arguments):
    choices.append(self)
    real_init(self, *arguments)

DirectFile.write, DirectFile.read, choice.Choice.__init__ = write, read, init
result = shuffle("in", "out-" + spill, seed=1, memory="64MiB", workers=2, spill=spill, tmp_dirs=["."])
said = {"packed": choices[0].packed, "spilled": result.spilled, "stored": result.temporary_bytes}
print(json.dumps({"busy": busy, **said}))
"""


def run(folder: Folder, rate: float, spill: str) -> dict:
    """Shuffle `in`; return the disk's seconds, the bytes that got each codec, and the bytes that were stored."""
    words = [sys.executable, "script.py", str(rate), spill]
    ended = subprocess.run(words, cwd=folder.path, env=folder.variables, capture_output=True, check=False, timeout=200)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


@needs_speed
def test_auto_packs_on_a_slow_disk(folder: Folder):
    """After the first look most is packed; the disk has at most 1 / 1.2 of the work that raw data give it."""
    words = b"".join(b"%d lines of %d words and a number %d\n" % (i * 7919 % 99_991, i % 97, i) for i in range(300_000))
    folder.write("in", words * (130_000_000 // len(words)))
    folder.write("script.py", SCRIPT.encode())
    rate = 20e6
    raw, auto, lz4 = (run(folder, speed, spill) for speed, spill in ((0, "raw"), (rate, "auto"), (0, "lz4")))
    assert folder.read("out-auto") == folder.read("out-raw") == folder.read("out-lz4")
    assert raw["packed"][1:] == [0, 0]
    assert raw["spilled"] == {"raw": raw["packed"][0]}
    assert lz4["spilled"] == {"lz4": lz4["packed"][1]}
    assert sum(auto["spilled"].values()) == sum(auto["packed"])
    assert auto["packed"][0] < sum(auto["packed"]) // 2, auto
    assert 1.2 * lz4["stored"] < raw["stored"]
    assert 1.2 * auto["busy"] < 2 * raw["stored"] / rate
