"""Blocks of the LZ4 format in Python: the twin of compiled.pyx, byte for byte. lz4.h draws a block."""

from __future__ import annotations

from typing import Any

_HASH_BITS = 13
TABLE_BYTES = 2 << _HASH_BITS
_STRETCH = 1 << 16
_LEAST_MATCH, _LAST_LITERALS, _LAST_START = 4, 5, 12
_PATIENCE = 6
_LONG = 15
_FACTOR, _MASK = 0x9E3779B185EBCA87, (1 << 64) - 1


def compress(text: Any, start: int, size: int, out: Any, at: int, room: int, table: Any) -> int:
    """Write some bytes of a text as a block to `room` bytes of `out`.

    Args:
        text: bytes.
        start: the first one that is compressed.
        size: how many are.
        out: a buffer that is no part of `text`.
        at: where the block goes.
        room: bytes that it may take.
        table: TABLE_BYTES that the search works in; what they hold before and after means nothing.

    Returns:
        The bytes of the block, or 0 where it may not fit.
    """
    source, target = _part(text, start, size), _part(out, at, room)
    if len(memoryview(table).cast("B")) < TABLE_BYTES:
        raise ValueError(f"a table of fewer than {TABLE_BYTES} bytes")
    block = _block(bytes(source), room)
    target[: len(block)] = block
    return len(block)


def _block(text: bytes, room: int) -> bytes:
    """Return a text as a block; nothing where it may not fit the room."""
    out, anchor, at, last = bytearray(), 0, 0, len(text) - _LAST_START
    while at < last:
        base, stop = at, min(last, at + _STRETCH - 1)
        places: dict[int, int] = {}
        at += 1
        while at <= stop:
            at, before = _search(text, at, stop, base, places)
            if before < 0:
                break
            while at > anchor and before and text[at - 1] == text[before - 1]:
                at, before = at - 1, before - 1
            more = _common(text, at + _LEAST_MATCH, before + _LEAST_MATCH, len(text) - _LAST_LITERALS)
            literals = at - anchor
            if room - len(out) < _bound(literals) + more // 255 + 16:
                return b""
            out.append(min(literals, _LONG) << 4 | min(more, _LONG))
            out += _rest(literals) + text[anchor:at] + (at - before).to_bytes(2, "little") + _rest(more)
            anchor = at = at + _LEAST_MATCH + more
            if at <= stop:
                places[_hash(text, at - 2)] = at - 2
    literals = len(text) - anchor
    if room - len(out) < _bound(literals):
        return b""
    out.append(min(literals, _LONG) << 4)
    return bytes(out + _rest(literals) + text[anchor:])


def _search(text: bytes, at: int, stop: int, base: int, places: dict[int, int]) -> tuple[int, int]:
    """Return the next place of bytes that came before, and where they did; -1 for that where the stretch has no more.

    `places` holds the last place of each hash; others stand for the base.
    """
    misses = 1 << _PATIENCE
    while at <= stop:
        key = _hash(text, at)
        before = places.get(key, base)
        places[key] = at
        if text[before : before + _LEAST_MATCH] == text[at : at + _LEAST_MATCH]:
            return at, before
        at += misses >> _PATIENCE
        misses += 1
    return at, -1


def _hash(text: bytes, at: int) -> int:
    word = int.from_bytes(text[at : at + 5], "little")
    return ((word << 24) * _FACTOR & _MASK) >> (64 - _HASH_BITS)


def _common(text: bytes, at: int, before: int, end: int) -> int:
    begin = at
    while at < end and text[at] == text[before]:
        at, before = at + 1, before + 1
    return at - begin


def _bound(literals: int) -> int:
    return literals + literals // 255 + 16


def _rest(length: int) -> bytes:
    """Return what stands behind the token of a length of 15 and more."""
    if length < _LONG:
        return b""
    return b"\xff" * ((length - _LONG) // 255) + bytes([(length - _LONG) % 255])


def decompress(block: Any, start: int, size: int, out: Any, at: int, room: int) -> int:
    """Write the text of a block to `room` bytes of `out`; what they hold behind the text is lost.

    Args:
        block: bytes, of which nothing is taken for granted.
        start: the first one of the block.
        size: how many it has.
        out: a buffer that is no part of `block`.
        at: where the text goes.
        room: bytes that it may take.

    Returns:
        The bytes of the text, or -1 where the block is damaged or the text has no room.
    """
    source, target = bytes(_part(block, start, size)), _part(out, at, room)
    text, at = bytearray(), 0
    while at < size:
        token = source[at]
        literals, at = _length(source, at + 1, token >> 4, room)
        if literals < 0 or literals > size - at or literals > room - len(text):
            return -1
        text += source[at : at + literals]
        at += literals
        if at == size:
            target[: len(text)] = text
            return len(text)
        distance = int.from_bytes(source[at : at + 2], "little")
        length, at = _length(source, at + 2, token & 15, room)
        length += _LEAST_MATCH
        if at > size or length < _LEAST_MATCH or not 0 < distance <= len(text) or length > room - len(text):
            return -1
        for _ in range(length):
            text.append(text[-distance])
    return -1


def _length(block: bytes, at: int, length: int, limit: int) -> tuple[int, int]:
    """Return a length that begins in the token, and where its bytes end; the length is less than 0 where none does."""
    if length < _LONG:
        return length, at
    while at < len(block) and length <= limit:
        length += block[at]
        at += 1
        if block[at - 1] != 255:
            return length, at
    return -_LONG, at


def _part(buffer: Any, start: int, size: int) -> memoryview:
    view = memoryview(buffer).cast("B")
    if start < 0 or size < 0 or start > len(view) or size > len(view) - start:
        raise ValueError(f"bytes {start} to {start + size} of a buffer of {len(view)}")
    return view[start : start + size]
