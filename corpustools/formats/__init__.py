"""Output and input formats of token ids, one file each, and the table that picks.

The table holds names of modules and classes, so that a command line can offer the formats before it loads any.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from corpustools.errors import UsageError
from corpustools.formats.layout import Layout

if TYPE_CHECKING:
    from corpustools.formats.reader import LineReader
    from corpustools.formats.vocabulary import Vocabulary
    from corpustools.formats.writer import Writer

# Format -> where its class is. A new format is a line here and a file beside this one.
FORMATS = {
    "ids": "corpustools.formats.ids:IdsWriter",
    "pieces": "corpustools.formats.pieces:PiecesWriter",
    "jsonl": "corpustools.formats.jsonl:JsonlWriter",
    "u16": "corpustools.formats.u16:U16Writer",
    "u32": "corpustools.formats.u32:U32Writer",
    "npy": "corpustools.formats.npy:NpyWriter",
    "megatron": "corpustools.formats.megatron:MegatronWriter",
    "datatrove": "corpustools.formats.datatrove:DatatroveWriter",
    "offsets": "corpustools.formats.offsets:OffsetsWriter",
    "llmc": "corpustools.formats.llmc:LlmcWriter",
    "olmo": "corpustools.formats.olmo:OlmoWriter",
    "parquet": "corpustools.formats.parquet:ParquetWriter",
    "arrow": "corpustools.formats.arrow:ArrowWriter",
    "mds": "corpustools.formats.mds:MdsWriter",
    "litdata": "corpustools.formats.litdata:LitdataWriter",
    "arrayrecord": "corpustools.formats.arrayrecord:ArrayRecordWriter",
}
READABLE = {
    "ids": "corpustools.formats.ids:IdsReader",
    "jsonl": "corpustools.formats.jsonl:JsonlReader",
}


def make_writer(
    name: str, vocabulary: Vocabulary, columns: tuple[str, ...] = (), layout: Layout | None = None
) -> Writer:
    """Return the writer of a format.

    Args:
        name: a key of FORMATS.
        vocabulary: what is known of the ids.
        columns: names of the values that stand beside the ids.
        layout: windows and shards; None for documents as they are in one output.

    Raises:
        UsageError: there is no such format, or it cannot hold the vocabulary's ids, the columns or the layout.
    """
    found, layout = writer_class(name), layout or Layout()
    layout.check()
    if columns and not found.holds_columns:
        remedy = f"use format {formats_that('holds_columns')}"
        raise UsageError(f"format '{name}' has no place for {', '.join(columns)} beside the ids", remedy)
    # Not at the top: a command line that offers the formats would wait for it.
    from corpustools.formats.row_writer import RowWriter
    from corpustools.formats.text_rows import TextRows

    if issubclass(found, RowWriter) or not (layout.context or layout.sharded):
        return found(vocabulary, columns, layout)
    if columns:
        raise UsageError(f"{', '.join(columns)} beside ids in windows or shards", "leave one of the two away")
    return TextRows(found(vocabulary), vocabulary, layout)


def make_reader(name: str) -> LineReader:
    """Return the reader of a format.

    Raises:
        UsageError: there is no such format, or nothing reads it.
    """
    reader: LineReader = _load(name, READABLE)()
    return reader


def writer_class(name: str) -> type[Writer]:
    """Return the writer class of a format, whose attributes say what the format can do.

    Raises:
        UsageError: there is no such format.
    """
    found: type[Writer] = _load(name, FORMATS)
    return found


def formats_that(fact: str) -> str:
    """Return the formats whose writers have a fact ('streams', 'holds_columns', ...), as a sentence lists them."""
    names = [name for name in FORMATS if getattr(writer_class(name), fact)]
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


def _load(name: str, table: dict[str, str]) -> Any:
    if name not in table:
        raise UsageError(f"format '{name}'", f"accepted are {', '.join(table)}")
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)
