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
# Suffix of one format -> the formats that may be written under it; None stands for lines of text, '' for any bytes.
SUFFIXES: dict[str, tuple[str | None, ...]] = {
    ".npy": ("npy",),
    ".jsonl": ("jsonl", None, ""),
    ".ndjson": ("jsonl", None, ""),
    ".u16": ("u16", ""),
    ".u32": ("u32", ""),
    ".parquet": ("parquet",),
    ".arrow": ("arrow",),
    ".arrayrecord": ("arrayrecord",),
    **dict.fromkeys((".npz", ".feather", ".orc", ".avro", ".h5", ".hdf5", ".safetensors"), ()),
}
# What texts may be written as.
TEXT_FORMS = ("auto", "lines", "jsonl")
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
    layout = layout or Layout()
    check_format(name, columns, layout)
    found = writer_class(name)
    # Not at the top: a command line that offers the formats would wait for it.
    from corpustools.formats.row_writer import RowWriter
    from corpustools.formats.text_rows import TextRows

    if issubclass(found, RowWriter) or not (layout.context or layout.sharded):
        return found(vocabulary, columns, layout)
    return TextRows(found(vocabulary), vocabulary, layout)


def check_format(name: str, columns: tuple[str, ...], layout: Layout) -> None:
    """Check what can be said of a format without a vocabulary; see `make_writer` for the arguments.

    Raises:
        UsageError: there is no such format, or it cannot hold the columns or the layout.
    """
    found = writer_class(name)
    layout.check()
    if columns and not found.holds_columns:
        remedy = f"use format {formats_that('holds_columns')}"
        raise UsageError(f"format '{name}' has no place for {', '.join(columns)} beside the ids", remedy)
    if columns and (layout.context or layout.sharded):
        raise UsageError(f"{', '.join(columns)} beside ids in windows or shards", "leave one of the two away")


def refuse_suffix(path: str, form: str | None) -> None:
    """Refuse an output whose name says that it is of another format: somebody would open it as that.

    Args:
        path: the output.
        form: a key of FORMATS; None for lines of text, '' for records of any bytes.

    Raises:
        UsageError: the suffix belongs to another format.
    """
    name = path.lower()
    name = name.removesuffix(".gz").removesuffix(".zst")
    suffix = next((one for one in SUFFIXES if name.endswith(one)), None)
    if suffix is None:
        return
    owners = SUFFIXES[suffix]
    if form in owners:
        return
    what = "lines of text" if form is None else "records" if not form else f"format {form}"
    known = [owner for owner in owners if owner in FORMATS]
    remedy = "give it another name" + (f", or use format {known[0]}" if known and form else "")
    raise UsageError(f"output '{path}': {suffix} is the suffix of another format than {what}", remedy)


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
