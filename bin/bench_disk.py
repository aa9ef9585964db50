"""Times `corpus shuffle` of a file larger than the memory beside copying it twice, on a real disk.

    bin/bench disk [--folder .] [--size 6] [--memory 1G] [--runs 5] [--text PATH] [--ways WAY]...

A way is a set of options, such as `--spill raw --direct no`; each is run in turn with the copies. Where this is root,
caches are dropped before each run. The text is that of the Python files and documents that are installed, or a file of
your own, repeated with its lines in another order each time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shlex
import statistics
import subprocess
import sys
import sysconfig
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from corpustools.files.linux import cached_bytes

CORPUS = [sys.executable, "-m", "corpustools"]
MIB = 1 << 20
WAYS = ["", "--spill raw", "--spill zstd", "--direct no"]
SUFFIXES = (".py", ".pyi", ".rst", ".md", ".txt", ".h", ".pyx")
TEXT_BYTES = 400 * MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=".", help="a folder on a real disk")
    parser.add_argument("--size", type=float, default=6.0, help="GB of text")
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--text", help="a file of lines to make the text of")
    parser.add_argument("--ways", nargs="+", default=WAYS, help="options of the shuffle, one set a word")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}, {options.folder}")
    subprocess.run([*CORPUS, "--version"], check=True)
    folder = Path(options.folder).resolve()
    names = {name: folder / f"corpus-bench-{os.getpid()}{name}" for name in ("", ".out", ".out2")}
    try:
        make_text(names[""], int(options.size * 1e9), options.text)
        race(names, options)
    finally:
        for path in names.values():
            path.unlink(missing_ok=True)


def make_text(path: Path, size: int, source: str | None) -> None:
    """Write so many bytes of lines; equal lines of two rounds stand far from each other."""
    whole = Path(source).read_bytes()[:TEXT_BYTES] if source else installed_text()
    lines = whole.splitlines(keepends=True)
    print(f"text: {len(lines)} lines of {len(whole) / max(1, len(lines)):.0f} bytes on average, repeated")
    chance, left = random.Random(1), size
    with open(path, "wb") as file:
        while left > 0:
            data = b"".join(lines)[:left]
            file.write(data)
            left -= len(data)
            chance.shuffle(lines)
        os.fsync(file.fileno())


def installed_text() -> bytes:
    """Return the text of the installed packages and the standard library, file by file in the order of their names."""
    folders = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    parts, size = [], 0
    for folder in sorted(folders):
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and size < TEXT_BYTES:
                parts.append(path.read_bytes() + b"\n")
                size += len(parts[-1])
    return b"".join(parts)


@dataclass
class Run:
    """What one run took: seconds of time, and of the processors; bytes."""

    wall: float
    user: float
    system: float
    peak: int
    cached: int
    grown: int
    temporary: int


def race(names: dict[str, Path], options: argparse.Namespace) -> None:
    """Run the copies and every way in turn; print medians, and the median of the ratios of neighbours."""
    text, out, second = names.values()
    copies = f"cp {text} {out} && sync {out} && cp {out} {second} && sync {second}"
    commands = {"cp, sync, cp, sync": ["sh", "-c", copies]}
    for way in options.ways:
        given = ["-o", str(out), "-s", "1", "-m", options.memory, "-T", str(text.parent), "--progress", "json"]
        commands[f"corpus {way}".strip()] = [*CORPUS, "shuffle", str(text), *given, *shlex.split(way)]
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    # The first round warms up.
    for turn in range(options.runs + 1):
        for name, command in commands.items():
            done = run(command, list(names.values()))
            if turn:
                runs[name].append(done)
    copied = next(iter(runs.values()))
    for name, ours in runs.items():
        times = sorted(one.wall for one in ours)
        faster = statistics.median(a.wall / b.wall for a, b in zip(copied, ours, strict=True))
        middle = ours[[one.wall for one in ours].index(statistics.median_low(times))]
        print(
            f"{name}: {times[0]:.1f} / {statistics.median(times):.1f} / {times[-1]:.1f} s, {faster:.2f} x as fast as "
            f"the copies; user {middle.user:.1f} s, system {middle.system:.1f} s, peak {middle.peak / MIB:.0f} MiB, "
            f"page cache at most {middle.cached / MIB:.0f} MiB of its files, {middle.grown / MIB:+.0f} MiB in all, "
            f"temporary {middle.temporary / 1e9:.2f} GB"
        )


def run(command: list[str], files: list[Path]) -> Run:
    """Run a command with cold caches, all outputs away."""
    for path in files[1:]:
        path.unlink(missing_ok=True)
    os.sync()
    if os.geteuid() == 0:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    before, cache = resource.getrusage(resource.RUSAGE_CHILDREN), page_cache()
    begin = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    watcher = Watcher(process.pid, files)
    watcher.start()
    assert process.stderr is not None
    said = process.stderr.read()
    if process.wait():
        sys.exit(f"{shlex.join(command)}: exit status {process.returncode}\n{said.decode()}")
    wall = time.monotonic() - begin
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    temporary = json.loads(said.splitlines()[-1])["temporary_bytes"] if said else 0
    return Run(
        wall, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, watcher.peak, watcher.cached,
        page_cache() - cache, temporary,
    )  # fmt: skip


class Watcher(threading.Thread):
    """Looks at a process ten times a second until it ends: its peak memory, and what is cached of its files."""

    def __init__(self, pid: int, files: list[Path]) -> None:
        super().__init__()
        self.pid, self.files = pid, files
        self.peak = self.cached = 0

    def run(self) -> None:
        """Look until the process has ended."""
        while (peak := high_water_mark(self.pid)) is not None:
            self.peak = max(self.peak, peak)
            # Temporary files and unfinished outputs have no names: they are among the open ones.
            opened = Path(f"/proc/{self.pid}/fd")
            try:
                found = {os.stat(path).st_ino: path for path in [*opened.iterdir(), *self.files] if is_file(path)}
                self.cached = max(self.cached, sum(map(cached, found.values())))
            except OSError:
                pass
            time.sleep(0.1)


def high_water_mark(pid: int) -> int | None:
    """Return the peak memory of a process in bytes; None when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)


def is_file(path: Path) -> bool:
    """Whether this is a regular file of some size, so not one of Python's own modules."""
    try:
        return path.is_file() and path.stat().st_size > 16 * MIB
    except OSError:
        return False


def cached(path: Path) -> int:
    """Return how many bytes of a file are in the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return cached_bytes(descriptor, 0, os.fstat(descriptor).st_size) or 0
    finally:
        os.close(descriptor)


def page_cache() -> int:
    """Return the bytes of the whole page cache, other programs' included."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Cached:"))


if __name__ == "__main__":
    main()
