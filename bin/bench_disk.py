"""Times `corpus shuffle` of a file larger than the memory beside copying it twice, on a real disk.

    bin/bench disk [--folder .] [--size 6] [--memory 1G] [--runs 5] [--text PATH] [--ways WAY]...

A way is a set of options, such as `--spill raw --direct no`; each is run in turn with the copies. This is the case
`copies` of bin/bench shuffle, which has the other cases on a disk as well.
"""

from __future__ import annotations

import sys

import bench_shuffle

WAYS = ["", "--spill raw", "--spill zstd", "--direct no"]
NAMES = {"--folder": "--disk", "--size": "--disk-size"}


def main() -> None:
    given = [NAMES.get(word, word) for word in sys.argv[1:]]
    ways = [] if "--ways" in given or "--help" in given or "-h" in given else ["--ways", *WAYS]
    sys.argv[1:] = ["copies", *given, *ways]
    bench_shuffle.main()


if __name__ == "__main__":
    main()
