"""File formats that hold no records by line, told by their first bytes: as lines they would be destroyed.

Tables, which hold rows, are among them: Parquet, and Arrow as a file or a stream.
"""

from __future__ import annotations

import re

from corpustools.errors import DataError

# Bytes that have to be seen of a stream's front.
HEAD_BYTES = 512

PARQUET, ARROW, STREAM = "a Parquet file", "an Arrow file", "an Arrow stream"
# What holds rows; `files/tables.py` reads it.
TABLES = (PARQUET, ARROW, STREAM)
_TABLE = (
    "rows are shuffled to a .parquet file, and tokenized by the name of their text column; give the file itself, "
    "neither compressed nor through a pipe"
)
_LINES = "write its text column as lines or JSON lines first"
_ARCHIVE = "unpack it and give the files inside"
_DECODE = "decompress it first"
_SIGNATURES = {
    b"ARROW1\0\0": (ARROW, _TABLE),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", _LINES),
    b"SQLite format 3\0": ("an SQLite database", _LINES),
    b"Obj\x01": ("an Avro file", _LINES),
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
# An Arrow stream has no magic of its own: a message begins with this and the length of its metadata.
_MESSAGE = b"\xff\xff\xff\xff"
# The kind of message that comes first (Message.fbs: MessageHeader.Schema), and where the table names its kind.
_SCHEMA, _KIND_FIELD = 1, 1
# A page header of Thrift's compact protocol follows the first magic: its field 1, the type of page, and its field 2.
_PAGE = re.compile(rb"PAR1\x15[\x00\x02\x04\x06]\x15")
_TAR_MAGIC = slice(257, 262)


def foreign_format(head: bytes, tail: bytes | None = None) -> tuple[str, str] | None:
    """Return what a stream is, and what to do with it, if it is no text by its first bytes; else None.

    Args:
        head: up to HEAD_BYTES from the front.
        tail: the last four bytes, where they can be had; they tell Parquet from a line that begins as it does.
    """
    # A torn file has lost its last bytes.
    paged = bool(_PAGE.match(head))
    if paged or (head.startswith(_PARQUET) and (tail in _PARQUET if tail is not None else head[4:5] == b"\x15")):
        return PARQUET, _TABLE
    if _begins_with_schema(head):
        return STREAM, _TABLE
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


def table_format(head: bytes, tail: bytes) -> str | None:
    """Return which of TABLES a file is by its first and last bytes, or None; the arguments are `foreign_format`'s."""
    found = foreign_format(head, tail)
    return found[0] if found is not None and found[0] in TABLES else None


def _begins_with_schema(head: bytes) -> bool:
    """Return whether a stream begins with an Arrow schema, as the flatbuffer of its first message says."""
    if not head.startswith(_MESSAGE) or len(head) < 16:
        return False
    metadata = memoryview(head)[8:]
    size, table = int.from_bytes(head[4:8], "little"), int.from_bytes(metadata[:4], "little")
    if size % 8 or not 0 < table <= min(size, len(metadata)) - 4:
        return False
    # A table begins with the distance back to the list of its fields' places (flatbuffers, internals).
    fields = table - int.from_bytes(metadata[table : table + 4], "little", signed=True)
    place = fields + 4 + 2 * _KIND_FIELD
    if not 0 <= fields <= place <= len(metadata) - 2:
        return False
    kind = table + int.from_bytes(metadata[place : place + 2], "little")
    return table < kind < len(metadata) and metadata[kind] == _SCHEMA
