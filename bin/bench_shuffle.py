"""Measures `corpus shuffle` beside its peers: whole processes in turn, on real text, ratios of pairs.

    bin/bench shuffle [CASE]... [--folder /dev/shm] [--disk .] [--size 2] [--runs 5] [--terashuf PATH]
    bin/bench shuffle --budget 10 --plot docs/plots       every case in about ten minutes, and the plots

Each round runs our command and then each of its peers; a ratio is that of two neighbours in a round. On a disk the page
cache is emptied before each run, where this is root. Everything is written to --json, from which bin/bench plots draws
again. The text is that of bin/bench text, or a file of your own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench_plots import draw, require_matplotlib, tables
from bench_text import CACHE, read_source
from measure import Race
from peers import find_peers
from shuffle_cases import CASES, CORPUS, Bench


def main() -> None:
    options = parsed()
    source = read_source(options.text, options.cache)
    bench = Bench(options, source, find_peers(options.terashuf))
    about = {**machine(options), "text": source.about(), "programs": bench.peers.versions}
    for name, value in about.items():
        print(f"{name}: {value}")
    races = []
    for found in run_cases(bench):
        races.append(found)
        print("\n".join(tables([found])), flush=True)
        keep(options, about, races)
    if options.plot:
        draw(races, Path(options.plot))


def keep(options: argparse.Namespace, about: dict, races: list[Race]) -> None:
    """Write all races so far where that was asked for: a run that is broken off has not been for nothing."""
    if not options.json and not options.plot:
        return
    path = Path(options.json or Path(options.plot) / "shuffle.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "races": [one.as_data() for one in races]}, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    """Return the options, with folders as whole paths."""
    names = [case.__name__ for case in CASES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(names))
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs")
    parser.add_argument("--disk", default=".", help="a folder on a real disk")
    parser.add_argument("--size", type=float, default=2.0, help="GB of text on the tmpfs")
    parser.add_argument("--disk-size", type=float, help="GB of text on the disk: 6, or 3 in a limited time")
    parser.add_argument(
        "--sizes", type=float, nargs="+", help="GB of text for growth: 1 2 4 8 16, or 1 2 4 in a limited time"
    )
    parser.add_argument("--curve-size", type=float, default=0.5, help="GB of text for lengths, shares and workers")
    parser.add_argument("--memory", default="1G", help="what copies and direct may have")
    parser.add_argument("--ways", nargs="+", default=[""], help="options of the shuffle for copies, one set a word")
    parser.add_argument("--runs", type=int, default=5, help="rounds that count")
    parser.add_argument("--budget", type=float, help="minutes for all cases; each is run once at least")
    parser.add_argument("--text", help="a file of lines to make texts of")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where downloaded packages are kept")
    parser.add_argument("--terashuf", metavar="PATH", help="its program, or a folder with its source")
    parser.add_argument("--json", metavar="FILE", help="write all runs there")
    parser.add_argument("--plot", metavar="FOLDER", help="draw there, and write shuffle.json there unless --json says")
    options = parser.parse_args()
    options.disk_size = options.disk_size or (3.0 if options.budget else 6.0)
    options.sizes = options.sizes or ([1, 2, 4] if options.budget else [1, 2, 4, 8, 16])
    if unknown := set(options.cases) - set(names):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options.plot:
        require_matplotlib()
    options.folder, options.disk = os.path.abspath(options.folder), os.path.abspath(options.disk)
    return options


def machine(options: argparse.Namespace) -> dict[str, str]:
    """Return what a reader has to know about the machine."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    version = subprocess.run([*CORPUS, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return {
        "machine": f"{os.cpu_count()} processors, {model}, {memory / 1e9:.0f} GB, Linux {platform.release()}",
        "folders": f"tmpfs {options.folder}, disk {options.disk}",
        "corpus": f"{version}, Python {platform.python_version()}",
    }


def run_cases(bench: Bench) -> Iterator[Race]:
    """Run the chosen cases and give each race when it is done."""
    chosen = {
        case: share for case, share in CASES.items() if not bench.options.cases or case.__name__ in bench.options.cases
    }
    end = time.monotonic() + 60 * bench.options.budget if bench.options.budget else None
    while chosen:
        case, share = next(iter(chosen.items()))
        if end is not None:
            # What a case leaves over goes to those after it.
            now = time.monotonic()
            bench.until = now + (end - now) * share / sum(chosen.values())
        del chosen[case]
        yield from case(bench)


if __name__ == "__main__":
    main()
