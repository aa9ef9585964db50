#!/usr/bin/env python3
"""Speed of tokenization against SentencePiece and, where installed, bytepiece and rs_bytepiece: ratios of one run.

usage: bench_tokenize.py [MODEL TEXT] [--megabytes M] [--alpha A] [--processes]

Without arguments it trains a SentencePiece Unigram of 8,000 pieces on the standard library's sources and reads them.

Every side works on the same lines in memory, on one core: SentencePiece returns lists of ids; `corpus` normalises,
segments and formats lines of ids, as its command does. The best of three rounds, the sides in turn. Sampling by the
peers is timed on the first part of the text. --processes runs the command itself instead, on all of the text: one
worker against two, and the text as one line against its lines, with peak memory.
"""

import argparse
import glob
import itertools
import os
import statistics
import sys
import sysconfig
import tempfile
import time

import numpy as np

from corpustools.files.batches import cut_records
from corpustools.files.chunks import RecordFormat
from corpustools.stages.tokenize.pipeline import Pipeline
from corpustools.stages.tokenize.request import TokenizeRequest
from corpustools.stages.tokenize.tokenizer import Tokenizer


def sentencepiece_sides(path, lines, alpha):
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    few = lines[: max(1, len(lines) // 8)]
    return {
        "sentencepiece encode": (lines, lambda some: processor.encode(some, num_threads=1)),
        "sentencepiece sample": (
            few,
            lambda some: [processor.encode(s, enable_sampling=True, alpha=alpha, nbest_size=-1) for s in some],
        ),
    }


def bytepiece_sides(path, lines, alpha):
    sides = {}
    few = lines[: max(1, len(lines) // 16)]
    for name in ("bytepiece", "rs_bytepiece"):
        try:
            module = __import__(name)
            peer = module.Tokenizer(path)
        except Exception as error:  # noqa: BLE001 - a peer that does not load is left out, whatever its reason
            print(f"{name}: not measured ({type(error).__name__}: {error})", file=sys.stderr)
            continue
        sides[f"{name} encode"] = (few, lambda some, peer=peer: [peer.encode(s) for s in some])
        sides[f"{name} sample"] = (few, lambda some, peer=peer: [peer.encode(s, alpha=alpha) for s in some])
    return sides


def own_model(folder):
    import sentencepiece

    text, prefix = os.path.join(folder, "text"), os.path.join(folder, "model")
    with open(text, "wb") as out:
        for path in sorted(glob.glob(os.path.join(sysconfig.get_paths()["stdlib"], "*.py"))):
            with open(path, "rb") as file:
                out.write(file.read())
    options = {"vocab_size": 8000, "hard_vocab_limit": False, "max_sentence_length": 2000, "minloglevel": 3}
    sentencepiece.SentencePieceTrainer.train(input=text, model_prefix=prefix, input_sentence_size=60000, **options)
    return prefix + ".model", text


def own_sides(tokenizer, lines, alpha):
    data = "".join(line + "\n" for line in lines).encode()
    cuts = [0]
    while cuts[-1] < len(data):
        cuts.append(data.find(b"\n", cuts[-1] + (1 << 20)) + 1 or len(data))
    batches = [cut_records(data[a:b], 0, RecordFormat()) for a, b in itertools.pairwise(cuts)]

    def side(**options):
        pipeline = Pipeline(tokenizer, TokenizeRequest(**options))
        return lines, lambda _: [pipeline.output_of(batch) for batch in batches]

    normalizer = tokenizer.model.normalizer
    sides = {
        "corpus normalise": (lines, lambda _: [normalizer.normalize_batch(b.data, b.starts, b.ends) for b in batches]),
        "corpus viterbi": side(),
        "corpus sample": side(mode="sample", alpha=alpha),
    }
    if tokenizer.model.kind.startswith("sentencepiece"):
        sides["corpus viterbi f64"] = side(scores="f64")
    return sides


def processes(model, text, alpha):
    """Whole processes in turn, the median of three rounds after one that is not counted."""
    from bench_shuffle import run

    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        with open(text, "rb") as file:
            data = file.read().rstrip(b"\n")
        files = {"letter": b"a\n", "lines": data + b"\n", "line": data.replace(b"\n", b" ") + b"\n"}
        for name, content in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        command = [sys.executable, "-m", "corpustools", "tokenize", "-m", model, "-q", "-f", "u32", "-o", os.devnull]
        sample = [*command, "--alpha", str(alpha)]
        cases = {
            "start, one letter": [*sample, "-j", "1", os.path.join(folder, "letter")],
            "sample, one worker": [*sample, "-j", "1", os.path.join(folder, "lines")],
            "sample, two workers": [*sample, "-j", "2", os.path.join(folder, "lines")],
            "sample, one line": [*sample, "-j", "1", os.path.join(folder, "line")],
            "best path, one worker": [*command, "-j", "1", os.path.join(folder, "lines")],
            "best path, two workers": [*command, "-j", "2", os.path.join(folder, "lines")],
            "best path, one line": [*command, "-j", "1", os.path.join(folder, "line")],
        }
        rounds = [{name: run(case) for name, case in cases.items()} for _ in range(4)][1:]
    seconds = {name: statistics.median(one[name][0] for one in rounds) for name in cases}
    peaks = {name: max(one[name][1] for one in rounds) for name in cases}
    start = seconds["start, one letter"]
    for name in cases:
        rate = len(data) / max(seconds[name] - start, 1e-9) / 1e6
        more = "" if name.startswith("start") else f"{rate:8.1f} MB/s without the start"
        print(f"{name:24} {seconds[name]:7.2f} s {peaks[name] / 2**20:8.1f} MiB {more}")
    for kind in ("sample", "best path"):
        one, two, line = (seconds[f"{kind}, {how}"] for how in ("one worker", "two workers", "one line"))
        print(f"{kind}: two workers {one / two:.2f} x, without the start {(one - start) / (two - start):.2f} x")
        above = (peaks[f"{kind}, one line"] - peaks["start, one letter"]) / 2**20
        print(f"{kind}: as one line {(line - start) / (one - start):.2f} of the time, {above:.1f} MiB above one letter")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("text", nargs="?")
    parser.add_argument("--megabytes", type=float, default=8.0)
    parser.add_argument("--alpha", type=float, default=0.2)
    parser.add_argument("--processes", action="store_true")
    options = parser.parse_args()
    if options.processes and options.text:
        processes(options.model, options.text, options.alpha)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if options.text is None:
        folder = tempfile.TemporaryDirectory()
        options.model, options.text = own_model(folder.name)
    began = time.perf_counter()
    tokenizer = Tokenizer.load(options.model)
    print(f"model loaded in {time.perf_counter() - began:.2f} s, {len(tokenizer)} pieces")
    with open(options.text, "rb") as file:
        data = file.read(int(options.megabytes * 1e6))
    lines = data[: data.rfind(b"\n")].decode("utf-8", "replace").split("\n")
    peers = bytepiece_sides if tokenizer.model.kind == "bytepiece" else sentencepiece_sides
    sides = own_sides(tokenizer, lines, options.alpha) | peers(options.model, lines, options.alpha)
    rates = dict.fromkeys(sides, 0.0)
    for _ in range(3):
        for name, (some, run) in sides.items():
            size = sum(len(line.encode()) + 1 for line in some)
            began = time.process_time()
            run(some)
            rates[name] = max(rates[name], size / (time.process_time() - began) / 1e6)
    for name, rate in rates.items():
        print(f"{name:24} {rate:8.2f} MB/s")
    for peer in ("sentencepiece", "bytepiece", "rs_bytepiece"):
        for own, other in (("viterbi", "encode"), ("viterbi f64", "encode"), ("sample", "sample")):
            if f"{peer} {other}" in rates and f"corpus {own}" in rates:
                print(f"corpus {own} / {peer} {other}: {rates[f'corpus {own}'] / rates[f'{peer} {other}']:.2f}")
    print(f"sample time / viterbi time: {rates['corpus viterbi'] / rates['corpus sample']:.2f}")
    assert np.isfinite(list(rates.values())).all()


if __name__ == "__main__":
    main()
