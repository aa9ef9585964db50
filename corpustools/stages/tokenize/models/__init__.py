"""Model formats, one file each; `parse` recognises which one a file's content is."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import Any, BinaryIO

from corpustools.errors import DataError, UnsupportedModel, from_os
from corpustools.stages.tokenize.models.json_merges import read_json
from corpustools.stages.tokenize.models.model import Model

# Larger than any model in use by two orders of magnitude; a wrong file is refused before it fills the memory.
LARGEST_FILE = 2 << 30
_PIECE = 1 << 20
ACCEPTED = (
    "accepted are SentencePiece and bytepiece .model files, tokenizer.json, tiktoken and tekken vocabularies, "
    "piece TAB score, word counts"
)
# First bytes of files that users have beside a model, or pack it in.
FOREIGN = {
    b"GGUF": ("a GGUF file", "give the SentencePiece .model or tokenizer.json it was made from"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it and give the model inside"),
    b"\x1f\x8b": ("a gzip file", "decompress it first"),
    b"\x28\xb5\x2f\xfd": ("a Zstandard file", "decompress it first"),
    b"version https://git-lfs": ("a Git LFS pointer", "fetch the file itself with: git lfs pull"),
}


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file; its format is recognised by its content, never by its name.

    Raises:
        DataError: the file is damaged, or no format is recognised.
        UnsupportedModel: the file is sound but needs something that is not done here; the text names it.
        SystemFailure: the file cannot be read.
    """
    name = os.fspath(path)
    try:
        status = os.stat(name)
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISFIFO(status.st_mode):
            # A device may have no end.
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "a device or a socket"
            raise DataError(f"the model {name} is {what}", "name the model's file")
        with open(name, "rb") as file:
            data = _read(file, status.st_size, name)
    except OSError as error:
        raise from_os(error, f"cannot read the model {name}") from error
    return parse(data, name)


def _read(file: BinaryIO, size: int, name: str) -> bytes:
    """Return a file's bytes, piece by piece: its size is no promise, as it may be a pipe.

    Raises:
        DataError: there are more than any model has.
    """
    data = bytearray()
    while size <= LARGEST_FILE and (piece := file.read(_PIECE)):
        data += piece
        size = max(size, len(data))
    if size > LARGEST_FILE:
        raise DataError(f"{name} is larger than 2 GiB", "this is no tokenization model")
    return bytes(data)


def parse(data: bytes, name: str) -> Model:
    """Return the model that a file's bytes hold; `name` stands in errors.

    Raises:
        DataError: the bytes are damaged, or no format is recognised.
        UnsupportedModel: the model is sound but needs something that is not done here; the text names it.
    """
    model = _recognised(data, name)
    return model if model.weighted else replace(model, file=data)


def _recognised(data: bytes, name: str) -> Model:
    for magic, (what, remedy) in FOREIGN.items():
        if data.startswith(magic):
            raise UnsupportedModel(f"{name} is {what}", remedy)
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return _json(data, name)
    # Every writer of the protobuf begins with field 1, a piece, whose own field 1 is its text.
    if data[:1] == b"\n" and (b"\0" in data or b"\n" in data[2:12]):
        from corpustools.stages.tokenize.models import sentencepiece

        return sentencepiece.parse(data, name)
    from corpustools.stages.tokenize.models import plain_text, tiktoken

    if tiktoken.recognises(data):
        return tiktoken.parse(data, name)
    model = plain_text.parse(data, name)
    if model is None:
        raise DataError(f"{name} is no model of a known format", ACCEPTED)
    return model


def _json(data: bytes, name: str) -> Model:
    try:
        content: Any = read_json(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not valid JSON ({error})") from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        from corpustools.stages.tokenize.models import huggingface

        return huggingface.parse(content, name)
    if isinstance(content, dict) and isinstance(content.get("config"), dict) and "vocab" in content:
        from corpustools.stages.tokenize.models import tekken

        return tekken.parse(content, name)
    if isinstance(content, dict) and content:
        first = next(iter(content.values()))
        if isinstance(first, list):
            from corpustools.stages.tokenize.models import bytepiece

            return bytepiece.parse(content, name)
        if isinstance(first, int):
            raise UnsupportedModel(f"{name} is a vocab.json without its rules", "give the tokenizer.json")
    raise DataError(f"{name} is JSON, but no model of a known format", ACCEPTED)
