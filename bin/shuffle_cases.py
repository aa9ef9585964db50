"""The cases of `bin/bench shuffle`: what is run beside what, on which text."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bench_text import Source, Text
from measure import Race, Side, race
from peers import Peers, one_headed_disk, slow_disk

CORPUS = [sys.executable, "-m", "corpustools"]
MIB = 1 << 20
COPIES = "cp, sync, cp, sync"
# Bytes a second of the disk that is held slow.
SLOW = 150_000_000
# Parts of the file that the memory is, for the plot.
SHARES = (0.125, 0.25, 0.5, 1.0, 2.0)


@dataclass
class Bench:
    """Where and how the cases run.

    Args:
        options: those of the command line.
        source: what texts are made of.
        peers: the programs beside which ours is measured.
        until: when the case that runs is to end, by time.monotonic; None: when all its rounds are done.
    """

    options: argparse.Namespace
    source: Source
    peers: Peers
    until: float | None = None

    def path(self, name: str, folder: str | None = None) -> str:
        """Return a path that is this process's own; on the tmpfs unless another folder is given."""
        return os.path.join(folder or self.options.folder, f"corpus-bench-{os.getpid()}{name}")

    def text(self, folder: str | None = None, source: Source | None = None) -> Text:
        """Return a new, empty text."""
        return Text(self.path(".txt", folder), source or self.source)

    def ours(self, text: Text, *words: object, output: str = ".out", within: tuple[str, ...] = ()) -> Side:
        """Return our shuffle of a text, its temporary files beside it."""
        folder = os.path.dirname(text.path)
        out = self.path(output, folder)
        given = ["-o", out, "-s", "1", "-T", folder, "--progress", "json", *map(str, words)]
        return Side([*within, *CORPUS, "shuffle", text.path, *given], (out,))

    def shuf(self, text: Text) -> Side:
        """Return GNU shuf of a text."""
        out = self.path(".out", os.path.dirname(text.path))
        return Side(["shuf", text.path, "-o", out], (out,))

    def terashuf(self, text: Text, memory: int) -> dict[str, Side]:
        """Return terashuf of a text in so much memory; nothing where there is none."""
        if self.peers.terashuf is None:
            return {}
        folder = os.path.dirname(text.path)
        out, temporary = self.path(".out", folder), self.path(".tmp", folder)
        script = f"mkdir -p {temporary} && {self.peers.terashuf} < {text.path} > {out} && rm -rf {temporary}"
        about = {"MEMORY": f"{memory / (1 << 30):.4f}", "TMPDIR": temporary, "SEED": "1"}
        return {"terashuf": Side(["sh", "-c", script], (out,), about, temporary)}

    def copies(self, text: Text) -> Side:
        """Return two copies, one after another, each on the disk before the next thing begins."""
        folder = os.path.dirname(text.path)
        one, two = self.path(".out", folder), self.path(".out2", folder)
        script = f"cp {text.path} {one} && sync {one} && cp {one} {two} && sync {two}"
        return Side(["sh", "-c", script], (one, two))

    def race(
        self,
        case: str,
        about: str,
        text: Text,
        sides: dict[str, Side],
        x: float | None = None,
        left: int = 1,
        reference: str | None = None,
    ) -> Race:
        """Run the sides in turn; on a disk with cold caches.

        Args:
            case: its name.
            about: what is run, for a reader.
            text: what is shuffled.
            sides: the commands by name, ours first.
            x: where the race stands on the axis of a plot.
            left: among how many races of the case, this one included, what is left of its time is divided.
            reference: the side that all others are held against, if that is not ours.
        """
        cold = os.path.dirname(text.path) == self.options.disk
        found = Race(case, about, text.size, x, cold, reference)
        now = time.monotonic()
        until = None if self.until is None else now + (self.until - now) / left
        return race(found, sides, self.options.runs, until, warm_up=until is None and not cold)


T = TypeVar("T")


def from_last(things: Sequence[T]) -> list[tuple[int, T]]:
    """Return each thing with the number of those that are left, itself included."""
    return [(len(things) - number, one) for number, one in enumerate(things)]


Case = Callable[[Bench], Iterator[Race]]


def memory(bench: Bench) -> Iterator[Race]:
    """All in memory on a tmpfs, beside GNU shuf and cp."""
    with bench.text() as text:
        text.grow(int(bench.options.size * 1e9))
        out = bench.path(".out")
        sides = {"corpus -m 8G": bench.ours(text, "-m", "8G"), "GNU shuf": bench.shuf(text)}
        sides["cp"] = Side(["cp", text.path, out], (out,))
        yield bench.race("memory", "all in memory, tmpfs", text, sides)


