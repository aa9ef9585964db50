"""Readers of whole token outputs, one file a format: ours, and the same formats written by others.

The table holds names of modules and classes, so that a command line can offer the formats before it loads any.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from corpustools.errors import UsageError

if TYPE_CHECKING:
    from corpustools.formats.readers.reader import TokenReader

# Format -> where its reader is. A new format is a line here, a file beside this one, and a way to know it again in
# corpustools.formats.readers.recognise.
READERS = {
    "ids": "corpustools.formats.readers.lines:IdsReader",
    "jsonl": "corpustools.formats.readers.lines:JsonReader",
    "u16": "corpustools.formats.readers.bare:U16Reader",
    "u32": "corpustools.formats.readers.bare:U32Reader",
    "npy": "corpustools.formats.readers.bare:NpyReader",
    "megatron": "corpustools.formats.readers.megatron:MegatronReader",
    "datatrove": "corpustools.formats.readers.datatrove:DatatroveReader",
    "offsets": "corpustools.formats.readers.offsets:OffsetsReader",
    "llmc": "corpustools.formats.readers.bare:LlmcReader",
    "olmo": "corpustools.formats.readers.olmo:OlmoReader",
    "parquet": "corpustools.formats.readers.tables:ParquetReader",
    "arrow": "corpustools.formats.readers.tables:ArrowReader",
    "mds": "corpustools.formats.readers.folders:MdsReader",
    "litdata": "corpustools.formats.readers.folders:LitdataReader",
    "arrayrecord": "corpustools.formats.readers.arrayrecord:ArrayRecordReader",
}


def open_tokens(outputs: Sequence[str], form: str | None, vocabulary: int) -> TokenReader:
    """Return a reader of one token output, or of several one after another.

    Args:
        outputs: files, folders, what names of files begin with, or patterns with {shard}.
        form: a key of READERS; None recognises it by the files.
        vocabulary: how many ids there are.

    Raises:
        UsageError: there is no such format, or no output.
        DataError: the files are of no format that is known, or do not fit each other.
        SystemFailure: a file cannot be read.
    """
    from corpustools.formats.readers.chain import ChainReader
    from corpustools.formats.readers.recognise import base_of, expand, recognise

    if not outputs:
        raise UsageError("no output", "name the output that is to be verified")
    if form is not None and form not in READERS:
        raise UsageError(f"format '{form}'", f"accepted are {', '.join(READERS)}")
    readers: list[TokenReader] = []
    try:
        for path in [one for output in outputs for one in expand(output)]:
            name = form or recognise(path, vocabulary)
            module, _, attribute = READERS[name].partition(":")
            readers.append(getattr(import_module(module), attribute)(base_of(path, name), vocabulary))
    except BaseException:
        for reader in readers:
            reader.close()
        raise
    return readers[0] if len(readers) == 1 else ChainReader(readers)
