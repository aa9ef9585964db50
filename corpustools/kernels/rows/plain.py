"""Rows of ids on their way into bytes in plain Python: the twin of compiled.pyx."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def interleave(heads: Any, head_ends: Any, bodies: Any, body_ends: Any, out: Any) -> int:
    """Write head and body of each row, row by row; return the bytes that were written."""
    sources = [np.frombuffer(one, np.uint8) for one in (heads, bodies)]
    ends = [np.frombuffer(one, np.int64) for one in (head_ends, body_ends)]
    if len(ends[0]) != len(ends[1]):
        raise ValueError("heads and bodies are not equally many")
    size = sum(_last(end, len(source)) for end, source in zip(ends, sources, strict=True))
    target, written = _room(out, size), 0
    starts = [0, 0]
    for pair in zip(*(end.tolist() for end in ends), strict=True):
        for which, end in enumerate(pair):
            part = sources[which][starts[which] : end]
            target[written : written + len(part)] = part
            written += len(part)
            starts[which] = end
    return written


def varints(ids: Any, ends: Any, out: Any, out_ends: Any) -> int:
    """Write ids as varints of the protobuf wire format, row by row; return the bytes that were written."""
    values, rows = np.frombuffer(ids, np.int32), np.frombuffer(ends, np.int64)
    last = _last(rows, len(values))
    target, target_ends = _room(out, 5 * last), _room(out_ends, 8 * len(rows)).view(np.int64)
    written = at = 0
    for row, end in enumerate(rows.tolist()):
        for value in values[at:end].tolist():
            if value < 0:
                raise ValueError("a negative id")
            while value >= 0x80:
                target[written] = value & 0x7F | 0x80
                written += 1
                value >>= 7
            target[written] = value
            written += 1
        at = end
        target_ends[row] = written
    return written


def decimals(
    numbers: Any,
    width: int,
    ends: Any,
    before: bytes,
    between: bytes,
    after: bytes,
    table: Any,
    out: Any,
    out_ends: Any,
) -> int:
    """Write rows of decimal numbers with text around them; return the bytes that were written."""
    # The table is for the compiled twin.
    if width not in (4, 8) or len(between) > 8:
        raise ValueError("numbers have 4 or 8 bytes, and at most 8 bytes stand between two of them: no more are needed")
    values, rows = np.frombuffer(numbers, np.int32 if width == 4 else np.int64), np.frombuffer(ends, np.int64)
    last = _last(rows, len(values))
    target = _room(out, decimals_size(last, width, len(rows), before, between, after))
    target_ends = _room(out_ends, 8 * len(rows)).view(np.int64)
    written = at = 0
    for row, end in enumerate(rows.tolist()):
        some = values[at:end].tolist()
        if any(value < 0 for value in some):
            raise ValueError("a negative number")
        line = before + between.join([b"%d" % value for value in some]) + after
        target[written : written + len(line)] = np.frombuffer(line, np.uint8)
        written += len(line)
        at = end
        target_ends[row] = written
    return written


def decimals_size(numbers: int, width: int, rows: int, before: bytes, between: bytes, after: bytes) -> int:
    """Return the most bytes that `decimals` writes, and some that it needs behind them."""
    digits = 10 if width == 4 else 19
    return numbers * (digits + len(between)) + rows * (len(before) + len(after)) + 16


def dictionary_places(ids: Any, place_of: Any, dictionary: Any, known: int, places: Any) -> int:
    """Write the places of ids in a dictionary, to which new ones are added; return how many it has then."""
    values, table = np.frombuffer(ids, np.int32), _room(place_of, 0).view(np.uint16)
    entries = _room(dictionary, 0).view(np.int32)
    room = min(len(entries), 1 << 16)
    if not 0 <= known <= room:
        raise ValueError("a dictionary has more ids than are needed for its places")
    out = _room(places, 2 * len(values)).view(np.uint16)
    for i, value in enumerate(values.tolist()):
        if not 0 <= value < len(table):
            raise ValueError("a negative id, or one that the vocabulary does not have")
        place = int(table[value])
        if place >= known or entries[place] != value:
            if known == room:
                return -1
            place = known
            table[value], entries[place] = place, value
            known += 1
        out[i] = place
    return known


def headed_arrays(numbers: Any, lengths: Any, width: int, out: Any) -> int:
    """Write arrays with their heads, one behind another; return the bytes that were written."""
    if not 0 < width <= 8:
        raise ValueError("numbers have 1 to 8 bytes: no more are needed")
    source, parts, at = np.frombuffer(numbers, np.uint8), [], 0
    for length in np.frombuffer(lengths, np.int64).tolist():
        end = at + length * width
        if not 0 <= length <= ((1 << 31) - 1) // width or end > len(source):
            raise ValueError("negative lengths, or too many numbers")
        digits = 1 if length < 1 << 8 else 2 if length < 1 << 16 else 4
        head = (1 + digits + length * width).to_bytes(4, "little") + bytes([1 << 2 | digits >> 1])
        parts += [head + length.to_bytes(digits, "little"), source[at:end].tobytes()]
        at = end
    data = b"".join(parts)
    _room(out, len(data))[: len(data)] = np.frombuffer(data, np.uint8)
    return len(data)


def list_levels(lengths: Any, empty: int, present: int, repetition: Any, definition: Any) -> tuple[int, int]:
    """Write the levels of lists; return the bytes of the repetition levels and those of the definition levels."""
    sizes = np.frombuffer(lengths, np.int64).tolist()
    targets = _room(repetition, 8 * len(sizes)), _room(definition, 11 * len(sizes))
    if any(not 0 <= size <= 1 << 30 for size in sizes):
        raise ValueError("a list of a negative length, or too many numbers")
    levels = [pair for size in sizes for pair in ((0, 1), (1, size - 1)) if pair[1] > 0]
    kinds = itertools.groupby(sizes, lambda size: size > 0)
    defined = [(present if full else empty, sum(max(size, 1) for size in some)) for full, some in kinds]
    written = []
    for target, runs in zip(targets, (levels, defined), strict=True):
        data = b"".join(_varint(count << 1) + bytes([level]) for level, count in runs)
        target[: len(data)] = np.frombuffer(data, np.uint8)
        written.append(len(data))
    return written[0], written[1]


def _varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def _last(ends: np.ndarray[Any, np.dtype[np.int64]], size: int) -> int:
    """Return the last end, or 0 if there is none."""
    if (np.diff(ends, prepend=0) < 0).any() or (len(ends) and ends[-1] > size):
        raise ValueError("the ends of rows do not rise, or lie outside of their bytes")
    return int(ends[-1]) if len(ends) else 0


def _room(buffer: Any, size: int) -> np.ndarray[Any, Any]:
    view = np.frombuffer(buffer, np.uint8)
    if not view.flags.writeable or len(view) < size:
        raise ValueError(f"a buffer of {len(view)} bytes where {size} are needed")
    return view
