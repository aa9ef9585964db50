"""How a call of the records kernel ends: the statuses of records.h, and the errors that are nobody's plan."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a call ended; status_t of records.h has the same names and numbers."""

    DONE = 0
    NEEDS_BLOCKS = 1
    OUT_OF_SPAN = 2
    LISTS_FULL = 3
    TORN = 4
    TRUNCATED = 5


class Torn(Exception):
    """A chain of blocks ends inside a record, or lists point outside the pool: the memory is not what was written."""


class Truncated(Exception):
    """A mapped input became shorter while it was read."""
