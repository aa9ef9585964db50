"""Runs whole processes beside their peers, in turn, and says what each took of the machine."""

from __future__ import annotations

import json
import mmap
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from corpustools.files.linux import cached_bytes

MIB = 1 << 20
# How much memory is touched to learn what fresh memory costs, little beside what a run takes.
PROBE = 64 * MIB
# What is read again from the disk when the page cache was emptied, and before a run is timed.
PROGRAMS = ([sys.executable, "-m", "corpustools", "shuffle", os.devnull, "-q"], ["cp", "--version"], ["sh", "-c", ":"])


@dataclass(frozen=True)
class Side:
    """One command of a race.

    Args:
        command: its words.
        outputs: files that it makes; they are removed before each run.
        environment: variables that it gets besides this process's own.
        temporary: the folder in which it makes temporary files that have names.
    """

    command: list[str]
    outputs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    temporary: str | None = None


@dataclass(frozen=True)
class Run:
    """What one run took: seconds of time and of the processors, and bytes.

    Args:
        wall: seconds from the start to the end.
        user: seconds of the processors in the program, its children included.
        system: the same in the system.
        peak: resident memory at its highest, its children's added.
        grown: by how much more the page cache held afterwards; files of a tmpfs are not counted.
        cached: the most that was in the page cache of the files that the process had open.
        temporary: bytes that went to temporary files.
        touch: seconds that a GiB of new memory cost just before; much more than 0.3 means fresh from the host.
    """

    wall: float
    user: float
    system: float
    peak: int
    grown: int
    cached: int
    temporary: int
    touch: float


@dataclass
class Race:
    """The runs of one case.

    Args:
        case: its name.
        about: what was run, for a reader.
        size: bytes of the text.
        x: where it stands on the axis of a plot, if it does.
        cold: whether the page cache is emptied before each run, where that is allowed.
        reference: the side that every other one is held against; None: each is held against ours, the first.
        runs: of each side, by its name; the first one is ours.
    """

    case: str
    about: str
    size: int
    x: float | None = None
    cold: bool = False
    reference: str | None = None
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def as_data(self) -> dict[str, object]:
        """Return everything as plain data."""
        return asdict(self)

    @staticmethod
    def from_data(data: dict) -> Race:
        """Return the race that `as_data` gave."""
        runs = {name: [Run(**one) for one in found] for name, found in data["runs"].items()}
        return Race(**{**data, "runs": runs})

    def ratios(self, name: str) -> list[float]:
        """Return ratios of this side's rounds, in ascending order.

        They say how many times as fast as the reference this side was; where there is none, how many times as fast as
        this side ours was.
        """
        ours = next(iter(self.runs.values()))
        slow, fast = (self.runs[name], ours) if self.reference is None else (self.runs[self.reference], self.runs[name])
        return sorted(one.wall / other.wall for one, other in zip(slow, fast, strict=True))


def race(found: Race, sides: dict[str, Side], rounds: int, until: float | None, warm_up: bool = True) -> Race:
    """Run all sides in turn, round after round, and add what they took to a race.

    Args:
        found: the race; its runs are filled in.
        sides: the commands by name, ours first.
        rounds: how many rounds count.
        until: when to begin no further round, by time.monotonic; one round is always run.
        warm_up: whether a first round is run that does not count.
    """
    found.runs = {name: [] for name in sides}
    for number in range(rounds + warm_up):
        began = time.monotonic()
        done = {name: run(side, found.cold) for name, side in sides.items()}
        if number >= warm_up:
            for name, one in done.items():
                found.runs[name].append(one)
        now = time.monotonic()
        if until is not None and number >= warm_up and now + (now - began) > until:
            break
    for side in sides.values():
        remove(side.outputs)
    return found


def run(side: Side, cold: bool) -> Run:
    """Run a command, its outputs away, and return what it took."""
    remove(side.outputs)
    os.sync()
    if cold and os.geteuid() == 0:
        Path("/proc/sys/vm/drop_caches").write_text("3")
        # The programs themselves are not what is measured.
        for program in PROGRAMS:
            subprocess.run(program, check=True, capture_output=True)
    touch, before = cost_of_touching(), page_cache()
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(
            side.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            env=os.environ | side.environment,
        )  # fmt: skip
        watcher = Watcher(process.pid, side, cold)
        watcher.start()
        # The system adds up what the process and all of its children took.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.stop()
        said.seek(0)
        told = said.read().decode(errors="replace")
    if process.returncode:
        sys.exit(f"{shlex.join(side.command)}: exit status {process.returncode}\n{told}")
    return Run(
        wall=wall, user=used.ru_utime, system=used.ru_stime, peak=watcher.peak, grown=page_cache() - before,
        cached=watcher.cached, temporary=told_temporary_bytes(told) or watcher.temporary, touch=touch,
    )  # fmt: skip


