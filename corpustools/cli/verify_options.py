"""The odd parts of `corpus verify`'s command line: a --source of many names, and how ids were drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class VerifyCommand(click.Command):
    """A command whose --source takes all names up to the next option, as a shell's pattern gives them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with one --source for each name behind one."""
        spread: list[str] = []
        behind = first = False
        for i, word in enumerate(args):
            if word == "--":
                spread += args[i:]
                break
            if word == "--source":
                behind = first = True
                continue
            if word.startswith("-") and word != "-":
                behind = False
            spread += ["--source", word] if behind else [word]
            first = first and not behind
        if first:
            raise click.UsageError("--source without a name; give the files that went in", ctx)
        return super().parse_args(ctx, spread)


def drawn_options(command: Command) -> Command:
    """Add what says how ids were made, which nothing but windows of best-fit asks for."""
    options = [
        click.option(
            "--mode",
            type=click.Choice(["viterbi", "canonical", "sample", "viterbi-sampling"]),
            help="How the ids of best-fit windows were made. This and what follows is as in corpus tokenize, and only "
            "those windows need it.  [default: the model's own; with --alpha sample]",
        ),
        click.option("--alpha", type=float, metavar="A", help="The power of the probabilities.  [default: 1]"),
        click.option("--length-weight", type=float, default=1.0, metavar="L", help="The factor for every token."),
        click.option("-s", "--seed", metavar="TEXT", help="The seed of the samples."),
        click.option("--epoch", type=click.IntRange(min=0), default=0, metavar="N", help="The epoch of the samples."),
        click.option("--unique", is_flag=True, help="Samples were drawn without replacement."),
        click.option("--nbest", type=click.IntRange(min=1), metavar="K", help="There are the K best segmentations."),
        click.option(
            "--scores", type=click.Choice(["auto", "f64", "f32"]), default="auto", help="How scores were added up."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command
