#!/usr/bin/env python3
"""The speed of `corpus nabc` against the plain loop in Python, each ratio taken in one run.

    python bin/bench_nabc.py [--quick]

Run it with the interpreter that has corpustools installed. The peer is the same exact search as one would
write it in Python, one square root a step and stopped as early; its lines are parsed and formatted as well.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from math import isqrt

from corpustools.stages.nabc import nabc

COMMAND = [sys.executable, "-m", "corpustools", "nabc"]
QUICK = "--quick" in sys.argv[1:]


def plain_loop(n: int) -> tuple[int, int, int]:
    """Scan a + b upward from 2 sqrt n until it exceeds the best sum; the canonical minimiser."""
    if n < 4:
        return 0, 0, n
    p = isqrt(4 * n)
    q = p & 1
    best, p_best, q_best = p + ((4 * n - p * p + q) >> 2), p, q
    p += 1
    x = p * p - 4 * n
    while p <= best:
        q = isqrt(x - 1) + 1
        q += (q ^ p) & 1
        total = p + ((q * q - x) >> 2)
        if total <= best:
            best, p_best, q_best = total, p, q
        x += 2 * p + 1
        p += 1
    a, b = (p_best - q_best) >> 1, (p_best + q_best) >> 1
    return a, b, n - a * b


def plain_stream(path: str, limit: int) -> float:
    """Return the lines a second of the plain loop, reading and writing included."""
    start = time.perf_counter()
    done = 0
    with open(path, encoding="ascii") as lines, open(os.devnull, "w", encoding="ascii") as sink:
        for line in lines:
            n = int(line)
            a, b, c = plain_loop(n)
            sink.write(f"{n}\t{a}\t{b}\t{c}\t{a + b + c}\n")
            done += 1
            if done == limit:
                break
    return done / (time.perf_counter() - start)


def run(*arguments: str, stdin: str = os.devnull) -> tuple[float, int]:
    """Return the seconds of the command with its output thrown away, and its peak memory in MiB."""
    with open(stdin, "rb") as source, open(os.devnull, "wb") as sink:
        start = time.perf_counter()
        process = subprocess.Popen([*COMMAND, *arguments], stdin=source, stdout=sink)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return seconds, usage.ru_maxrss // 1024


def stream(name: str, low: int, high: int, lines: int, plain_lines: int) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{random.randrange(low, high)}\n" for _ in range(lines))
        file.flush()
        seconds, memory = run(stdin=file.name)
        plain = plain_stream(file.name, plain_lines)
    ours = lines / seconds
    print(f"stream, {name}: {ours:,.0f} a second, plain loop {plain:,.0f}: {ours / plain:.0f} x ({memory} MiB)")


def single(digits: int, count: int) -> None:
    numbers = [random.randrange(10**digits, 2 * 10**digits) for _ in range(count)]
    nabc(numbers[0])
    times = []
    for n in numbers:
        start = time.perf_counter()
        nabc(n)
        times.append(1000 * (time.perf_counter() - start))
    times.sort()
    line = f"one N near 10^{digits}: median {times[count // 2]:.3f} ms, largest {times[-1]:.3f} ms of {count}"
    if digits <= 30:
        start = time.perf_counter()
        for n in numbers[: 3 if digits == 30 else count]:
            plain_loop(n)
        each = 1000 * (time.perf_counter() - start) / len(numbers[: 3 if digits == 30 else count])
        line += f"; plain loop {each:.3f} ms on average: {each / (sum(times) / count):.0f} x"
    print(line)


def whole_range(high: int) -> None:
    seconds, memory = run("--range", f"0:{high}")
    start = time.perf_counter()
    sample = range(0, high, high // 20_000)
    with open(os.devnull, "w", encoding="ascii") as sink:
        for n in sample:
            a, b, c = plain_loop(n)
            sink.write(f"{n}\t{a}\t{b}\t{c}\t{a + b + c}\n")
    plain = len(sample) / (time.perf_counter() - start)
    ours = high / seconds
    print(f"--range 0:{high}: {ours:,.0f} a second, {memory} MiB; plain loop {plain:,.0f}: {ours / plain:.0f} x")


def start_up() -> None:
    corpus = os.path.join(os.path.dirname(sys.executable), "corpus")
    commands = {
        "import click": [sys.executable, "-c", "import click"],
        "corpus nabc 100": [corpus, "nabc", "100"],
    }
    best = dict.fromkeys(commands, 1e9)
    for _ in range(20):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            best[name] = min(best[name], time.perf_counter() - start)
    click, ours = best.values()
    print(
        f"start-up: `corpus nabc 100` {1000 * ours:.0f} ms, `import click` {1000 * click:.0f} ms: {ours / click:.2f} x"
    )


def main() -> None:
    random.seed(20230920)
    scale = 10 if QUICK else 1
    stream("random N below 10^9", 0, 10**9, 3_000_000 // scale, 50_000 // scale)
    stream("random N near 10^18", 10**18, 2 * 10**18, 200_000 // scale, 1000 // scale)
    for digits, count in ((18, 500), (30, 50), (40, 25)):
        single(digits, count)
    whole_range(10**8 // scale)
    start_up()


if __name__ == "__main__":
    main()
