"""Times `corpus shuffle` beside its peers, in turn and as whole processes, and prints ratios of medians.

    bin/bench shuffle [CASE]... [--folder /dev/shm] [--disk .] [--size 2G] [--runs 3] [--terashuf PATH]

Cases: memory (all fits), spill (512 MiB), lines (10-byte and 10 KB lines), bound (peak memory), growth, start.
A real disk beside copying twice: bin/bench disk.
Text is made up: words of Zipf-like frequency, line lengths log-normal around the mean.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time

CORPUS = [sys.executable, "-m", "corpustools"]
MIB = 1 << 20


def main() -> None:
    cases = {name.removeprefix("case_"): f for name, f in globals().items() if name.startswith("case_")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(cases))
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs")
    parser.add_argument("--disk", default=".", help="a folder on a real disk")
    parser.add_argument("--size", type=float, default=2.0, help="GB of text for memory and spill")
    parser.add_argument("--sizes", type=float, nargs="+", default=[1.0, 16.0], help="GB of text for growth")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--terashuf", default=shutil.which("terashuf"), help="its program, built from its repository")
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
    subprocess.run([*CORPUS, "--version"], check=True)
    for case in options.cases or cases:
        cases[case](options)


def case_memory(options: argparse.Namespace) -> None:
    """All in memory on a tmpfs, beside GNU shuf and cp."""
    with Text(options.folder, options.size, 121) as text:
        ours = [*CORPUS, "shuffle", text.path, "-o", text.out, "-s", "1", "-q", "-m", "8G"]
        race(
            options.runs,
            text,
            {"corpus -m 8G": ours, "GNU shuf": ["shuf", text.path, "-o", text.out], "cp": ["cp", text.path, text.out]},
        )


def case_spill(options: argparse.Namespace) -> None:
    """A quarter of the file in memory, temporary files on the same tmpfs, beside terashuf."""
    with Text(options.folder, options.size, 121) as text:
        ours = [*CORPUS, "shuffle", text.path, "-o", text.out, "-s", "1", "-q", "-m", "512M", "-T", options.folder]
        commands = {"corpus -m 512M": ours}
        if options.terashuf:
            script = (
                f"MEMORY=0.5 TMPDIR={options.folder} SEED=1 {options.terashuf} < {text.path} > {text.out} 2>/dev/null"
            )
            commands["terashuf MEMORY=0.5"] = ["sh", "-c", script]
        race(options.runs, text, commands)


def case_lines(options: argparse.Namespace) -> None:
    """Short and long lines, in memory and spilled, beside GNU shuf."""
    for mean in (10, 10_000):
        with Text(options.folder, min(options.size, 1.0), mean) as text:
            commands = {"GNU shuf": ["shuf", text.path, "-o", text.out]}
            each = text.size / text.records
            for memory in ("8G", "256M"):
                common = ["-o", text.out, "-s", "1", "-q", "-T", options.folder, "-j", "1"]
                commands[f"corpus -j 1 -m {memory}"] = [*CORPUS, "shuffle", text.path, "-m", memory, *common]
            times = race(options.runs, text, commands)
            for name, seconds in times.items():
                print(f"    {name}: {1e9 * seconds / text.records:.0f} ns a record of {each:.0f} bytes")


def case_bound(options: argparse.Namespace) -> None:
    """Peak memory of the process against --memory."""
    for mean, size in ((5, 0.3), (121, 1.0), (0, 0.2)):
        with Text(options.folder, size, mean) as text:
            for memory in (64, 128, 512):
                command = [
                    *CORPUS,
                    "shuffle",
                    text.path,
                    "-o",
                    text.out,
                    "-q",
                    "-T",
                    options.folder,
                    "-m",
                    f"{memory}M",
                ]
                seconds, peak = run(command)
                kind = f"{mean}-byte lines" if mean else "one line"
                print(f"  {kind}, {size} GB, -m {memory}M: peak {peak / MIB:.1f} MiB, {seconds:.1f} s")


def case_growth(options: argparse.Namespace) -> None:
    """Time a byte at 512 MiB as the file grows sixteenfold, on the disk."""
    rates = {}
    for size in options.sizes:
        with Text(options.disk, size, 121) as text:
            folder = os.path.dirname(os.path.abspath(text.path))
            command = [*CORPUS, "shuffle", text.path, "-o", text.out, "-s", "1", "-q", "-m", "512M", "-T", folder]
            rates[size] = race(options.runs, text, {f"corpus, {size:.0f} GB": command})[f"corpus, {size:.0f} GB"] / size
    print(f"  time a byte, the largest over the smallest: {rates[options.sizes[-1]] / rates[options.sizes[0]]:.2f}")


def case_start(options: argparse.Namespace) -> None:
    """`corpus --help` beside importing click."""
    program = os.path.join(os.path.dirname(sys.executable), "corpus")
    commands = {"corpus --help": [program, "--help"], "import click": [sys.executable, "-c", "import click"]}
    race(max(options.runs, 11), None, commands)


class Text:
    """A file of made-up lines of a mean length (0: one line), with a name for the output beside it."""

    def __init__(self, folder: str, gigabytes: float, mean: int) -> None:
        self.path = os.path.join(folder, f"corpus-bench-{os.getpid()}.txt")
        self.out = self.path + ".out"
        self.size = self.records = 0
        source = random.Random(1)
        words = ["".join(source.choices("etaoinshrdlucmfwyp", k=source.randint(2, 9))) for _ in range(20_000)]
        with open(self.path, "wb") as file:
            if not mean:
                file.write(b"x" * int(gigabytes * 1e9) + b"\n")
                return
            block, count = _block(source, words, mean)
            while self.size < gigabytes * 1e9:
                # Every block is told apart by its number, every line by its own text.
                numbered = block.replace(b"@@@", f"{self.records:03x}"[-3:].encode())
                file.write(numbered)
                self.size += len(numbered)
                self.records += count

    def __enter__(self) -> Text:
        return self

    def __exit__(self, *error: object) -> None:
        for path in (self.path, self.out, self.out + "2"):
            if os.path.exists(path):
                os.unlink(path)


def _block(source: random.Random, words: list[str], mean: int) -> tuple[bytes, int]:
    weights = [1 / (rank + 10) for rank in range(len(words))]
    drawn = " ".join(source.choices(words, weights, k=400_000))
    lines, at = [], 0
    while at < 2_000_000:
        size = max(2, int(mean * source.lognormvariate(-0.08, 0.4))) - 1
        start = source.randrange(len(drawn) - min(size, len(drawn) - 1))
        lines.append(("@@@" + drawn[start : start + size])[: max(size, 3)] if size > 8 else drawn[start : start + size])
        at += size + 1
    return ("\n".join(lines) + "\n").encode(), len(lines)


def race(runs: int, text: Text | None, commands: dict[str, list[str]]) -> dict[str, float]:
    """Run the commands in turn; print the medians, and the first one's ratio to the others."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    peaks = dict.fromkeys(commands, 0)
    for turn in range(runs + 1):
        for name, command in commands.items():
            for path in (text.out, text.out + "2") if text else ():
                if os.path.exists(path):
                    os.unlink(path)
            seconds, peak = run(command)
            if turn:
                times[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    first = next(iter(medians))
    for name, seconds in times.items():
        pairs = [b / a for a, b in zip(times[first], seconds, strict=True)]
        speed = f", {text.size / medians[name] / 1e6:.0f} MB/s" if text else ""
        print(
            f"  {name}: {min(seconds):.3f} / {medians[name]:.3f} / {max(seconds):.3f} s{speed}, "
            f"peak {peaks[name] / MIB:.0f} MiB, {statistics.median(pairs):.2f} x the time of {first}"
        )
    return medians


def run(command: list[str]) -> tuple[float, int]:
    """Run a command; return its wall time and the peak memory of its process."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak))
    watcher.start()
    status = process.wait()
    seconds = time.monotonic() - begin
    watcher.join()
    if status:
        sys.exit(f"{' '.join(command)}: exit status {status}")
    return seconds, peak[0]


def _watch(pid: int, peak: list[int]) -> None:
    # ru_maxrss would count what the parent held when it forked; VmHWM belongs to the program alone.
    while True:
        try:
            with open(f"/proc/{pid}/status") as file:
                found = [line for line in file if line.startswith("VmHWM")]
        except OSError:
            return
        if not found:
            return
        peak[0] = max(peak[0], int(found[0].split()[1]) * 1024)
        time.sleep(0.01)


if __name__ == "__main__":
    main()
