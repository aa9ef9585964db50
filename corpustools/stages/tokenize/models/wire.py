"""The protobuf wire format, read by hand: every length is checked, because model files come from anywhere."""

from __future__ import annotations

from collections.abc import Iterator

from corpustools.errors import DataError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | bytes


def fields(data: bytes, what: str) -> Iterator[tuple[int, int, Value]]:
    """Yield (field number, wire type, value) of one message.

    Varints and fixed-size values are unsigned integers; length-delimited values are bytes. Groups, which no
    model format uses, are refused.

    Raises:
        DataError: the message is torn; `what` names it.
    """
    position, end = 0, len(data)
    while position < end:
        tag, position = varint(data, position, what)
        number, wire = tag >> 3, tag & 7
        value: Value
        if wire == VARINT:
            value, position = varint(data, position, what)
        elif wire == BYTES:
            length, position = varint(data, position, what)
            value = data[position : position + length]
            if len(value) != length:
                raise DataError(f"{what} is torn at byte {position}")
            position += length
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
            if position + length > end:
                raise DataError(f"{what} is torn at byte {position}")
            value = int.from_bytes(data[position : position + length], "little")
            position += length
        else:
            raise DataError(f"{what} has an unknown wire type {wire} at byte {position}")
        if not number:
            raise DataError(f"{what} has a field number 0 at byte {position}")
        yield number, wire, value


def varint(data: bytes, position: int, what: str) -> tuple[int, int]:
    """Return an unsigned 64-bit varint and the position behind it.

    Raises:
        DataError: the number does not end within the data.
    """
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
    raise DataError(f"{what} is torn at byte {position}")


def message(data: bytes, what: str, types: dict[int, int]) -> dict[int, Value]:
    """Return the last value of each field that `types` (field number to wire type) asks for.

    Length-delimited values are bytes. A field of another wire type than its own is an error.

    Raises:
        DataError: the message is torn, or a field has another type than expected.
    """
    found: dict[int, Value] = {}
    for number, wire, value in fields(data, what):
        if number in types:
            if wire != types[number]:
                raise DataError(f"{what} has field {number} as wire type {wire}, not {types[number]}")
            found[number] = value
    return found
