"""Thrift's compact protocol, in which Parquet describes itself; only what is written is here.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
# A list of so many elements has its length behind its first byte.
_LONG_LIST = 15


class Value(NamedTuple):
    """An encoded value: its type, and its bytes."""

    kind: int
    data: bytes


def i32(number: int) -> Value:
    """Return a 32-bit integer."""
    return Value(_I32, _zigzag(number, 32))


def i64(number: int) -> Value:
    """Return a 64-bit integer."""
    return Value(_I64, _zigzag(number, 64))


def string(text: str) -> Value:
    """Return a text."""
    data = text.encode()
    return Value(_BINARY, varint(len(data)) + data)


def sequence(values: Sequence[Value], kind: Value) -> Value:
    """Return a list of values.

    Args:
        values: its elements, all of one type.
        kind: any value of that type, for a list without elements.
    """
    count = len(values)
    head = bytes([min(count, _LONG_LIST) << 4 | kind.kind]) + (varint(count) if count >= _LONG_LIST else b"")
    return Value(_LIST, head + b"".join(value.data for value in values))


def struct(fields: Mapping[int, Value]) -> Value:
    """Return a structure.

    Args:
        fields: values by the numbers of their fields, 15 apart at most, ascending.
    """
    data, before = [], 0
    for number, value in fields.items():
        assert 0 < number - before < 16
        data += [bytes([number - before << 4 | value.kind]), value.data]
        before = number
    return Value(_STRUCT, b"".join(data) + b"\0")


def varint(number: int) -> bytes:
    """Return an integer of at least 0, seven bits a byte, the lowest first."""
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def _zigzag(number: int, bits: int) -> bytes:
    assert -(1 << bits - 1) <= number < 1 << bits - 1
    return varint(number << 1 if number >= 0 else ~(number << 1))
