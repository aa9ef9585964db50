"""Output and input formats of token ids, one file each, and the table that picks.

The table holds names of modules and classes, so that a command line can offer the formats before it loads any.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from corpustools.errors import UsageError

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
}
READABLE = {
    "ids": "corpustools.formats.ids:IdsReader",
    "jsonl": "corpustools.formats.jsonl:JsonlReader",
}


def make_writer(name: str, vocabulary: Vocabulary, columns: tuple[str, ...] = (), context: int = 0) -> Writer:
    """Return the writer of a format.

    Args:
        name: a key of FORMATS.
        vocabulary: what is known of the ids.
        columns: names of the values that stand beside the ids.
        context: ids of a context window; 0 writes the ids as they come.

    Raises:
        UsageError: there is no such format, or it cannot hold the vocabulary's ids, the columns or windows.
    """
    found = writer_class(name)
    if columns and not found.holds_columns:
        remedy = f"use format {formats_that('holds_columns')}"
        raise UsageError(f"format '{name}' has no place for {', '.join(columns)} beside the ids", remedy)
    if context and not found.cuts_windows:
        remedy = f"use format {formats_that('cuts_windows')}"
        raise UsageError(f"context windows are cut from bare ids, and format '{name}' has records", remedy)
    return found(vocabulary, columns, context)


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
