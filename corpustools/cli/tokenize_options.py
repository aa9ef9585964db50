"""The options of `corpus tokenize` in groups: how text is segmented, and how ids are laid out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from corpustools.cli.options import Command
from corpustools.formats.layout import PACKINGS


def together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return what adds several options to a command, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


# What says which segmentations of a record are written.
segmentation_options = together(
    click.option(
        "--mode",
        type=click.Choice(["viterbi", "canonical", "sample", "viterbi-sampling", "stochastic", "dropout"]),
        help="viterbi writes the best segmentation, canonical what the merges of a byte-pair model make, "
        "sample an exact sample. viterbi-sampling is Su's first algorithm; it is biased and kept for "
        "comparison.  [default: what the model's own library does, canonical or viterbi; with --alpha "
        "sample]",
    ),
    click.option(
        "--alpha",
        type=float,
        metavar="A",
        help="Sample with the probabilities raised to this power, 0 or more. 0 makes all segmentations "
        "equally likely.  [default: 1, where samples are drawn]",
    ),
    click.option(
        "--stochastic",
        type=float,
        metavar="P",
        help="Of a byte-pair model: draw each word with probability P, uniformly among its segmentations, and leave it "
        "canonical else. --length-weight and --counts make it another distribution.",
    ),
    click.option(
        "--dropout",
        type=float,
        metavar="P",
        help="Of a byte-pair model: leave each possible merge out of a step with probability P (BPE-dropout). There "
        "are no exact probabilities as with --stochastic.",
    ),
    click.option(
        "--counts",
        metavar="FILE",
        help="With --stochastic, draw with P = product of p(token)^alpha, where p is a token's share in FILE, which "
        "--count-tokens wrote. Each token counts once more, so that none is impossible.",
    ),
    click.option(
        "--count-tokens",
        metavar="FILE",
        help="Write how often each id was written: lines of an id, a tab and a number.",
    ),
    click.option(
        "--length-weight",
        type=float,
        default=1.0,
        metavar="L",
        help="Multiply the weight of a segmentation by L for every token. Below 1, samples have fewer and "
        "longer tokens.  [default: 1]",
    ),
    click.option(
        "-s",
        "--seed",
        metavar="TEXT",
        help="Any text. The same seed gives the same samples.  [default: random, printed at the end]",
    ),
    click.option(
        "--epoch",
        type=int,
        default=0,
        metavar="N",
        help="Draw a fresh, reproducible set of samples for training epoch N.  [default: 0]",
    ),
    click.option(
        "--samples",
        type=int,
        default=1,
        metavar="K",
        help="Draw K samples of each record, and write them one after another.  [default: 1]",
    ),
    click.option(
        "--unique",
        is_flag=True,
        help="Draw without replacement. A record with fewer than K segmentations gets all of them.",
    ),
    click.option(
        "--nbest",
        type=click.IntRange(min=1),
        metavar="K",
        help="Write the K best segmentations of each record, the best first.",
    ),
)


# What says how ids become documents, windows and shards.
layout_options = together(
    click.option("--bos", is_flag=True, help="Write the model's begin (bos) id before every segmentation."),
    click.option("--eos", is_flag=True, help="Write the model's end (eos) id after every segmentation."),
    click.option(
        "--context",
        type=click.IntRange(min=1),
        metavar="L",
        help="Lay the ids of all segmentations out over windows of L ids; usually with --eos. With --part "
        "each part makes windows of its own.",
    ),
    click.option(
        "--pack",
        type=click.Choice(PACKINGS),
        default="concat",
        show_default=True,
        help="concat cuts a segmentation where a window is full, and drops and counts an incomplete last "
        "window. best-fit puts whole segmentations together and cuts only those longer than L; it "
        "changes their order a little, and pads windows where the format needs all of one length.",
    ),
    click.option(
        "--shards",
        type=click.IntRange(min=1),
        metavar="N",
        help="Write N shards of about equally many ids; a temporary file beside the output keeps the ids "
        "until the end.",
    ),
    click.option(
        "--shard-tokens",
        type=click.IntRange(min=1),
        metavar="N",
        help="End a shard with the segmentation that brings it to N ids.",
    ),
    click.option(
        "--provenance",
        metavar="FILE",
        help="Write a row for each segmentation: input, record number, tokens, and the shard and place of "
        "its first token. Columns are separated by tabs; with the suffix .parquet it is a Parquet "
        "file.",
    ),
)
