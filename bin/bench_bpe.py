#!/usr/bin/env python3
"""Byte-pair models: whole processes beside the libraries that know them, ratios of one run.

usage: bench_bpe.py MODEL TEXT [--json TOKENIZER_JSON] [--peers PYTHON] [--megabytes M] [--rounds N] [CASE]...

MODEL is any byte-pair model. TOKENIZER_JSON is the same one for the peers, where MODEL is of another kind. PYTHON is
the interpreter of an environment with tokenizers, gigatoken and zstandard; without it this one serves.

Cases:
- megatron: JSON lines under zstd to PREFIX.bin and PREFIX.idx on all processors. The peer is what NVIDIA's
  preprocess_data_fast.py does: gigatoken reads the decompressed file, keeps all ids in memory, and they are written.
- core: lines of text to u32 on one core, first pass, beside `tokenizers` (encode_batch_fast, batches of 1,000).
- engines: --engine auto and reference beside fast, and the library's own batch call with as many threads.
- mixture: --stochastic 0.1 and 1, and dropout, beside canonical; `tokenizers`' dropout.

A document is a run of paragraphs of about 3,000 bytes. The best of the rounds counts. The time of `corpus` holds the
loading of the model; the peers' does not.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from bench_formats import CORPUS

DOCUMENT_BYTES = 3000
GIGATOKEN = """
import os, struct, sys, time
import gigatoken, numpy, zstandard
source, out, model, eos = sys.argv[1:]
tokenizer = gigatoken.Tokenizer(model)
began = time.perf_counter()
with open(source, "rb") as packed, open(out + "/x.jsonl", "wb") as plain:
    zstandard.ZstdDecompressor().copy_stream(packed, plain)
layout = tokenizer.encode_files(gigatoken.JsonlFileSource([out + "/x.jsonl"])).layout
ids, offsets = numpy.asarray(layout.content.data), numpy.asarray(layout.offsets.data)
n = len(offsets) - 1
whole = numpy.full(len(ids) + n, int(eos), numpy.int32)
keep = numpy.ones(len(whole), bool)
keep[offsets[1:] + numpy.arange(n)] = False
whole[keep] = ids
lengths = (numpy.diff(offsets) + 1).astype(numpy.int32)
whole.tofile(out + "/peer.bin")
with open(out + "/peer.idx", "wb") as index:
    index.write(b"MMIDIDX\\0\\0" + struct.pack("<QBQQ", 1, 4, n, n + 1))
    lengths.tofile(index)
    (4 * numpy.concatenate([[0], numpy.cumsum(lengths[:-1], dtype=numpy.int64)])).tofile(index)
    numpy.arange(n + 1, dtype=numpy.int64).tofile(index)
print(time.perf_counter() - began, len(whole))
"""
TOKENIZERS = """
import sys, time
import numpy, tokenizers
source, out, model, dropout = sys.argv[1:]
tokenizer = tokenizers.Tokenizer.from_file(model)
if float(dropout):
    tokenizer.model.dropout = float(dropout)
with open(source, encoding="utf-8", newline="\\n") as file:
    lines = [line[:-1] for line in file]
began = time.perf_counter()
tokens = 0
with open(out + "/peer", "wb") as file:
    for at in range(0, len(lines), 1000):
        for one in tokenizer.encode_batch_fast(lines[at : at + 1000], add_special_tokens=False):
            ids = numpy.array(one.ids, numpy.uint32)
            tokens += len(ids)
            ids.tofile(file)
print(time.perf_counter() - began, tokens)
"""


def documents_of(path, size):
    """Texts of about DOCUMENT_BYTES without line breaks: whole paragraphs, and of long ones whole lines."""
    with open(path, "rb") as file:
        data = file.read(size).decode("utf-8", "ignore").replace("\r", "")
    out, held, filled = [], [], 0
    for line in data.split("\n"):
        held.append(line)
        filled += len(line.encode()) + 1
        if filled >= (2 * DOCUMENT_BYTES if line else DOCUMENT_BYTES):
            out.append(" ".join(held))
            held, filled = [], 0
    return [*out, " ".join(held)] if filled else out


class Race:
    """Commands that take turns; the least time of each, and the most memory."""

    def __init__(self, rounds, folder):
        self.rounds, self.folder = rounds, folder

    def run(self, sides):
        """Return {name: (seconds, MiB, what it printed)}; a side is a command and whether it times itself."""
        best = dict.fromkeys(sides, (float("inf"), 0.0, ""))
        for _ in range(self.rounds):
            for name, (command, own) in sides.items():
                shutil.rmtree(os.path.join(self.folder, "out"), ignore_errors=True)
                os.mkdir(os.path.join(self.folder, "out"))
                began = time.perf_counter()
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                watch = Watch(process.pid)
                said, errors = process.communicate()
                seconds, peak = time.perf_counter() - began, watch.stop()
                if process.returncode:
                    sys.exit(f"{name}: {errors}")
                if own:
                    seconds = float(said.split()[0])
                best[name] = (min(best[name][0], seconds), max(best[name][1], peak), said)
        return best


class Watch:
    """The high-water mark of a process's memory."""

    def __init__(self, pid):
        self.pid, self.peak, self.done = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        """Look again and again until the process ends."""
        while not self.done.wait(0.01):
            try:
                with open(f"/proc/{self.pid}/status") as file:
                    found = [int(line.split()[1]) for line in file if line.startswith("VmHWM")]
            except OSError:
                return
            self.peak = max(self.peak, *found, 0)

    def stop(self):
        """Return the mark in MiB."""
        self.done.set()
        self.thread.join()
        return self.peak / 1024


