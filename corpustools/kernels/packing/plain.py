"""Best-fit packing, in Python. Twin: compiled.pyx."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.int64]]


def best_fit(lengths: Array, size: int, windows: Array, room: Array, workspace: Array) -> int:
    """Put pieces, one after another, each into the window that it leaves least room in; return how many windows.

    Of windows with equal room the one that got its last piece last is taken. A piece that fits nowhere begins a window.

    Args:
        lengths: int64, 1 to `size` each, in the order in which they are placed.
        size: ids of a window.
        windows: int64, receives the window of each piece, counted from 0 as they are begun.
        room: int64, as long as `lengths`; receives what is left in each window.
        workspace: int64, at least `workspace_size(len(lengths), size)`.
    """
    if not (size > 0 and len(windows) >= len(lengths) and len(room) >= len(lengths)):
        raise ValueError("outputs are too small")
    stacks: dict[int, list[int]] = {}
    rooms: list[int] = []  # the keys of `stacks`, sorted
    count = 0
    for i, length in enumerate(lengths.tolist()):
        if not 0 < length <= size:
            raise ValueError(f"a piece of {length} ids for windows of {size}")
        at = bisect_left(rooms, length)
        if at == len(rooms):
            window, left = count, size - length
            count += 1
        else:
            found = rooms[at]
            window, left = stacks[found].pop(), found - length
            if not stacks[found]:
                del stacks[found], rooms[at]
        windows[i], room[window] = window, left
        if left:
            if left not in stacks:
                stacks[left] = []
                insort(rooms, left)
            stacks[left].append(window)
    return count


def workspace_size(pieces: int, size: int) -> int:
    """Return how many int64 the workspace of `best_fit` has: a stack for each room, and two levels of a bit map."""
    words = size // 64 + 1
    return size + 1 + pieces + words + words // 64 + 1


def copy_pieces(ids: Any, starts: Any, lengths: Any, targets: Any, width: int, out: Any) -> None:
    """Copy pieces, one after another, from one place among ids to another.

    Args:
        ids: bytes of ids of `width` bytes.
        starts: int64, where each piece begins among them, in ids.
        lengths: int64, ids of each piece.
        targets: int64, where each begins in `out`, in ids.
        width: bytes of an id.
        out: receives the pieces.

    Raises:
        ValueError: a piece lies outside of `ids` or `out`.
    """
    if not 0 < width <= 8:
        raise ValueError(f"ids of {width} bytes")
    source, target = (np.frombuffer(one, np.uint8) for one in (ids, out))
    columns = [np.frombuffer(one, np.int64).tolist() for one in (starts, lengths, targets)]
    pieces = list(zip(*columns, strict=False))
    if not target.flags.writeable or min(map(len, columns)) < len(columns[1]):
        raise ValueError("a buffer is too small, or only to be read")
    for start, length, goal in pieces:
        room = min(len(source) // width - start, len(target) // width - goal)
        if min(start, length, goal) < 0 or length > room:
            raise ValueError("a piece lies outside of its ids")
    for start, length, goal in pieces:
        target[goal * width : (goal + length) * width] = source[start * width : (start + length) * width]
