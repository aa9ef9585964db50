"""Draws the plots of the benches, and makes their tables, from what a run of bin/bench shuffle wrote.

    bin/bench plots FILE [--folder docs/plots] [--into docs/benchmarks.md]

FILE is the JSON of that run. The tables are printed, or take the place of what stands between the two marks in a
document. Drawing needs matplotlib: pip install 'corpustools[plots]'.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from measure import MIB, Race, Run, median

# Those that are drawn: what stands below the plot, and its title.
CURVES = {
    "lengths": ("bytes a line", "Length of lines, in memory"),
    "shares": ("memory / file", "Memory beside the file's size"),
    "growth": ("GB of text", "Size of the file, on a disk at 512 MiB"),
    "workers": ("workers", "Workers, in memory"),
}
# Readable on white and on nearly black: the plot itself has no background.
GREY = "#7d7d7d"
COLOURS = {"corpus": "#2186c8", "GNU shuf": "#d9660a", "terashuf": "#a770b8"}
COPYING = "#11a37c"
MARKS = ("<!-- figures of bin/bench shuffle: begin -->", "<!-- figures of bin/bench shuffle: end -->")
COLUMNS = (
    "seconds", "MB/s", "user + system s", "system s", "page cache MiB", "temporary GB", "peak MiB",
    "s a GiB of new memory",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--folder", type=Path, help="draw there; beside the file unless given")
    parser.add_argument("--into", type=Path, help="the document that takes the tables")
    options = parser.parse_args()
    data = json.loads(options.file.read_text("utf-8"))
    races = [Race.from_data(one) for one in data["races"]]
    folder = options.folder or options.file.parent
    drawn = draw(races, folder)
    lines = [f"{name.capitalize()}: {value}." for name, value in data["about"].items() if name != "programs"]
    programs = ", ".join(f"{name}: {version}" for name, version in data["about"]["programs"].items())
    lines += [f"Peers: {programs}.", "", *tables(races)]
    if options.into is None:
        print("\n".join(lines))
    else:
        beside = options.into.parent
        pictures = [f"![{CURVES[path.stem][1]}]({os.path.relpath(path, beside)})" for path in drawn]
        put_into(options.into, "\n".join([*lines, *pictures]))


def put_into(document: Path, text: str) -> None:
    """Put a text between the two marks of a document, in the place of what stands there."""
    whole = document.read_text("utf-8")
    before, begin, rest = whole.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not begin or not end:
        sys.exit(f"{document}: the marks {MARKS[0]} and {MARKS[1]} are not there")
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")


def tables(races: list[Race]) -> list[str]:
    """Return the races as tables in Markdown, those of one case and kind in one table."""
    lines = []
    for (case, about), group in groupby(races, key=lambda one: (one.case, one.about)):
        group = list(group)
        rounds = min(len(runs) for found in group for runs in found.runs.values())
        counted = f"{rounds} round{'s' * (rounds > 1)}"
        reference = group[0].reference
        compared = f"times as fast as {reference}" if reference else "ours is so many times as fast"
        columns = [*COLUMNS, compared]
        lines += [
            f"**{case}**: {about}, {counted}",
            "",
            f"| | {' | '.join(columns)} |",
            "|---" * (len(columns) + 1) + "|",
        ]
        for found in group:
            lines += [row(found, name) for name in found.runs]
        lines.append("")
    return lines


def row(found: Race, name: str) -> str:
    """Return one side of a race as a row: least / median / largest time, medians of the rest, ratios of pairs."""
    runs = found.runs[name]
    walls = sorted(one.wall for one in runs)
    ratios = found.ratios(name)
    itself = name == (found.reference or next(iter(found.runs)))
    speed = f"{found.size / median(walls) / 1e6:.0f}" if found.size else ""
    size = f", {found.size / 1e9:.3g} GB" if found.size else ""
    at = f" at {found.x:g}" if found.x is not None else ""
    cells = (
        " / ".join(f"{wall:.2f}" for wall in (walls[0], median(walls), walls[-1])), speed,
        f"{of(runs, 'user') + of(runs, 'system'):.2f}", f"{of(runs, 'system'):.2f}",
        f"{of(runs, 'grown') / MIB:+.0f}" + f", its files at most {of(runs, 'cached') / MIB:.0f}" * found.cold,
        f"{of(runs, 'temporary') / 1e9:.2f}", f"{max(one.peak for one in runs) / MIB:.0f}", f"{of(runs, 'touch'):.2f}",
        "" if itself else f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
    )  # fmt: skip
    named = name.replace("|", "\\|")
    return f"| {named}{at}{size} | " + " | ".join(cells) + " |"


def of(runs: list[Run], what: str) -> float:
    """Return the median of one of the measures."""
    return median([getattr(one, what) for one in runs])


def draw(races: list[Race], folder: Path) -> list[Path]:
    """Draw every curve of which there are two points, and return the files."""
    curves = {case: [one for one in races if one.case == case] for case in CURVES}
    curves = {case: points for case, points in curves.items() if len(points) > 1}
    if not curves:
        return []
    matplotlib = require_matplotlib()
    matplotlib.use("svg")
    # Words stay words, so that the files are small, and the same figures give the same bytes.
    style = {"svg.fonttype": "none", "svg.hashsalt": "corpus", "font.size": 9}
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY)
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(style):
        return [draw_curve(case, points, folder / f"{case}.svg") for case, points in curves.items()]


def require_matplotlib() -> Any:
    """Return the library that draws; without it, end with one line."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("bench: drawing needs matplotlib: pip install 'corpustools[plots]'")
    return matplotlib


def draw_curve(case: str, points: list[Race], path: Path) -> Path:
    """Draw the throughput of every side along the axis: medians, and from the least to the largest."""
    from matplotlib import pyplot

    below, title = CURVES[case]
    figure, axes = pyplot.subplots(figsize=(5.4, 3.2), layout="constrained")
    for name, curve in series(points).items():
        at, colour = sorted(curve), COLOURS.get(name, COPYING)
        axes.plot(at, [median(curve[x]) for x in at], "o-", color=colour, label=name, markersize=4)
        axes.fill_between(at, [min(curve[x]) for x in at], [max(curve[x]) for x in at], color=colour, alpha=0.2, lw=0)
    places = sorted({point.x for point in points if point.x is not None})
    if places[-1] > 4 * places[0]:
        axes.set_xscale("log")
    axes.set_xticks(places, [f"{x:g}" for x in places])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set(xlabel=below, ylabel="MB/s", title=title)
    axes.grid(alpha=0.25, color=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, labelcolor=GREY)
    figure.savefig(path, transparent=True, metadata={"Date": None})
    pyplot.close(figure)
    return path


def series(points: list[Race]) -> dict[str, dict[float, list[float]]]:
    """Return MB a second of all runs, by the side's name without its options, and by its place on the axis."""
    found: dict[str, dict[float, list[float]]] = {}
    for point in points:
        for name, runs in point.runs.items():
            speeds = [point.size / one.wall / 1e6 for one in runs]
            found.setdefault(name.partition(" -")[0], {})[point.x or 0.0] = speeds
    return found


if __name__ == "__main__":
    main()
