"""Numbers in, rows out, as bytes: the formats, the lines of a stream, the rows of a range."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from math import log10

from corpustools import kernels
from corpustools.errors import DataError, UsageError
from corpustools.stages.nabc.problem import Problem

FORMATS = ("tsv", "jsonl", "csv")
# Reading and writing a number in decimal takes the square of its length: seconds beyond this.
MAX_DIGITS = 100_000
_ACCEPTED = f"accepted is an integer N >= 0 of at most {MAX_DIGITS} digits a line"
_INTEGER = re.compile(rb"\+?([0-9]+)")
_BLANK = b" \t\r\v\f\n"
_ROWS_BYTES = 1 << 20
# A search of more than about a second is announced.
_ANNOUNCED_SECONDS = 1.0

Text = bytes | memoryview


def parse(text: bytes) -> int:
    """Return the integer >= 0 that the text is: decimal digits, perhaps a plus sign, perhaps blanks around.

    Raises:
        ValueError: what else it is.
    """
    bare = text.strip(_BLANK)
    match = _INTEGER.fullmatch(bare)
    if match and len(match[1]) <= MAX_DIGITS:
        return int(match[1])
    shown = (bare if len(bare) <= 40 else bare[:37] + b"...").decode("ascii", "backslashreplace")
    # A control character must not reach the terminal.
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    if match:
        raise ValueError(f"'{shown}' has more than {MAX_DIGITS} digits")
    if re.fullmatch(rb"-[0-9]+", bare):
        raise ValueError(f"'{shown}' is negative")
    raise ValueError(f"'{shown}' is not an integer in decimal digits")


class Rows:
    """Answers numbers as rows of one format: N a b c a+b+c, and in jsonl and csv what else the problem asks.

    Args:
        problem: what to find.
        style: one of FORMATS. jsonl and csv also give the `cost` under weights, and under a step limit the
            `lower` bound of it (of a + b + c without weights) that is proved.
        tell: called with a line of text about a long search, or about a number given up.
    """

    def __init__(self, problem: Problem, style: str, tell: Callable[[str], None]) -> None:
        self.problem = problem
        self.tell = tell
        self.answered = self.given_up = 0
        names = ["n", "a", "b", "c", "sum"]
        if style != "tsv":
            names += ["cost"] * (problem.shape.weights != (1, 1, 1))
            names += ["lower"] * (problem.max_steps is not None)
        self.header = ",".join(names).encode() + b"\n" if style == "csv" else b""
        if style == "jsonl":
            pieces = [f'{", " if i else "{"}"{name}": '.encode() for i, name in enumerate(names)]
            self.pieces = [*pieces, b"}\n"]
        else:
            self.pieces = [b"", *[b"," if style == "csv" else b"\t"] * (len(names) - 1), b"\n"]
        self._extra = names[5:]
        self._out = bytearray(_ROWS_BYTES)

    @property
    def kernel_pattern(self) -> bytes | None:
        """The pieces for the kernel's rows; None where the problem needs more than the kernel answers."""
        return b"\0".join(self.pieces) if self.problem == Problem() else None

    def answer(self, n: int, where: str = "") -> bytes:
        """Return the rows of one N.

        Raises:
            DataError: no shape of N within the bounds, or no end in sight.
        """
        self._announce(n, where)
        try:
            found = self.problem.solve(n)
        except DataError as error:
            raise DataError(f"{where}{error.what}", error.remedy) from None
        self.answered += 1
        if not found.proved:
            self.given_up += 1
            best = f"{found.cost} is the best found" if found.triples else "none was found"
            self.tell(
                f"{where}gave up at {self.problem.max_steps} steps: of all {self._measure()} {best}, "
                f"at least {found.lower} is proved"
            )
        extra = {"cost": found.cost, "lower": found.lower}
        return b"".join(
            self._row([n, *triple, triple.sum, *(extra[name] for name in self._extra)]) for triple in found.triples
        )

    def _measure(self) -> str:
        return "a+b+c" if self.problem.unweighted else "costs"

    def _announce(self, n: int, where: str) -> None:
        if n < 1 << 64 and self.problem.unweighted:
            return
        steps, seconds = self.problem.expected(n)
        if seconds > _ANNOUNCED_SECONDS and not self.problem.hopeless(n):
            limit = f", at most {self.problem.max_steps}" if self.problem.max_steps is not None else ""
            number = f"{10**steps:.1e}" if steps < 300 else f"10^{steps:.0f}"
            self.tell(f"{where}a number of {int(log10(n)) + 1} digits takes about {number} steps on average{limit}")

    def _row(self, numbers: Iterable[int]) -> bytes:
        cells = (piece + b"%d" % number for piece, number in zip(self.pieces, numbers, strict=False))
        return b"".join(cells) + self.pieces[-1]

    def of_lines(self, blocks: Iterable[bytes], name: str) -> Iterator[Text]:
        """Yield the rows of a stream of lines, each as soon as its line is whole; blank lines are skipped.

        A yielded piece is valid until the next one.

        Raises:
            DataError: a line that is no integer, or has no answer; what was before it has been yielded.
        """
        number = 0
        try:
            for block in _whole_lines(blocks):
                for rows, count in self._of_block(block, name, number):
                    yield rows
                    number += count
        except _EndlessLine:
            what = f"{name}, line {number + 1}: more than {2 * MAX_DIGITS} bytes"
            raise DataError(what, _ACCEPTED) from None

    def _of_block(self, block: bytes, name: str, number: int) -> Iterator[tuple[Text, int]]:
        """Yield (rows, lines answered) for whole lines, of which `number` came before."""
        pattern = self.kernel_pattern
        kernel = kernels.load("integers") if pattern else None
        at = 0
        while at < len(block):
            if kernel:
                at, written, count = kernel.lines(block, at, pattern, self._out)
                if count:
                    self.answered += count
                    number += count
                    yield memoryview(self._out)[:written], count
                    continue
            number += 1
            end = block.find(b"\n", at) + 1
            line, at = block[at:end], end
            where = f"{name}, line {number}: "
            yield self.answer(_parsed(line, where), where) if line.strip(_BLANK) else b"", 1

    def of_range(self, lo: int, hi: int, *, breakpoints: bool = False) -> Iterator[tuple[Text, int]]:
        """Yield (rows, numbers done so far) for every N in [lo, hi).

        With `breakpoints` only N = lo and every N at which a and b change: up to the next of these c and the
        sum grow by one each. A yielded piece is valid until the next one.

        Raises:
            UsageError: not 0 <= lo <= hi, or breakpoints of another problem than the plain one.
            DataError: some N has no shape within the bounds.
        """
        pattern = self.kernel_pattern
        if pattern is None:
            if breakpoints:
                raise UsageError("breakpoints are of the plain problem", "leave weights, bounds, pad and every away")
            for n in range(lo, hi):
                yield self.answer(n, f"N = {n}: "), n + 1 - lo
            return
        from corpustools.stages.nabc import ranges

        count = len(self._out) // (len(pattern) + 100)
        for block in ranges.blocks(lo, hi):
            columns = block.changes(block.lo == lo) if breakpoints else block.numbers()
            for start in range(0, len(columns[0]), count):
                part = [column[start : start + count] for column in columns]
                if part[0].dtype == object:
                    rows = (self._row([n, a, b, n - a * b, n - a * b + a + b]) for n, a, b in zip(*part, strict=True))
                    yield b"".join(rows), block.lo - lo
                else:
                    written = kernels.load("integers").rows(*part, pattern, self._out)
                    yield memoryview(self._out)[:written], block.lo - lo
            self.answered += block.hi - block.lo


class _EndlessLine(Exception):
    """A line goes on beyond what any number may have."""


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks cut at line ends, the last line completed."""
    pending = b""
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        if cut:
            yield pending + block[:cut]
            pending = block[cut:]
        else:
            pending += block
        if len(pending) > 2 * MAX_DIGITS:
            raise _EndlessLine
    if pending:
        yield pending + b"\n"


def _parsed(line: bytes, where: str) -> int:
    try:
        return parse(line)
    except ValueError as error:
        raise DataError(f"{where}{error}", _ACCEPTED) from None
