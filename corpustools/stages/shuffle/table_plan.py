"""Who gets how much of the memory while tables are shuffled: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

from corpustools.errors import UsageError
from corpustools.machine import resident

MIB = 1 << 20
# The interpreter with pyarrow takes about a third of it.
MEMORY_FLOOR = 256 * MIB
# What pyarrow's reader and writer hold beside the rows, at any size of memory.
_RESERVE = 80 * MIB
# Its allocator holds up to as much again as is in use.
_IN_USE, _TAKEN = 1, 2
_LEAST_USABLE = 32 * MIB
_MOST_TASKS = 4
# Offsets of 32 bits hold 2 GiB.
_LARGEST = 128 * MIB
# Smaller messages hold more description than rows.
_MESSAGE = 32 << 10
_MOST_BUCKETS = 1 << 13


@dataclass(frozen=True)
class TablePlan:
    """The layout of the memory; sizes in bytes.

    Attributes:
        memory: the bound on the whole process.
        tasks: threads that distribute rows, or put them in order.
        fixed: the process before any of this, and what is held back.
        chunk: rows that are distributed at a time, and a bucket that is put in order at a time.
        held: rows in buckets that stay in memory.
        group: rows of a row group of the output.
        buckets: a power of two.
        expected: what the rows of all inputs take, about.
    """

    memory: int
    tasks: int
    fixed: int
    chunk: int
    held: int
    group: int
    buckets: int
    expected: int

    def table(self) -> list[tuple[str, int]]:
        """Return who gets what, in the order of the budget."""
        return [
            ("process and reserve", self.fixed),
            (f"rows at work ({_copies(self.tasks)} x {self.chunk})", _copies(self.tasks) * self.chunk),
            ("row group", 2 * self.group),
            ("buckets in memory", self.held),
            ("allocator", (self.memory - self.fixed) * (_TAKEN - _IN_USE) // _TAKEN),
        ]


def plan_tables(memory: int, workers: int, expected: int, page: int, head_count: int | None) -> TablePlan:
    """Lay out the memory for inputs whose rows take about `expected` bytes.

    Args:
        memory: the bound on the whole process.
        workers: threads.
        expected: bytes.
        page: what the reader holds at once of the input, see `Table.page_bytes`.
        head_count: rows that are wanted, or None.

    Raises:
        UsageError: the memory is too small.
    """
    if memory < MEMORY_FLOOR:
        raise UsageError(
            f"a memory of {memory} bytes is too small for tables", f"the least is {MEMORY_FLOOR // MIB}MiB"
        )
    fixed = resident() + _RESERVE + 2 * page
    usable = (memory - fixed) * _IN_USE // _TAKEN
    if usable < _LEAST_USABLE:
        raise UsageError(
            f"a memory of {memory} bytes leaves {max(usable, 0)} for rows beside {fixed} for the process and pages of "
            f"{page} bytes",
            "give more memory",
        )
    tasks = max(1, min(workers, _MOST_TASKS))
    held, group = usable // 3, usable // 6
    chunk = min((usable - held - 2 * group) // _copies(tasks), _LARGEST)
    most = _MOST_BUCKETS if head_count is None else 64
    buckets = 1
    while buckets < most and buckets * chunk < 2 * expected and buckets * 2 * _MESSAGE <= chunk:
        buckets *= 2
    return TablePlan(memory, tasks, fixed, chunk, held, group, buckets, expected)


def _copies(tasks: int) -> int:
    """Return how many chunks or buckets are in memory at once: two copies of each that is at work or waits."""
    return 2 * (tasks + 2 if tasks > 1 else 2)
