"""Rows to buckets: read the inputs chunk by chunk, give each row its sort key, and share the chunk out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corpustools import kernels
from corpustools.files.ordered import OrderedTasks
from corpustools.files.tables import Table, arrow
from corpustools.stages.shuffle.order import KEYS, KeyRange, SortKeys
from corpustools.stages.shuffle.table_buckets import Buckets, BucketTable, Message, messages_of, with_words, words_of
from corpustools.stages.shuffle.table_chunks import chunks, joined
from corpustools.stages.shuffle.table_plan import TablePlan
from corpustools.stages.shuffle.table_schema import Columns
from corpustools.stages.shuffle.table_spill import TableSpill

# The range of keys that the first rows of the order lie in is found to this fraction of all keys.
_BINS = 1 << 16
_AT_ONCE = 1 << 16


class Found(NamedTuple):
    """What a chunk holds: its messages, its rows, those of the counted keys, and the sum of their sort keys."""

    messages: list[Message]
    rows: int
    counted: int
    checksum: int


@dataclass
class Scattered:
    """What a scatter leaves.

    Attributes:
        table: the buckets.
        rows: rows of the inputs.
        counted: rows of the counted keys.
        checksum: the sum of their sort keys, modulo 2^64.
    """

    table: BucketTable
    rows: int = 0
    counted: int = 0
    checksum: int = 0


def scatter_rows(
    tables: list[Table],
    columns: Columns,
    plan: TablePlan,
    keys: SortKeys,
    wanted: KeyRange,
    counted: KeyRange,
    spill: TableSpill | None,
    tick: Callable[[], None],
) -> Scattered | None:
    """Put the rows of a range of keys into buckets; return None where the lowest bucket does not fit the memory.

    Args:
        tables: the inputs.
        columns: what the rows become.
        plan: the layout of the memory.
        keys: what gives rows their sort keys.
        wanted: the range.
        counted: the range whose rows are counted, for a first pass of several.
        spill: where buckets go that do not fit, or None.
        tick: called after each chunk.

    Raises:
        DataError: an input is torn or damaged, or was changed meanwhile.
        SystemFailure: a file or the disk failed.
    """
    pyarrow = arrow()
    schema = columns.worked.append(pyarrow.field("", pyarrow.uint64())).append(pyarrow.field("", pyarrow.uint64()))
    buckets = Buckets.of(wanted, plan.buckets)
    done = Scattered(BucketTable(buckets, schema, plan.held, spill))

    def distribute(batches: list[Any], first: int) -> Found:
        rows = with_words(joined(batches), first, keys)
        words = words_of(rows)[0]
        inside = words[words - np.uint64(counted.low) <= np.uint64(counted.span)]
        return Found(messages_of(rows, buckets), rows.num_rows, len(inside), int(inside.sum(dtype=np.uint64)))

    def deliver(found: Found) -> None:
        done.table.add(found.messages)
        done.rows += found.rows
        done.counted += found.counted
        done.checksum = (done.checksum + found.checksum) % KEYS
        tick()

    first = 0
    with OrderedTasks(plan.tasks, deliver) as tasks:
        for batches in chunks(tables, columns, plan.chunk, plan.tasks > 1):
            if done.table.overfull:
                return None
            tasks.submit(distribute, batches, first)
            first += sum(batch.num_rows for batch in batches)
    return None if done.table.overfull else done


def range_of_first(wanted: KeyRange, rows: int, keys: SortKeys, count: int) -> KeyRange:
    """Return the front of a range of keys that holds at least the `count` first rows of the order, and few more.

    Args:
        wanted: the range.
        rows: rows of the inputs.
        keys: what gives rows their sort keys.
        count: how many of the range's rows are wanted.
    """
    shift = 0
    while wanted.span >> shift >= _BINS:
        shift += 1
    counts = np.zeros(_BINS, np.int64)
    order = kernels.load("order")
    for first in range(0, rows, _AT_ONCE):
        out = np.empty((min(_AT_ONCE, rows - first), 4), np.uint64)
        order.words(first, len(out), keys.word0, keys.word1, out)
        above = (out[:, 0] & np.uint64(keys.mask)) - np.uint64(wanted.low)
        inside = above[above <= np.uint64(wanted.span)] >> np.uint64(shift)
        counts += np.bincount(inside.astype(np.int64), minlength=_BINS)
    reached = np.flatnonzero(np.cumsum(counts) >= count)
    if not len(reached):
        return wanted
    return KeyRange(wanted.low, min(wanted.span, ((int(reached[0]) + 1) << shift) - 1))
