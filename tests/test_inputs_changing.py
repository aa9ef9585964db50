"""Inputs that are truncated, appended to, replaced or overwritten at random moments while a command reads them.

Status 0 only with the output of one whole state of the file, the old one or the new one; else one line and status 1.
Each moment is drawn from a seed, and CORPUS_MOMENTS says how many are tried for a kind.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from harness import COMPILED, MIB, Folder, needs_speed

MODEL = b"".join(
    b"%s\t-%d.5\n" % (piece, 1 + i % 7) for i, piece in enumerate([b"%d" % n for n in range(200)] + [b" "])
)
# Moments of one way, kind and change, whose two states are computed once.
TOGETHER = 6
OLD = b"the old output\n"
MOMENTS = int(os.environ.get("CORPUS_MOMENTS", "0"))

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gz": lambda data: gzip.compress(data, 1),
    "zst": lambda data: zstandard.compress(data, 1),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}
# Name -> arguments, MiB of text; '<' stands for standard input from the file itself.
WAYS: dict[str, tuple[list[str], float]] = {
    "in memory": (["shuffle", "-s", "1", "in"], 12),
    "in memory, copied": (["shuffle", "-s", "1", "-n", "100000", "in"], 8),
    "spilled": (["shuffle", "-s", "1", "-m", "64MiB", "--spill", "raw", "in"], 40),
    "without temporary space": (["shuffle", "-s", "1", "-m", "64MiB", "--no-temp", "in"], 24),
    "several inputs": (["shuffle", "-s", "1", "other", "in", "other"], 8),
    "standard input": (["shuffle", "-s", "1", "<"], 12),
    "tokenize": (["tokenize", "-m", "model", "-f", "u16", "in"], 3),
    "tokenize standard input": (["tokenize", "-m", "model", "<"], 2),
    "detokenize": (["detokenize", "-m", "model", "in"], 0.4),
    "nabc": (["nabc", "<"], 0.5),
}
CHANGES = ("truncated", "appended to", "replaced", "overwritten")


def text(size: int, seed: int) -> bytes:
    """Lines of ids, which every command takes."""
    chance = random.Random(seed)
    lines = [b"%d %d %d\n" % (chance.randrange(200), chance.randrange(200), n % 200) for n in range(60_000)]
    # They repeat only where no compression sees it.
    whole = b"".join(lines)
    return (whole * (size // len(whole) + 1))[:size].rpartition(b"\n")[0] + b"\n"


def changed(data: bytes, packed: bytes, change: str, pack: Callable[[bytes], bytes]) -> bytes:
    """Return the bytes of the file after a change."""
    if change == "truncated":
        return packed[: len(packed) // 3]
    if change == "appended to":
        return packed + pack(data[: len(data) // 8].rpartition(b"\n")[0] + b"\n")
    if change == "replaced":
        return pack(data.replace(b"7", b"8"))
    at = len(packed) // 2
    return packed[:at] + packed[at : at + 4096].replace(b"1", b"3")[::-1] + packed[at + 4096 :]


def apply(path: Path, old: bytes, new: bytes, change: str) -> None:
    """Make the change, as a program does that knows nothing of us."""
    if change == "replaced":
        other = path.with_name("new")
        other.write_bytes(new)
        os.replace(other, path)
    elif change == "truncated":
        os.truncate(path, len(new))
    else:
        with open(path, "r+b") as file:
            at = len(old) if change == "appended to" else len(old) // 2
            file.seek(at)
            file.write(new[at : at + 4096] if change == "overwritten" else new[at:])


class Trial:
    """One command on one kind of file, with the outputs that its two states may have."""

    def __init__(self, folder: Folder, way: str, packer: str, change: str) -> None:
        arguments, size = WAYS[way]
        self.folder, self.change = folder, change
        self.arguments = [one for one in arguments if one != "<"] + (
            [] if arguments[0] == "nabc" else ["-o", "out", "-q"]
        )
        self.piped = "<" in arguments
        size *= MIB / (4 if packer in ("bz2", "xz") else 1)
        data = text(int(size) if COMPILED else 20_000, 1)
        if arguments[0] == "nabc":
            data = data.replace(b" ", b"")
        pack = PACKERS[packer]
        self.old = pack(data)
        self.new = changed(data, self.old, change, pack)
        self.path = folder.path / "in"
        folder.write("model", MODEL)
        folder.write("other", b"0 1\n" * 1000)
        self.allowed = set()
        for state in (self.old, self.new):
            self.path.write_bytes(state)
            began = time.monotonic()
            outcome, digest = self.run(None)
            self.seconds = time.monotonic() - began
            if outcome.status == 0:
                self.allowed.add(digest)
            if state is self.old:
                outcome.ok()
                quiet = self.seconds
        self.seconds = quiet

    def run(self, moment: float | None):
        """Run the command, change the file at a moment, and return the outcome and a digest of what was written."""
        self.folder.write("out", OLD)
        direct = "-o" in self.arguments
        with open(self.path, "rb") as file, open(self.folder.path / "said", "wb") as said:
            streams = {"stdin": file} if self.piped else {}
            process = self.folder.start(*self.arguments, **streams, **({} if direct else {"stdout": said}))
        if moment is not None:
            time.sleep(moment)
            apply(self.path, self.old, self.new, self.change)
        outcome = self.folder.outcome(process)
        written = self.folder.read("out" if direct else "said")
        return outcome, hashlib.sha256(written).hexdigest()

    def at(self, moment: float) -> int:
        """Try one moment; return the status."""
        self.path.unlink()
        self.path.write_bytes(self.old)
        # Another time of modification than the change will have, whatever the clock's step.
        os.utime(self.path, ns=(10**18, 10**18))
        outcome, digest = self.run(moment)
        if outcome.status == 0:
            assert digest in self.allowed, f"{moment:.3f} s: records of no one state\n{outcome}"
        else:
            outcome.failed(1)
            assert "-o" not in self.arguments or self.folder.read("out") == OLD, str(outcome)
        assert not [name for name in self.folder.names() if name.startswith(".corpus-")], str(outcome)
        return outcome.status


def kinds(moments: int, seed: int) -> list[tuple[str, str, str, float]]:
    """Draw (way, packer, change, share of the run) for so many trials."""
    chance = random.Random(seed)
    drawn = []
    for _ in range(0, moments, TOGETHER):
        way = chance.choice(list(WAYS))
        packer = "plain" if way == "nabc" or chance.random() < 0.4 else chance.choice(list(PACKERS))
        if way == "without temporary space" and packer == "xz":
            packer = "gz"
        change = chance.choice(CHANGES)
        drawn += [(way, packer, change, chance.uniform(0.15, 1.05)) for _ in range(TOGETHER)]
    return drawn


@pytest.mark.heavy
@needs_speed
@pytest.mark.parametrize("seed", range(3))
def test_a_change_at_any_moment(tmp_path: Path, seed: int):
    """Of all kinds of inputs, ways to read them and changes, a hundred drawn at random."""
    trial, made, statuses = None, None, Counter()
    for way, packer, change, share in kinds(MOMENTS or 36, seed):
        if made != (way, packer, change):
            shutil.rmtree(tmp_path / "run", ignore_errors=True)
            (tmp_path / "run").mkdir()
            trial, made = Trial(Folder(tmp_path / "run"), way, packer, change), (way, packer, change)
        assert trial is not None
        statuses[change, trial.at(share * trial.seconds)] += 1
    # Moments that all came too late, or too early, would show nothing.
    assert any(status == 1 for _, status in statuses), statuses


@needs_speed
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ["tokenize", "detokenize", "nabc"])
def test_a_change_in_the_middle(folder: Folder, way: str, change: str):
    """One moment of each kind in every run of the tests; the shuffle's stand in test_inputs.py."""
    Trial(folder, way, "plain", change).at(0.3)
