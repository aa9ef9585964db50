"""`corpus detokenize` without the command line: lines of ids back to lines of text."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence

import numpy as np

from corpustools.errors import DataError
from corpustools.files.inputs import STDIN, Input, inspect
from corpustools.files.outputs import STDOUT, open_output
from corpustools.progress import Progress
from corpustools.stages.tokenize.blocks import Block, Blocks
from corpustools.stages.tokenize.run import TokenizeResult
from corpustools.stages.tokenize.tokenizer import Tokenizer

_IDS = re.compile(rb"[0-9 \t\r\n]*")


def detokenize(
    tokenizer: Tokenizer,
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] = STDOUT,
    form: str = "ids",
    progress: Progress | None = None,
) -> tuple[TokenizeResult, list[Input]]:
    """Write the text of every line of ids, a line each.

    Args:
        tokenizer: the model that made the ids.
        inputs: paths, or '-'.
        output: a path, which appears whole at the end, or '-'.
        form: 'ids' or 'jsonl' (objects with `ids`).
        progress: takes (phase, bytes done, bytes in all or None).

    Raises:
        DataError: a line that holds no ids, or an id that the model does not have.
    """
    began = time.monotonic()
    found = inspect([os.fspath(path) for path in inputs] or [STDIN])
    out = open_output(os.fspath(output), None, 1)
    records = tokens = written = 0
    try:
        blocks = Blocks(found, None, whole=True)
        for block in blocks:
            assert isinstance(block, Block)
            for number, ids in _read(block, form):
                try:
                    text = tokenizer.decode_bytes(ids)
                except DataError as error:
                    raise DataError(f"record {number}: {error.what}", error.remedy) from error
                out.write(text + b"\n")
                records += 1
                tokens += len(ids)
                written += len(text) + 1
            if progress is not None:
                progress("detokenizing", blocks.read, None)
        out.finish()
    except BaseException:
        out.abort()
        raise
    return TokenizeResult(records, records, tokens, written, time.monotonic() - began), found


def _read(block: Block, form: str) -> Iterator[tuple[int, Sequence[int]]]:
    """Give the number and the ids of every record."""
    for i, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
        line = block.data[start:end]
        yield block.first + i, _object(line, block.first + i) if form == "jsonl" else _line(line, block.first + i)


def _line(line: bytes, number: int) -> Sequence[int]:
    if not _IDS.fullmatch(line):
        wrong = next(word for word in line.split() if not word.isdigit())
        raise DataError(f"record {number}: {wrong[:40]!r} is no id", "ids are decimal numbers, separated by spaces")
    try:
        ids: list[int] = np.array(line.split(), np.int64).tolist()
        return ids
    except (OverflowError, ValueError) as error:
        raise DataError(f"record {number}: an id is larger than any model has") from error


def _object(line: bytes, number: int) -> Sequence[int]:
    try:
        ids = json.loads(line)["ids"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"record {number} is no JSON object with 'ids'") from error
    if not isinstance(ids, list) or not all(type(i) is int and abs(i) < 1 << 62 for i in ids):
        raise DataError(f"record {number}: 'ids' is no list of ids")
    return ids
