"""Which codec temporary data get: as it was asked for, or the one by which the run ends first.

The disk and the shuffle itself work at the same time, so the slower of the two decides. Packing and unpacking come on
top: a worker that packs has nothing for the disk meanwhile. All of it is measured while the run goes on, and looked at
again: other programs come and go, and some disks are fast only for a while.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from corpustools.files.targets import descriptor_of
from corpustools.files.temporary import TemporaryFiles
from corpustools.machine import default_workers, processor_time
from corpustools.stages.shuffle.codecs import CODECS, RAW
from corpustools.stages.shuffle.request import ShuffleRequest

# Bytes that are spilled before the first look, and between two.
_FIRST_LOOK = 16 << 20
_LOOK = 64 << 20
# Codecs are tried, and the disk is read, at the first look and then at every fourth.
_TRIALS = 4
# Another codec has to be better by this much: what is measured is uncertain.
_BETTER = 0.97
# Putting records in order and writing them takes the processors about as long as distributing them did.
_GATHER = 2


class CodecCost(NamedTuple):
    """What a codec does to a byte of temporary data.

    Attributes:
        stored: bytes that are left.
        seconds: processor time of packing and unpacking.
    """

    stored: float
    seconds: float


class Pace(NamedTuple):
    """What a byte of temporary data costs apart from codecs.

    Attributes:
        disk: seconds for a byte that is written and read back.
        beside: seconds that the same disk takes for the inputs and outputs meanwhile.
        work: processor seconds of the shuffle itself.
        workers: threads that work at a time: fewer where they wait for processors that others have.
    """

    disk: float
    beside: float
    work: float
    workers: float


class Trial(NamedTuple):
    """What was tried out: codecs on some blocks, and reading back what was written.

    Attributes:
        costs: by codec, RAW aside.
        read: seconds a byte, or None where that was not tried.
    """

    costs: Mapping[int, CodecCost]
    read: float | None


class Surroundings(NamedTuple):
    """What is known of a run before it begins; see `surroundings_of`.

    Attributes:
        workers: threads that work at a time.
        held: bytes that stay in memory.
        share: bytes that are spilled of a byte of the inputs.
        read: bytes of inputs on the disks of temporary data, a spilled byte.
        written: the same of outputs.
    """

    workers: int
    held: int
    share: float = 1.0
    read: float = 0.0
    written: float = 0.0


def surroundings_of(request: ShuffleRequest, workers: int, held: int) -> Surroundings:
    """Look at the disks of a run, and guess what will be spilled of its inputs.

    Args:
        request: what is asked for.
        workers: threads that are planned.
        held: bytes that the memory holds.
    """
    workers, disks = min(workers, default_workers()), {_disk(directory) for directory in request.tmp_dirs}
    outputs = {_disk(os.path.dirname(os.path.abspath(path))) for path in request.output_paths[:1]}
    if descriptor_of(request.output) is not None:
        outputs = set()
    if request.expected is None:
        return Surroundings(workers, held, written=float(not outputs.isdisjoint(disks)))
    # Of an input that hardly fits little is spilled, and then it does not matter by what codec.
    spilled = max(request.expected - held, request.expected // 16, 1)
    read = sum(one.size or 0 for one in request.inputs if _disk(one.name) in disks)
    written = 0 if outputs.isdisjoint(disks) else request.expected
    return Surroundings(workers, held, spilled / max(request.expected, 1), read / spilled, written / spilled)


def _disk(path: str) -> int:
    """Return the device of a file; a number of its own where there is none."""
    try:
        return os.stat(path).st_dev
    except OSError:
        return -1


NOTHING_SAVED = CodecCost(1.0, 0.0)


def seconds(cost: CodecCost, pace: Pace) -> float:
    """Return how long a byte of temporary data takes with a codec."""
    return max(pace.beside + cost.stored * pace.disk, pace.work / pace.workers) + cost.seconds / pace.workers


def best(costs: Mapping[int, CodecCost], pace: Pace, current: int) -> int:
    """Return the codec that takes least time; the current one where no other is clearly better."""
    found = min(costs, key=lambda codec: (seconds(costs[codec], pace), costs[codec].seconds))
    better = seconds(costs[found], pace) < _BETTER * seconds(costs[current], pace)
    # Where the disk is all that counts, noise takes as long with any codec.
    in_vain = costs[current].stored >= costs[found].stored
    return found if better or in_vain else current


class Choice:
    """The codec of what is spilled next, and what it is chosen by.

    Args:
        spill: raw, lz4, zstd or auto.
        files: where temporary data goes, which knows how fast that is.
        around: what is known of the run.

    Attributes:
        codec: its place in CODECS.
        packed: bytes that were spilled with each codec.
    """

    def __init__(self, spill: str, files: TemporaryFiles, around: Surroundings) -> None:
        self._auto = spill == "auto"
        self.codec = RAW if self._auto else CODECS.index(spill)
        self.packed = [0] * len(CODECS)
        self._files, self._around = files, around
        self._looking = threading.Lock()
        self._next, self._looks = _FIRST_LOOK, 0
        self._write: float | None = None
        self._read: float | None = None
        self._costs: dict[int, CodecCost] = {}
        self._packing = 0.0
        self._began = time.process_time()
        self._scheduled = processor_time()
        self._running: float | None = None

    @property
    def spilled(self) -> int:
        """Bytes that were spilled, as they were before packing."""
        return sum(self.packed)

    @property
    def by_codec(self) -> dict[str, int] | None:
        """The bytes that were spilled with each codec, or None where none were."""
        return {name: size for name, size in zip(CODECS, self.packed, strict=True) if size} or None

    def spent(self, codec: int, size: int, trial: Callable[[], Trial]) -> None:
        """Take note of bytes that were spilled, and look whether another codec is better now.

        Args:
            codec: by which.
            size: bytes before packing.
            trial: tries codecs on them; it is called now and then.
        """
        with self._looking:
            self.packed[codec] += size
            if codec in self._costs:
                self._packing += size * self._costs[codec].seconds
            if not self._auto or self.spilled < self._next:
                return
            self._next = self.spilled + _LOOK
            tries, self._looks = self._looks % _TRIALS == 0, self._looks + 1
        if tries:
            self._learn(trial())
        self._look()

    def _learn(self, trial: Trial) -> None:
        for codec, cost in trial.costs.items():
            old = self._costs.get(codec, cost)
            self._costs[codec] = CodecCost((old.stored + cost.stored) / 2, (old.seconds + cost.seconds) / 2)
        self._read = _mean(self._read, trial.read)

    def _look(self) -> None:
        size, busy = self._files.written.take()
        self._write = _mean(self._write, busy / size if size else None)
        if self._write is None:
            return
        around, read = self._around, self._write if self._read is None else self._read
        work = _GATHER * max(0.0, time.process_time() - self._began - self._packing) / (around.held + self.spilled)
        # The disk was writing while inputs were read from it: a byte's own time is its part of both.
        own = 1 / (1 + around.read)
        pace = Pace(
            disk=own * (self._write + read),
            beside=own * (around.read * read + around.written * self._write),
            work=work / around.share,
            workers=around.workers * self._share_of_processors(),
        )
        self.codec = best({RAW: NOTHING_SAVED} | self._costs, pace, self.codec)

    def _share_of_processors(self) -> float:
        """Return the part of the time in which threads that could run did so."""
        (ran, waited), before = processor_time(), self._scheduled
        self._scheduled = ran, waited
        # Threads may have ended meanwhile.
        ran, waited = max(0.0, ran - before[0]), max(0.0, waited - before[1])
        self._running = _mean(self._running, ran / (ran + waited) if ran else None)
        return self._running or 1.0


def _mean(old: float | None, new: float | None) -> float | None:
    """Return what is expected now: half of it from before."""
    if old is None or new is None:
        return old if new is None else new
    return (old + new) / 2
