"""The pieces of a SentencePiece model file in plain Python: the twin of wire.pyx."""

from __future__ import annotations

from typing import Any

import numpy as np


def pieces(data: bytes, starts: Any, ends: Any, scores: Any, types: Any) -> tuple[int, int]:
    """Read leading pieces in the layout that every writer makes; return how many, and where they end."""
    begun, ended, kinds = np.frombuffer(starts, np.int64), np.frombuffer(ends, np.int64), memoryview(types)
    values = memoryview(scores).cast("B")
    room = min(len(begun), len(ended), len(values) // 4, len(kinds))
    count = position = 0
    while count < room and position + 4 < len(data) and data[position] == 0x0A and data[position + 1] < 0x80:
        stop = position + 2 + data[position + 1]
        after = position + 4 + data[position + 3]
        if data[position + 2] != 0x0A or data[position + 3] >= 0x80 or stop > len(data):
            break
        if after + 5 == stop and data[after] == 0x15:
            kinds[count] = 1
        elif after + 7 == stop and data[after] == 0x15 and data[after + 5] == 0x18 and data[after + 6] < 7:
            kinds[count] = data[after + 6]
        else:
            break
        begun[count], ended[count] = position + 4, after
        values[4 * count : 4 * count + 4] = data[after + 1 : after + 5]
        count += 1
        position = stop
    return count, position
