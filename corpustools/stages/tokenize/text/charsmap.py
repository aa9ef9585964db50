"""SentencePiece's precompiled charsmap and user-defined symbols, validated and laid out for the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel

ADD_DUMMY_PREFIX, REMOVE_EXTRA_WHITESPACES, ESCAPE_WHITESPACES, WHITESPACE_AS_SUFFIX = 1, 2, 4, 8
# The longest rule of the four charsmaps that SentencePiece ships has 15 bytes.
LONGEST_RULE = 1000

Words = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True)
class Charsmap:
    """The tables of kernels.normalize: rules and their outputs, trie of the symbols, plain characters; the symbols."""

    units: Words
    strings: bytes
    first: Words
    target: Words
    label: bytes
    terminal: bytes
    ascii: bytes
    bmp: bytes
    symbols: tuple[bytes, ...] = ()

    @property
    def tables(self) -> tuple[Any, ...]:
        """The eight buffers in the kernel's order."""
        return (
            self.units,
            self.strings,
            self.first,
            self.target,
            self.label,
            self.terminal,
            self.ascii,
            self.bmp,
        )


def compile_charsmap(blob: bytes, symbols: list[bytes]) -> Charsmap:
    """Return the tables of a precompiled charsmap (empty: no rules) and user-defined symbols.

    The charsmap: uint32 size of the trie in bytes, the trie as Darts units, NUL-terminated strings.

    Raises:
        DataError: the charsmap is damaged.
        UnsupportedModel: rules or symbols that make something else than UTF-8.
    """
    units, strings = _parse(blob) if blob else (np.zeros(0, np.uint32), b"\0")
    if len(units):
        _validate(units, strings)
    return _tables(units, strings, symbols)


def with_symbols(charsmap: Charsmap, symbols: list[bytes]) -> Charsmap:
    """Return the rules of a charsmap with other user-defined symbols."""
    return _tables(charsmap.units, charsmap.strings, symbols)


def _tables(units: Words, strings: bytes, symbols: list[bytes]) -> Charsmap:
    first, target, label, terminal = _symbol_trie(symbols)
    ascii_kinds, bmp = _plain_characters(units)
    for symbol in symbols:
        _clear(symbol, ascii_kinds, bmp)
    bmp[0x2581] = False  # counts as a space symbol at the end of a record
    return Charsmap(
        units,
        strings,
        first,
        target,
        label,
        terminal,
        ascii_kinds.tobytes(),
        np.packbits(bmp, bitorder="little").tobytes(),
        tuple(symbols),
    )