def show(best, base, size):
    for name, (seconds, peak, _) in best.items():
        ratio = best[base][0] / seconds
        print(f"  {name:28} {seconds:8.2f} s {size / seconds / 1e6:8.1f} MB/s {peak:7.0f} MiB  {ratio:6.2f} x {base}")


def case_megatron(options, race, paths, size):
    """JSON lines to what Megatron reads."""
    out = os.path.join(race.folder, "out", "x")
    best = race.run(
        {
            "gigatoken": (
                [options.peers, "-c", GIGATOKEN, paths["zst"], os.path.dirname(out), options.json, "0"],
                True,
            ),
            "corpus": ([*command(options), paths["zst"], "--field", "text", "-f", "megatron", "-o", out], False),
        }
    )
    show(best, "gigatoken", size)


def case_core(options, race, paths, size):
    """One core, first pass."""
    # What a process may run on is handed down.
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    out = os.path.join(race.folder, "out", "x")
    best = race.run(
        {
            "tokenizers": (peer(options, race, paths["few"], 0.0), True),
            "corpus, the same lines": ([*command(options, 1), paths["few"], "-f", "u32", "-o", out], False),
            "corpus, all lines": ([*command(options, 1), paths["lines"], "-f", "u32", "-o", out], False),
        }
    )
    os.sched_setaffinity(0, allowed)
    few = os.path.getsize(paths["few"])
    rate = {name: (few if name != "corpus, all lines" else size) / best[name][0] / 1e6 for name in best}
    for name, one in rate.items():
        print(f"  {name:28} {best[name][0]:8.2f} s {one:8.1f} MB/s  {one / rate['tokenizers']:6.1f} x tokenizers")


def case_engines(options, race, paths, size):
    """The guard's price, and the reference library through us and alone."""
    out = ["-f", "u32", "-o", os.path.join(race.folder, "out", "x")]
    ways = {f"corpus, {engine}": [*command(options), "--engine", engine] for engine in ("fast", "auto", "reference")}
    show(
        race.run({n: ([*c, paths["lines"], *out], False) for n, c in ways.items() if "ref" not in n}),
        "corpus, fast",
        size,
    )
    sides = {"corpus, reference": ([*ways["corpus, reference"], paths["few"], *out], False)}
    sides["tokenizers"] = (peer(options, race, paths["few"], 0.0, parallel=True), True)
    show(race.run(sides), "tokenizers", os.path.getsize(paths["few"]))


def case_mixture(options, race, paths, size):
    """Stochastic segmentations beside the canonical one."""
    out = [paths["lines"], "-f", "u32", "-o", os.path.join(race.folder, "out", "x")]
    ways = {
        "canonical": [],
        "stochastic 0.1": ["--stochastic", "0.1", "-s", "1"],
        "stochastic 1": ["--stochastic", "1", "-s", "1"],
        "dropout 0.1": ["--mode", "dropout", "--dropout", "0.1", "-s", "1"],
    }
    show(race.run({n: ([*command(options, 1), *more, *out], False) for n, more in ways.items()}), "canonical", size)
    few = ["-f", "u32", "-o", os.path.join(race.folder, "out", "x")]
    sides = {"corpus, dropout 0.1": ([*command(options, 1), *ways["dropout 0.1"], paths["few"], *few], False)}
    sides["tokenizers, dropout 0.1"] = (peer(options, race, paths["few"], 0.1), True)
    show(race.run(sides), "tokenizers, dropout 0.1", os.path.getsize(paths["few"]))


def command(options, workers=None):
    most = len(os.sched_getaffinity(0))
    return [*CORPUS, "tokenize", "-q", "-m", options.model, "-j", str(workers or most)]


def peer(options, race, source, dropout, parallel=False):
    environment = [] if parallel else ["env", "TOKENIZERS_PARALLELISM=false", "RAYON_NUM_THREADS=1"]
    out = os.path.join(race.folder, "out")
    return [*environment, options.peers, "-c", TOKENIZERS, source, out, options.json, str(dropout)]


def main():
    cases = {name.removeprefix("case_"): case for name, case in globals().items() if name.startswith("case_")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--json", metavar="TOKENIZER_JSON")
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--megabytes", type=float, default=400.0)
    parser.add_argument("--few", type=float, default=8.0, help="megabytes of the part that slow peers take")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    options = parser.parse_intermixed_args()
    options.json = options.json or options.model
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        documents = documents_of(options.text, int(options.megabytes * 1e6))
        paths = {name: os.path.join(folder, name) for name in ("zst", "lines", "few")}
        size = write_inputs(paths, documents, int(options.few * 1e6))
        print(f"{len(documents)} documents, {size / 1e6:.0f} MB of text, {os.path.basename(options.model)}")
        for name in options.cases or cases:
            print(name)
            cases[name](options, Race(options.rounds, folder), paths, size)


def write_inputs(paths, documents, few):
    """Write the documents as JSON lines under zstd and as lines of text; return the bytes of the text."""
    import zstandard

    with open(paths["zst"], "wb") as file, zstandard.ZstdCompressor(3).stream_writer(file) as packed:
        for i, one in enumerate(documents):
            packed.write(json.dumps({"id": i, "text": one}, ensure_ascii=False).encode() + b"\n")
    size = 0
    with open(paths["lines"], "wb") as lines, open(paths["few"], "wb") as head:
        for one in documents:
            line = one.encode() + b"\n"
            lines.write(line)
            if size < few:
                head.write(line)
            size += len(line)
    return size


if __name__ == "__main__":
    main()
