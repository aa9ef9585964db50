"""Makes real text for the benches: the distinct lines of the files of some packages, from pip.

    bin/bench text [--size 2] [--text FILE] [--cache FOLDER] OUTPUT

The packages describe the interfaces of two large web services: JSON in lines, half of it prose, and the Python that
goes with it. Their versions stand below, so that everyone gets the same bytes. They are downloaded once. Each line is
taken once, in order; further rounds of the same lines come in blocks in another order, so that equal lines stand far
from each other.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import random
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("botocore==1.44.8", "google-api-python-client==2.202.0")
SUFFIXES = (".json", ".json.gz", ".py")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpus-bench"
# So many bytes of lines keep their order in every round.
BLOCK = 1 << 17


@dataclass(frozen=True)
class Source:
    """Lines that texts are made of.

    Args:
        name: where they are from.
        data: the lines, each with its end.
        kind: what lines they are.
    """

    name: str
    data: bytes
    kind: str = "real lines"

    def about(self) -> str:
        """Return the measures of the text in one line."""
        import numpy as np

        ends = np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord("\n"))
        lengths = np.diff(ends, prepend=-1)
        return (
            f"{self.name}: {len(self.data) / 1e6:.1f} MB, {len(lengths):,} lines of {lengths.mean():.0f} bytes on "
            f"average, {(lengths < 60).mean():.1%} under 60, {(lengths > 1000).mean():.2%} over 1,000, "
            f"SHA-256 {hashlib.sha256(self.data).hexdigest()[:16]}"
        )

    def in_lines_of(self, length: int) -> Source:
        """Return the same text cut into lines of so many bytes, their ends included."""
        import numpy as np

        flat = np.frombuffer(self.data.replace(b"\n", b" "), np.uint8)
        count = len(flat) // (length - 1)
        lines = np.full((count, length), ord("\n"), np.uint8)
        lines[:, :-1] = flat[: count * (length - 1)].reshape(count, length - 1)
        return Source(self.name, lines.tobytes(), f"lines of {length} bytes")


def read_source(path: str | None, cache: Path = CACHE) -> Source:
    """Return the lines of a file, or those of the packages where none is given."""
    if path is not None:
        with open(path, "rb") as file:
            data = file.read(400 << 20)
        # The last line may be cut in the middle.
        return Source(os.path.basename(path), data[: data.rfind(b"\n") + 1] or data + b"\n")
    kept = cache / f"lines-{hashlib.sha256(repr((PACKAGES, SUFFIXES)).encode()).hexdigest()[:12]}.txt"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(distinct_lines(download(cache)))
        unfinished.rename(kept)
    return Source(" and ".join(PACKAGES), kept.read_bytes())


def download(cache: Path) -> list[Path]:
    """Return the packages' wheels, downloaded where they are not there yet."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--only-binary", ":all:", "--dest", str(cache), *PACKAGES], check=True)
    names = [package.replace("-", "_").replace("==", "-") for package in PACKAGES]
    return [next(cache.glob(f"{name}-*.whl")) for name in names]


def distinct_lines(wheels: list[Path]) -> bytes:
    """Return each line of the packages' files once, in the order of the files' names."""
    lines: dict[bytes, None] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as packed:
            for name in sorted(packed.namelist()):
                if name.endswith(SUFFIXES):
                    data = packed.read(name)
                    data = gzip.decompress(data) if name.endswith(".gz") else data
                    lines.update(dict.fromkeys(data.split(b"\n")))
    return b"\n".join(lines) + b"\n"


class Text:
    """A file of so many bytes of lines, which can grow; it is removed at the end.

    Args:
        path: where it stands.
        source: what its lines are taken from.
    """

    def __init__(self, path: str, source: Source) -> None:
        self.path, self.source = path, source
        self.size = 0
        self._blocks = _blocks(source.data)
        self._order = list(range(len(self._blocks)))
        self._next, self._random = 0, random.Random(1)

    def grow(self, size: int) -> Text:
        """Add whole blocks of lines until the file has so many bytes."""
        with open(self.path, "ab") as file:
            while self.size < size:
                if self._next == len(self._order):
                    self._random.shuffle(self._order)
                    self._next = 0
                begin, end = self._blocks[self._order[self._next]]
                if self.size + end - begin > size and self.size:
                    # A block that is too long is cut behind the last line that fits.
                    end = self.source.data.rfind(b"\n", begin, begin + size - self.size) + 1 or end
                file.write(memoryview(self.source.data)[begin:end])
                self.size += end - begin
                self._next += 1
                if size - self.size < 1000:
                    break
            file.flush()
            os.fsync(file.fileno())
        return self

    def __enter__(self) -> Text:
        return self

    def __exit__(self, *error: object) -> None:
        Path(self.path).unlink(missing_ok=True)


def _blocks(data: bytes) -> list[tuple[int, int]]:
    blocks, begin = [], 0
    while begin < len(data):
        end = data.find(b"\n", min(begin + BLOCK, len(data)) - 1) + 1 or len(data)
        blocks.append((begin, end))
        begin = end
    return blocks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--size", type=float, default=2.0, help="GB of text")
    parser.add_argument("--text", help="a file of lines to make the text of")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where downloaded packages are kept")
    options = parser.parse_args()
    source = read_source(options.text, options.cache)
    print(source.about())
    Path(options.output).unlink(missing_ok=True)
    Text(options.output, source).grow(int(options.size * 1e9))


if __name__ == "__main__":
    main()
