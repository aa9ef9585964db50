"""What `corpus tokenize` says on standard error and in the manifest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from corpustools.cli.report import EMPTY, Reporter, human
from corpustools.formats import writer_class

if TYPE_CHECKING:
    from corpustools.stages.tokenize.request import TokenizeRequest
    from corpustools.stages.tokenize.results import TokenizeResult


def note_unused(report: Reporter, request: TokenizeRequest, options: dict[str, Any]) -> None:
    """Name the flags that were given and that no part of the output depends on."""
    if request.drawn:
        return
    given = {"--seed": options["seed"], "--epoch": options["epoch"]}
    if not set(request.columns) & {"logprob", "logz", "entropy", "length"}:
        weighted = options["length_weight"] != 1
        given |= {"--alpha": options["alpha"] is not None, "--length-weight": weighted}
    unused = [flag for flag, value in given.items() if value]
    if unused:
        which = "canonical" if request.mode == "canonical" else "best"
        report.note(f"{' and '.join(unused)} change nothing about {which} segmentations; --alpha asks for samples")


def note_marks(report: Reporter, request: TokenizeRequest) -> None:
    """Say that documents will run into each other, because the mark that readers look for is not written."""
    mark = writer_class(request.format).found_by
    if mark and not getattr(request, mark):
        report.note(f"readers of format {request.format} find documents by the {mark} id; --{mark} writes it")


def facts_of(request: TokenizeRequest) -> dict[str, Any]:
    """Return what the manifest and the summary tell of a request."""
    facts: dict[str, Any] = {"mode": request.mode, "bos": request.bos, "eos": request.eos}
    if request.mode == "dropout":
        facts |= {"dropout": request.dropout, "seed": request.seed, "epoch": request.epoch}
    elif request.drawn:
        facts |= {"alpha": request.alpha, "seed": request.seed, "epoch": request.epoch}
    if request.mode == "stochastic":
        facts |= {"stochastic": request.stochastic, "length_weight": request.length_weight}
    if request.counts is not None:
        facts["counts"] = request.counts
    if request.context:
        facts |= {"context": request.context, "pack": request.pack}
    return facts


def options_of(request: TokenizeRequest) -> dict[str, Any]:
    """Return every option of a request that the output depends on, for the manifest."""
    options = asdict(request)
    del options["workers"], options["provenance"]
    return options


def summarize(report: Reporter, request: TokenizeRequest, result: TokenizeResult) -> None:
    """Print what was done."""
    if not (result.records or result.skipped or request.part):
        report.warn(EMPTY)
    facts = facts_of(request)
    counted = {"windows": result.windows, "dropped": result.dropped, "padding": result.padding, "shards": result.shards}
    facts |= {name: value for name, value in counted.items() if value is not None}
    if result.engine or result.checked is not None:
        made = {"engine": result.engine, "library": result.library, "checked": result.checked, "others": result.others}
        facts |= {name: value for name, value in made.items() if value is not None}
        note_engines(report, result)
    if result.growth is not None:
        facts["growth"] = round(result.growth, 6)
    if result.skipped:
        facts |= {"skipped": result.skipped, "first_skipped": result.first_skipped}
    if result.special:
        facts |= {"special": result.special, "first_special": result.first_special}
    if result.first_special and writer_class(request.format).trains:
        report.warn(warning_of(result.special, *result.first_special))
    report.summary(
        line_of(request, result),
        records=result.records,
        tokens=result.tokens,
        bytes=result.bytes,
        seconds=round(result.seconds, 3),
        **facts,
    )


def note_engines(report: Reporter, result: TokenizeResult) -> None:
    """Say what another user of the ids may want to know of the engine that made them."""
    from corpustools.stages.tokenize.results import UNREAD

    if result.unchecked and result.unchecked != UNREAD:
        report.note(f"ids were not checked against the model's own library: {result.unchecked}")
    if result.others:
        what = "records that are not UTF-8, or longer than 16 MiB,"
        report.note(f"{result.others} {what} were written by our engine: {result.library} does not take them")


def warning_of(documents: int, place: str, token: str) -> str:
    """Return what to tell of documents in which text became a special token."""
    others = f" and {documents - 1} more" if documents > 1 else ""
    return (
        f"{place}{others}: text became the special token {token!r}, and readers cannot tell it from a real one; "
        "--special text keeps it text"
    )


def line_of(request: TokenizeRequest, result: TokenizeResult) -> str:
    """Return what was done, in one line for people."""
    packed = drawn = special = skipped = checked = ""
    if result.windows is not None:
        lost = f"{result.dropped} dropped" if result.padding is None else f"{result.fill or 0:.2%} full"
        packed = f" in {result.windows} windows of {request.context} ({lost})"
    if result.shards is not None:
        packed += f" in {result.shards} shards"
    if request.drawn:
        drawn = f", --seed {request.seed}"
    if result.growth is not None:
        drawn = f", {result.growth:.1%} more tokens expected than canonical ones{drawn}"
    if result.special:
        special = f", {result.special} documents with special tokens made of text"
    if result.checked and result.library:
        checked = f", {result.checked} documents checked by {result.library}"
    if result.skipped:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(result.skipped.items()))
        skipped = f"; {sum(result.skipped.values())} bad records skipped ({causes}), first {result.first_skipped}"
    rate = result.tokens / max(result.seconds, 1e-9) / 1e6
    return (
        f"{result.records} records, {result.tokens} tokens{packed}, {human(result.bytes)} "
        f"in {result.seconds:.1f} s ({rate:.1f} M tokens/s){special}{checked}{drawn}{skipped}"
    )
