#!/usr/bin/env python3
"""Compare our segmentations with those of a model's own library on real text, and prove every difference.

usage: parity.py MODEL TEXT... [--lines N] [--list FILE] [--megabytes M] [--threads N]

MODEL is a SentencePiece .model, a tokenizer.json, a bytepiece .model, a tiktoken rank file or a tekken.json; the peer
is sentencepiece, tokenizers, bytepiece or rs_bytepiece, tiktoken or a conversion for tokenizers (--peer NAME chooses).
Best segmentations, and of byte-pair models the canonical ones, have to be equal on every line. With --lines N a text
is N lines instead of one.

Of SentencePiece Unigram --scores f64 is compared too, and a line that differs is proved: both paths are laid through
the same normalised text and their scores added up exactly (the stored scores are floats, so their sums are
rationals). In a near-tie no stretch between positions that both pass differs by more than rounding can hide there: the
better one has to be ours, up to the bound of float64, and the peer's may be worse by at most the bound of the peer's
arithmetic. Anything else is printed in full, and the exit status is 1. --list writes every near-tie as a JSON line.

Texts that are not UTF-8 go to SentencePiece as they are. The other peers take str: there both sides are given U+FFFD
for what is no UTF-8, and such texts are counted apart.
"""

import argparse
import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from decimal import Decimal, localcontext
from fractions import Fraction

from parity_peers import PEERS, load_peer, texts_of
from parity_proof import Proof, Prover

from corpustools.errors import CorpusError
from corpustools.stages.tokenize.tokenizer import Tokenizer

BATCH = 1 << 20


class Comparison:
    """Counts, and what is said of every difference."""

    def __init__(self, tokenizer, peer, listing=None):
        self.encode, digits, self.takes_bytes, _ = peer
        self.tokenizer, self.listing = tokenizer, listing
        # Merges have no scores that a difference could be proved by.
        self.prover = Prover(tokenizer, digits) if tokenizer.model.weighted else None
        self.modes = ["auto", "f64"] if self.prover and digits == 24 else ["auto"]
        self.counts = {mode: Counter() for mode in self.modes}
        self.texts = self.bytes = self.odd = self.tokens = 0
        self.largest = Fraction(0)

    def add(self, path, numbered):
        """Compare one batch."""
        texts = [line for _, line in numbered]
        self.texts += len(texts)
        self.bytes += sum(map(len, texts)) + len(texts)
        given = texts
        for i, text in enumerate(texts):
            try:
                text.decode()
            except UnicodeDecodeError:
                self.odd += 1
                if not self.takes_bytes:
                    texts[i] = text.decode("utf-8", "replace").encode()
        if not self.takes_bytes:
            given = [text.decode() for text in texts]
        theirs = self.encode(given)
        self.tokens += sum(map(len, theirs))
        for mode in self.modes:
            ids, offsets = self.tokenizer.encode_batch(texts, scores=mode)
            ids, offsets = ids.tolist(), offsets.tolist()
            for i, (low, high) in enumerate(itertools.pairwise(offsets)):
                if ids[low:high] == theirs[i]:
                    self.counts[mode]["equal"] += 1
                else:
                    self.differ(mode, path, numbered[i][0], texts[i], ids[low:high], theirs[i])

    def differ(self, mode, path, number, text, ours, theirs):
        """Prove one difference and say what it is."""
        proof = self.prover.prove(text, ours, theirs) if self.prover else Proof("unexplained", self.first(ours, theirs))
        if self.prover and mode == "auto" and proof.kind != "unexplained":
            proof = Proof("unexplained", "the default has to be equal", *list(vars(proof).values())[2:])
        self.counts[mode][proof.kind] += 1
        facts = {
            "file": path,
            "line": number,
            "text": text.decode("utf-8", "backslashreplace"),
            "kind": proof.kind,
            "ours": ours,
            "theirs": theirs,
            "our_score": decimal(proof.ours),
            "their_score": decimal(proof.theirs),
            "difference": f"{float(proof.ours - proof.theirs):.6g}",
            "bound": f"{float(proof.bound):.6g}",
        }
        if proof.kind == "unexplained":
            print(json.dumps({"unexplained": proof.reason, "scores": mode, **facts}, ensure_ascii=False), flush=True)
        else:
            self.largest = max(self.largest, proof.share)
            if self.listing is not None:
                self.listing.write(json.dumps(facts, ensure_ascii=False) + "\n")

    def first(self, ours, theirs):
        """Return where the ids of a text differ first, with the pieces from there on."""
        place = next(
            (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
        )
        names = [" ".join(map(self.tokenizer.id_to_piece, ids[place : place + 3])) for ids in (ours, theirs)]
        return f"token {place}: {names[0]!r} here, {names[1]!r} there"

    @property
    def unexplained(self):
        """How many differences have no proof."""
        return sum(counts["unexplained"] for counts in self.counts.values())

    def summary(self):
        """Return what was found, in lines."""
        apart = "" if self.takes_bytes else " (given to both with U+FFFD)"
        yield f"{self.texts:,} texts, {self.bytes:,} bytes, {self.tokens:,} tokens; {self.odd:,} texts no UTF-8{apart}"
        for mode, counts in self.counts.items():
            near = counts["tie"] + counts["near"] + counts["behind"]
            detail = f" ({counts['tie']:,} exact ties, {counts['behind']:,} with ours behind)" if near else ""
            proved = f"{counts['equal']:,} equal, {near:,} near-ties{detail}"
            yield f"{mode}: {proved}, {counts['unexplained']:,} unexplained"
        if self.largest:
            yield f"the largest difference of a stretch is {float(self.largest):.3f} of its bound"


def decimal(value):
    """Return a rational with a power of two below it as its whole decimal expansion."""
    with localcontext(prec=2000):
        return str(Decimal(value.numerator) / Decimal(value.denominator))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--lines", type=int, default=1, help="of a text")
    parser.add_argument("--list", metavar="FILE", help="every near-tie as a JSON line")
    parser.add_argument("--megabytes", type=float, default=float("inf"), help="of the texts together")
    parser.add_argument("--threads", type=int, default=2, help="of the peer")
    parser.add_argument("--peer", choices=PEERS)
    options = parser.parse_args()
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        listing = stack.enter_context(open(options.list, "w", encoding="utf-8")) if options.list else None
        try:
            tokenizer = Tokenizer.load(options.model)
            peer = load_peer(tokenizer.model.kind, options.model, options.threads, options.peer)
        except CorpusError as error:
            sys.exit(f"parity: {error}")
        comparison = Comparison(tokenizer, peer, listing)
        for path, numbered in texts_of(options.texts, options.megabytes * 1e6, options.lines, BATCH):
            comparison.add(path, numbered)
    print(f"{options.model}, {len(tokenizer):,} pieces, against {peer[3]}: {', '.join(options.texts)}")
    print("\n".join(comparison.summary()))
    print(f"in {time.perf_counter() - began:.0f} s")
    return 1 if comparison.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