def spill(bench: Bench) -> Iterator[Race]:
    """A quarter of the file in memory, temporary files on the same tmpfs, beside terashuf."""
    with bench.text() as text:
        text.grow(int(bench.options.size * 1e9))
        allowed = max(64 * MIB, text.size * MIB // (4 * MIB))
        sides = {f"corpus -m {allowed >> 20}M": bench.ours(text, "-m", allowed), **bench.terashuf(text, allowed)}
        yield bench.race("spill", "a quarter of the file, tmpfs", text, sides)


def head(bench: Bench) -> Iterator[Race]:
    """The first 1,000 records of the shuffled file, beside counting its lines."""
    with bench.text() as text:
        text.grow(int(bench.options.size * 1e9))
        sides = {"corpus -n 1000": bench.ours(text, "-n", 1000), "wc -l": Side(["wc", "-l", text.path])}
        yield bench.race("head", "the first 1,000 records, tmpfs", text, sides)


def lines(bench: Bench) -> Iterator[Race]:
    """Lines of 10 bytes and of 10,000, beside GNU shuf."""
    for left, length in from_last((10, 10_000)):
        with bench.text(source=bench.source.in_lines_of(length)) as text:
            text.grow(int(min(bench.options.size, 1.0) * 1e9))
            sides = {"corpus -m 8G": bench.ours(text, "-m", "8G"), "GNU shuf": bench.shuf(text)}
            yield bench.race("lines", f"lines of {length} bytes, tmpfs", text, sides, left=left)


def compressed(bench: Bench) -> Iterator[Race]:
    """Eight .zst files into one, two workers, beside zstd decoding and encoding with two threads."""
    with bench.text() as text:
        text.grow(int(bench.options.size * 1e9))
        parts = bench.path(".part.")
        subprocess.run(["split", "-n", "l/8", "-d", text.path, parts], check=True)
        names = [f"{parts}{number:02}" for number in range(8)]
        subprocess.run(["zstd", "-q", "-3", "-T2", "--rm", *names], check=True)
        packed = [f"{name}.zst" for name in names]
        try:
            out, other = bench.path(".out.zst"), bench.path(".peer.zst")
            given = ["-o", out, "-s", "1", "-j", "2", "-m", "8G", "--progress", "json"]
            sides = {"corpus -j 2": Side([*CORPUS, "shuffle", *packed, *given], (out,))}
            # Its default level, and ours.
            for level in (3, 2):
                script = f"zstd -dc {shlex.join(packed)} | zstd -q -{level} -T2 -o {other}"
                sides[f"zstd -dc | zstd -T2 -{level}"] = Side(["sh", "-c", script], (other,))
            yield bench.race("compressed", "eight .zst files into one, tmpfs", text, sides)
        finally:
            for name in packed:
                Path(name).unlink(missing_ok=True)


def copies(bench: Bench) -> Iterator[Race]:
    """A file larger than the memory on a real disk, beside copying it twice."""
    with bench.text(bench.options.disk) as text:
        text.grow(int(bench.options.disk_size * 1e9))
        allowed = bench.options.memory
        ways = {f"corpus -m {allowed} {way}".strip(): shlex.split(way) for way in bench.options.ways}
        sides = {name: bench.ours(text, "-m", allowed, *words) for name, words in ways.items()}
        sides[COPIES] = bench.copies(text)
        yield bench.race("copies", f"-m {allowed}, disk, cold caches", text, sides, reference=COPIES)


def direct(bench: Bench) -> Iterator[Race]:
    """Past the page cache and through it, on a real disk."""
    with bench.text(bench.options.disk) as text:
        text.grow(int(bench.options.disk_size * 1e9))
        given = ["-m", bench.options.memory, "--spill", "raw", "--direct"]
        sides = {f"corpus --direct {way}": bench.ours(text, *given, way) for way in ("yes", "no")}
        yield bench.race(
            "direct", "past the page cache and through it, disk, cold caches", text, sides, reference=list(sides)[-1]
        )


def growth(bench: Bench) -> Iterator[Race]:
    """Time a byte at 512 MiB as the file grows, on a real disk."""
    with bench.text(bench.options.disk) as text:
        for left, size in from_last(sorted(bench.options.sizes)):
            text.grow(int(size * 1e9))
            sides = {"corpus -m 512M": bench.ours(text, "-m", "512M")}
            if bench.until is None or size <= 2:
                # A minute and more a round beyond.
                sides |= bench.terashuf(text, 512 * MIB)
            sides[COPIES] = bench.copies(text)
            yield bench.race("growth", "-m 512M, disk, cold caches", text, sides, x=size, left=left)


def slow(bench: Bench) -> Iterator[Race]:
    """Spill raw and compressed on a disk of 150 MB/s: for reading and writing together, and for each."""
    folder = bench.options.disk
    kinds = {"for reading and writing together": one_headed_disk, "for reading, and as much for writing": slow_disk}
    for left, (kind, disk) in from_last(list(kinds.items())):
        with disk(folder, SLOW) as within, bench.text(folder) as text:
            if within is None:
                print(f"slow: this machine gives no disk of 150 MB/s {kind}")
                continue
            text.grow(int(min(bench.options.disk_size, 1.0) * 1e9))
            given = ["-m", "256M", "--direct", "yes", "--spill"]
            ways = [way for way in ("auto", "raw", "lz4", "zstd") if way in ways_to_spill()]
            sides = {f"corpus --spill {way}": bench.ours(text, *given, way, within=tuple(within)) for way in ways}
            about = f"a disk of 150 MB/s {kind}, -m 256M"
            yield bench.race("slow", about, text, sides, left=left, reference="corpus --spill raw")


def ways_to_spill() -> str:
    """Return the help of the shuffle from its ways to spill on."""
    said = subprocess.run([*CORPUS, "shuffle", "--help"], capture_output=True, text=True, check=True).stdout
    return said.partition("--spill [")[2].partition("]")[0]


def lengths(bench: Bench) -> Iterator[Race]:
    """Throughput as lines grow longer, in memory on a tmpfs."""
    for left, length in from_last((5, 10, 30, 100, 300, 1000, 10_000)):
        with bench.text(source=bench.source.in_lines_of(length)) as text:
            text.grow(int(bench.options.curve_size * 1e9))
            sides = {"corpus": bench.ours(text, "-m", "8G"), "GNU shuf": bench.shuf(text)}
            out = bench.path(".out")
            sides["cp"] = Side(["cp", text.path, out], (out,))
            yield bench.race("lengths", "in memory, tmpfs", text, sides, x=length, left=left)


def shares(bench: Bench) -> Iterator[Race]:
    """Throughput as the memory shrinks beside the file, temporary files on the same tmpfs."""
    with bench.text() as text:
        text.grow(int(bench.options.curve_size * 1e9))
        for left, allowed in from_last(sorted({max(64 * MIB, int(text.size * share)) for share in SHARES})):
            sides = {"corpus": bench.ours(text, "-m", allowed), **bench.terashuf(text, allowed)}
            if allowed >= text.size:
                sides["GNU shuf"] = bench.shuf(text)
            yield bench.race("shares", "tmpfs", text, sides, x=round(allowed / text.size, 3), left=left)


def workers(bench: Bench) -> Iterator[Race]:
    """Throughput as workers are added, in memory on a tmpfs."""
    with bench.text() as text:
        text.grow(int(bench.options.curve_size * 1e9))
        for left, count in from_last(range(1, (os.cpu_count() or 1) + 1)):
            sides = {"corpus": bench.ours(text, "-m", "8G", "-j", count), "GNU shuf": bench.shuf(text)}
            yield bench.race("workers", "in memory, tmpfs", text, sides, x=count, left=left)


def bound(bench: Bench) -> Iterator[Race]:
    """Peak memory of the process against what it may have."""
    whole = replace(bench.source, kind="one line", data=b"x" * min(len(bench.source.data), 200_000_000) + b"\n")
    for left, source in from_last((bench.source.in_lines_of(5), bench.source, whole)):
        with bench.text(source=source) as text:
            text.grow(int(min(bench.options.size, 0.3) * 1e9))
            sides = {f"corpus -m {given}M": bench.ours(text, "-m", f"{given}M") for given in (64, 128, 512)}
            about = f"peak memory, tmpfs, {source.kind}"
            yield bench.race("bound", about, text, sides, left=left)


def start(bench: Bench) -> Iterator[Race]:
    """`corpus --help` beside importing click."""
    program = shutil.which("corpus", path=os.path.dirname(sys.executable)) or "corpus"
    sides = {"corpus --help": Side([program, "--help"]), "import click": Side([sys.executable, "-c", "import click"])}
    yield race(Race("start", "start-up", 0), sides, max(bench.options.runs, 11), bench.until)


# In the order in which they run; each has this share of a limited time.
CASES: dict[Case, float] = {
    memory: 3, copies: 8, spill: 3, head: 1, lines: 3, compressed: 3, slow: 6, direct: 3, growth: 10,
    lengths: 6, shares: 4, workers: 2, bound: 2, start: 0.5,
}  # fmt: skip
