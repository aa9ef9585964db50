"""File formats that hold no records by line, told by their first bytes: as lines they would be destroyed."""

from __future__ import annotations

from corpustools.errors import DataError

# Bytes that have to be seen of a stream's front.
HEAD_BYTES = 512

_TABLE = "write its text column as lines or JSON lines first"
_ARCHIVE = "unpack it and give the files inside"
_DECODE = "decompress it first"
_SIGNATURES = {
    b"ARROW1\0\0": ("an Arrow file", _TABLE),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", _TABLE),
    b"SQLite format 3\0": ("an SQLite database", _TABLE),
    b"Obj\x01": ("an Avro file", _TABLE),
    b"\x93NUMPY": ("a NumPy array", "write its values without the header (array.tofile)"),
    b"PK\x03\x04": ("a ZIP archive", _ARCHIVE),
    b"PK\x05\x06": ("an empty ZIP archive", _ARCHIVE),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _ARCHIVE),
    b"Rar!\x1a\x07": ("a RAR archive", _ARCHIVE),
    b"\x04\x22\x4d\x18": ("LZ4 data", _DECODE),
    b"\x02\x21\x4c\x18": ("LZ4 data of the legacy format", _DECODE),
    b"LZIP\x01": ("lzip data", _DECODE),
    b"\x5d\x00\x00": (".lzma data", _DECODE),
    b"\x78\x01": ("zlib data", _DECODE),
    b"\x78\x9c": ("zlib data", _DECODE),
    b"\x78\xda": ("zlib data", _DECODE),
    b"\x1f\x9d": ("data of compress (.Z)", _DECODE),
    b"\x89LZO\x00": ("lzop data", _DECODE),
    b"\xff\x06\x00\x00sNaPpY": ("Snappy data", _DECODE),
}
_PARQUET = (b"PAR1", b"PARE")
# A page header of Thrift's compact protocol follows the first magic.
_FIRST_FIELD = 0x15
_TAR_MAGIC = slice(257, 262)


def foreign_format(head: bytes, tail: bytes | None = None) -> tuple[str, str] | None:
    """Return what a stream is, and what to do with it, if it is no text by its first bytes; else None.

    Args:
        head: up to HEAD_BYTES from the front.
        tail: the last four bytes, where they can be had; they tell Parquet from a line that begins as it does.
    """
    if head.startswith(_PARQUET) and (tail in _PARQUET if tail is not None else head[4:5] == bytes([_FIRST_FIELD])):
        return "a Parquet file", _TABLE
    if head[_TAR_MAGIC] == b"ustar":
        return "a tar archive", _ARCHIVE
    return next((found for magic, found in _SIGNATURES.items() if head.startswith(magic)), None)


def refuse_foreign(name: str, head: bytes, tail: bytes | None = None) -> None:
    """Refuse a stream that is no text by its first bytes.

    Raises:
        DataError: it is one of the formats known here; the text names it.
    """
    found = foreign_format(head, tail)
    if found is not None:
        raise DataError(f"{name}: is {found[0]}, not records", found[1])