def _parse(blob: bytes) -> tuple[Words, bytes]:
    size = int.from_bytes(blob[:4], "little")
    if len(blob) <= 4 or size >= len(blob) - 4 or size < 1024 or size % 1024:
        raise DataError("the charsmap is torn")
    strings = blob[4 + size :]
    if strings[-1]:
        raise DataError("the charsmap's strings do not end with NUL")
    return np.frombuffer(blob, "<u4", size // 4, 4).astype(np.uint32), strings


def _offsets(units: Words) -> Words:
    shifted: Words = (units >> np.uint32(10)) << ((units & np.uint32(0x200)) >> np.uint32(6))
    return shifted


def _validate(units: Words, strings: bytes) -> None:
    """Refuse units that lead outside the array, outside the strings or around in a ring."""
    index = np.arange(len(units), dtype=np.uint32)
    labels = units & np.uint32(0x800000FF)
    inner = labels <= 0xFF
    base = index ^ _offsets(units)
    leaf_above = inner & (units >> np.uint32(8) & np.uint32(1) == 1)
    torn = "the charsmap's trie is damaged"
    if labels[0] or leaf_above[0] or base[0] == 0 or np.any((base[inner] | np.uint32(0xFF)) >= len(units)):
        raise DataError(torn)
    if np.any(inner[base[leaf_above]]):
        raise DataError(torn)
    values = units[~inner] & np.uint32(0x7FFFFFFF)
    if len(values) and int(values.max()) >= len(strings):
        raise DataError(torn)
    text = np.frombuffer(strings, np.uint8)
    try:
        strings.decode()
    except UnicodeDecodeError as error:
        raise UnsupportedModel("the charsmap's rules make text that is not UTF-8") from error
    if np.any(text[values] & 0xC0 == 0x80):
        raise UnsupportedModel("the charsmap's rules make text that is not UTF-8")
    # Level by level: children of a base are the units that carry the label with which they are reached.
    parent_base = index ^ labels
    level = np.zeros(len(units), bool)
    level[base[0]] = True
    for _ in range(LONGEST_RULE):
        children = inner & (index != 0)
        children[children] = level[parent_base[children]]
        if not children.any():
            return
        level[:] = False
        level[base[children]] = True
    raise DataError(f"the charsmap has rules of more than {LONGEST_RULE} bytes")


def _plain_characters(units: Words) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the kinds of the 128 ASCII characters, and which of the BMP's 65,536 begin no rule."""
    codes = np.arange(0x10000, dtype=np.uint32)
    kinds = np.ones(128, np.uint8)
    bmp = (codes >= 0x80) & ~((codes >= 0xD800) & (codes < 0xE000))
    if not len(units):
        return kinds, bmp
    ascii_found, ascii_alive = _walk(units, [codes[:128]])
    kinds[ascii_alive] = 2
    first, second = np.repeat(codes[:128], 128), np.tile(codes[:128], 128)
    found, alive = _walk(units, [first, second])
    kinds[(found | alive).reshape(128, 128).any(axis=1) | ascii_found] = 0
    two, three = codes[0x80:0x800], codes[0x800:]
    tail = [np.uint32(0x80) | (three >> np.uint32(6) & np.uint32(0x3F)), 0x80 | (three & np.uint32(0x3F))]
    for part, encoded in (
        (two, [0xC0 | (two >> np.uint32(6)), 0x80 | (two & np.uint32(0x3F))]),
        (three, [0xE0 | (three >> np.uint32(12)), *tail]),
    ):
        found, alive = _walk(units, encoded)
        bmp[part[found | alive]] = False
    return kinds, bmp


def _walk(units: Words, text: list[Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return whether a rule was met within each text, and whether a longer one may follow."""
    position = np.full(len(text[0]), _offsets(units[:1])[0], np.uint32)
    alive = np.ones(len(position), bool)
    found = np.zeros(len(position), bool)
    for byte in text:
        byte = np.asarray(byte, np.uint32)
        position ^= byte * alive.astype(np.uint32)
        unit = units[position]
        alive &= unit & np.uint32(0x800000FF) == byte
        found |= alive & (unit >> np.uint32(8) & np.uint32(1) == 1)
        position = np.where(alive, position ^ _offsets(unit), np.uint32(0)).astype(np.uint32)
    return found, alive


def _symbol_trie(symbols: list[bytes]) -> tuple[Words, Words, bytes, bytes]:
    """Return the first edge of each node (and the end), targets and labels of the edges, terminal nodes."""
    children: list[dict[int, int]] = [{}]
    terminal = bytearray(1)
    for symbol in symbols:
        try:
            symbol.decode()
        except UnicodeDecodeError as error:
            raise UnsupportedModel(f"the user-defined symbol {symbol!r} is not UTF-8") from error
        node = 0
        for byte in symbol:
            following = children[node].get(byte)
            if following is None:
                following = children[node][byte] = len(children)
                children.append({})
                terminal.append(0)
            node = following
        terminal[node] = 1
    edges = [sorted(node.items()) for node in children]
    first = np.zeros(len(children) + 1, np.uint32)
    np.cumsum([len(node) for node in edges], out=first[1:])
    label = bytes(byte for node in edges for byte, _ in node)
    target = np.array([to for node in edges for _, to in node], np.uint32)
    return first, target, label, bytes(terminal)


def _clear(symbol: bytes, kinds: np.ndarray[Any, Any], bmp: np.ndarray[Any, Any]) -> None:
    """A character that begins a user-defined symbol is always looked up."""
    code = ord(symbol.decode()[0])
    if code < 0x80:
        kinds[code] = 0
    elif code < 0x10000:
        bmp[code] = False


def shortest_rule(units: Words, text: bytes) -> int | None:
    """Return where the output of the shortest rule that `text` begins with stands in the strings, or None."""
    position = int(_offsets(units[:1])[0]) if len(units) else 0
    for byte in text if len(units) else b"":
        position ^= byte
        unit = int(units[position])
        if unit & 0x800000FF != byte:
            return None
        position ^= unit >> 10 << ((unit & 0x200) >> 6)
        if unit >> 8 & 1:
            return int(units[position]) & 0x7FFFFFFF
    return None
