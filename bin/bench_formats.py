#!/usr/bin/env python3
"""From raw files to files that trainers read: ratios of one run, whole processes in turn.

usage: bench_formats.py MODEL TEXT [--megabytes M] [--rounds N] [--workers N] [CASE]...

Cases: formats (each against u32), inputs (JSON lines and Parquet of the same words against lines of text), pipe
(shuffle | tokenize against the slower of the two), packing (windows against none, and their fill).

A document is a paragraph: lines of the text up to an empty one. The best of the rounds counts: every other process of
the machine makes one slower, none makes it faster.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

CORPUS = [sys.executable, "-m", "corpustools"]


def documents_of(path, size):
    """Paragraphs of a text, without their line breaks, and never empty."""
    with open(path, "rb") as file:
        data = file.read(size).decode("utf-8", "ignore")
    return [" ".join(part.split("\n")) for part in data.split("\n\n") if part.strip()]


def write_inputs(folder, documents):
    """The same documents as lines, as JSON lines of both kinds, and as Parquet."""
    paths = {name: os.path.join(folder, name) for name in ("lines", "jsonl", "ascii", "parquet")}
    with open(paths["lines"], "w", encoding="utf-8") as out:
        out.writelines(one + "\n" for one in documents)
    for name, ascii_only in (("jsonl", False), ("ascii", True)):
        with open(paths[name], "w", encoding="utf-8") as out:
            for i, one in enumerate(documents):
                row = {"id": i, "text": one, "meta": {"url": f"https://example.org/{i}", "score": 0.5}}
                out.write(json.dumps(row, ensure_ascii=ascii_only) + "\n")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        del paths["parquet"]
    else:
        table = pyarrow.table({"id": range(len(documents)), "text": documents})
        pyarrow.parquet.write_table(table, paths["parquet"], row_group_size=10_000)
    return paths


def race(commands, rounds, folder):
    """The least time and processor time of each command, a list or a line of shell; they take turns."""
    best = dict.fromkeys(commands, (float("inf"), float("inf")))
    for _ in range(rounds):
        for name, command in commands.items():
            out = os.path.join(folder, "out")
            shutil.rmtree(out, ignore_errors=True)
            os.mkdir(out)
            began, used = time.perf_counter(), children()
            done = subprocess.run(command, shell=isinstance(command, str), stderr=subprocess.PIPE, check=False)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr.decode()}")
            best[name] = min(best[name], (time.perf_counter() - began, children() - used))
    return best


def children():
    """Processor seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(best, base, start):
    """Print times, and what of the base's rate each has, start-up aside."""
    for name, (seconds, used) in best.items():
        ratio, of_use = ((best[base][i] - start[i]) / ((seconds, used)[i] - start[i]) for i in (0, 1))
        print(f"  {name:24} {seconds:7.2f} s   {ratio:5.2f} of the rate of {base}   ({of_use:.2f} by processor time)")


def tokenize(model, workers, source, *more):
    return [*CORPUS, "tokenize", "-q", "-m", model, "-j", str(workers), "--eos", source, *more]


def case_formats(options, folder, paths):
    """Every format beside u32."""
    from corpustools.formats import FORMATS, writer_class

    out = os.path.join(folder, "out", "x")
    commands = {}
    for name in ["u32", *FORMATS]:
        if name in ("pieces", "u16"):
            continue
        try:
            writer_class(name)
        except ImportError:
            continue
        commands[name] = tokenize(options.model, options.workers, paths["lines"], "-f", name, "-o", out)
    return commands, "u32"


def case_inputs(options, folder, paths):
    """The same words in other files."""
    out = ["-f", "u32", "-o", os.path.join(folder, "out", "x")]
    return {
        name: tokenize(options.model, options.workers, path, *out, *(["--field", "text"] if name != "lines" else []))
        for name, path in paths.items()
    }, "lines"


def case_packing(options, folder, paths):
    """Windows beside none."""
    out = ["-f", "u32", "-o", os.path.join(folder, "out", "x")]
    ways = {"no windows": [], "concat": ["--context", "2048"], "best-fit": ["--context", "2048", "--pack", "best-fit"]}
    ways["8 shards"] = ["--shards", "8", "-o", os.path.join(folder, "out", "x{shard}")]
    commands = {n: tokenize(options.model, options.workers, paths["lines"], *out, *more) for n, more in ways.items()}
    done = subprocess.run([*commands["best-fit"], "--progress", "json"], check=True, capture_output=True, text=True)
    print(done.stderr.strip()[-200:])
    return commands, "no windows"


def case_pipe(options, folder, paths):
    """Both commands, alone and as a pipe."""
    out = os.path.join(folder, "out", "x")
    shuffle = [*CORPUS, "shuffle", "-q", "-s", "1", paths["lines"]]
    commands = {
        "shuffle": [*shuffle, "-o", out],
        "tokenize": tokenize(options.model, options.workers, paths["lines"], "-f", "u32", "-o", out),
    }
    second = tokenize(options.model, options.workers, "-", "-f", "u32", "-o", out)
    commands["shuffle | tokenize"] = " ".join(shuffle) + " | " + " ".join(second)
    return commands, "tokenize"


def main():
    cases = {name.removeprefix("case_"): case for name, case in globals().items() if name.startswith("case_")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(cases))
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        documents = documents_of(options.text, int(options.megabytes * 1e6))
        paths = write_inputs(folder, documents)
        size = os.path.getsize(paths["lines"])
        print(f"{len(documents)} documents, {size / 1e6:.1f} MB, {options.workers} workers, best of {options.rounds}")
        empty = os.path.join(folder, "empty")
        with open(empty, "w", encoding="utf-8") as out:
            out.write("a\n")
        start = race({"start": tokenize(options.model, options.workers, empty, "-o", os.devnull)}, 3, folder)["start"]
        print(f"start-up {start[0]:.2f} s")
        for name in options.cases or cases:
            print(name)
            commands, base = cases[name](options, folder, paths)
            show(race(commands, options.rounds, folder), base, start)


if __name__ == "__main__":
    main()