def remove(paths: tuple[str, ...]) -> None:
    """Remove files that may be there."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


def told_temporary_bytes(said: str) -> int:
    """Return what `--progress json` told at the end; 0 for every other program."""
    try:
        return int(json.loads(said.splitlines()[-1])["temporary_bytes"])
    except (IndexError, KeyError, TypeError, ValueError):
        return 0


def cost_of_touching() -> float:
    """Return the seconds that a GiB of new memory costs at this moment, by touching a little of it."""
    with mmap.mmap(-1, PROBE) as memory:
        began = time.thread_time()
        for page in range(0, PROBE, mmap.PAGESIZE):
            memory[page] = 1
        return (time.thread_time() - began) * (1 << 30) / PROBE


def page_cache() -> int:
    """Return the bytes of files on disks in the page cache, other programs' included."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    sizes = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines}
    return sizes["Cached"] - sizes["Shmem"]


class Watcher(threading.Thread):
    """Looks at a process and its children until they end: memory, files in the page cache, temporary files."""

    def __init__(self, pid: int, side: Side, on_disk: bool) -> None:
        super().__init__(daemon=True)
        # The pages of a tmpfs are all in memory.
        self._pid, self._side, self._on_disk = pid, side, on_disk
        self._ended = threading.Event()
        self._peaks: dict[int, int] = {}
        self.cached = self.temporary = 0

    @property
    def peak(self) -> int:
        """The most resident memory so far."""
        return sum(self._peaks.values())

    def run(self) -> None:
        """Look fifty times a second; at files seldom, since counting their pages takes a processor for a while."""
        turn = 0
        while True:
            for pid in family(self._pid):
                # ru_maxrss would count what the parent held when it forked; VmHWM belongs to the program alone.
                self._peaks[pid] = max(self._peaks.get(pid, 0), high_water_mark(pid))
            if turn % 25 == 0 and self._on_disk:
                self.cached = max(self.cached, cached_of(self._pid, self._side.outputs))
            if turn % 5 == 0:
                self.temporary = max(self.temporary, size_of_folder(self._side.temporary))
            turn += 1
            if self._ended.wait(0.02):
                return

    def stop(self) -> None:
        """Wait until nobody looks any more."""
        self._ended.set()
        self.join()


def family(pid: int) -> list[int]:
    """Return a process and all of its children's children that there are at this moment."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in family(int(child)))]


def high_water_mark(pid: int) -> int:
    """Return the peak memory of a process in bytes; 0 when it has ended."""
    return reading(lambda: int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024)


def cached_of(pid: int, outputs: tuple[str, ...]) -> int:
    """Return the bytes in the page cache of the large files that a process has open, and of its outputs."""
    # Temporary files and unfinished outputs have no names: they are among the open ones.
    opened = [str(path) for path in reading(lambda: list(Path(f"/proc/{pid}/fd").iterdir()), [])]
    found = {}
    for path in (*opened, *outputs):
        status = reading(lambda path=path: os.stat(path), None)
        # Smaller ones are Python's own modules.
        if status is not None and os.path.isfile(path) and status.st_size > 16 * MIB:
            found[status.st_dev, status.st_ino] = path
    return sum(reading(lambda path=path: cached(path)) for path in found.values())


def cached(path: str) -> int:
    """Return how many bytes of a file are in the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return cached_bytes(descriptor, 0, os.fstat(descriptor).st_size) or 0
    finally:
        os.close(descriptor)


def size_of_folder(folder: str | None) -> int:
    """Return the bytes of the files in a folder."""
    if folder is None:
        return 0
    return sum(reading(lambda one=one: one.stat().st_blocks * 512) for one in Path(folder).rglob("*"))


def reading(look: Callable, otherwise: object = 0) -> Any:
    """Return what a look at a process or a file gives; the other value where it has gone meanwhile."""
    try:
        return look()
    except (OSError, IndexError, ValueError):
        return otherwise


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)
