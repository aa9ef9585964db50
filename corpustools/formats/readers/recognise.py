"""Which files an output has, and which format they are in."""

from __future__ import annotations

import os
import re

from corpustools.errors import DataError, UsageError, from_os
from corpustools.files.compression import detect
from corpustools.files.inputs import OpenInput, inspect
from corpustools.files.outputs import SHARD
from corpustools.files.zstd import LARGEST_WINDOW
from corpustools.formats.readers.bare import LLMC, NPY_MAGIC, narrow
from corpustools.formats.readers.folders import INDEX, read_index
from corpustools.formats.readers.reader import RawFile

# Formats of several files: the one with the ids, and one that no other format has.
PREFIXES = {
    "megatron": (".bin", ".idx"),
    "datatrove": (".ds", ".ds.index"),
    "offsets": (".bin", ".offsets.npy"),
    "olmo": (".npy", ".csv.gz"),
}
_SUFFIXES = sorted({suffix for pair in PREFIXES.values() for suffix in pair} | {".ds.metadata"}, key=len, reverse=True)
_HEAD = 4096
# How files of a format begin: the first block of a Riegeli file, a message of an Arrow stream.
_MAGICS = {
    NPY_MAGIC: "npy",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
    bytes.fromhex("83af70d10d884a3f"): "arrayrecord",
}
_NAME_IT = "name the format"


def expand(output: str) -> list[str]:
    """Return the outputs that a name stands for: itself, or with {shard} all shards in the order of their numbers.

    Raises:
        DataError: there are none, or one between others is missing.
    """
    if SHARD not in output:
        return [output]
    folder, name = os.path.split(output)
    if SHARD in folder or name.count(SHARD) > 1:
        raise UsageError(
            f"output '{output}': {SHARD} stands in a folder's name, or twice", "write it once, in the name"
        )
    before, _, behind = name.partition(SHARD)
    pattern = re.compile(re.escape(before) + "([0-9]+)" + re.escape(behind))
    found: dict[int, str] = {}
    for entry in _entries(folder):
        for candidate in (entry, *(entry.removesuffix(suffix) for suffix in _SUFFIXES if entry.endswith(suffix))):
            match = pattern.fullmatch(candidate)
            if match:
                number = int(match[1])
                if found.setdefault(number, candidate) != candidate:
                    raise DataError(f"'{output}': '{found[number]}' and '{candidate}' have one number", "remove one")
    numbers = sorted(found)
    if not numbers:
        raise DataError(f"'{output}': there are no shards of this name", "check the name")
    missing = sorted(set(range(numbers[0] if numbers[0] <= 1 else 0, numbers[-1])) - set(numbers))
    if missing:
        raise DataError(f"'{output}': shard {missing[0]} is missing", "an output is verified with all its shards")
    return [os.path.join(folder, found[number]) for number in numbers]


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")
    except OSError as error:
        raise from_os(error, f"{folder}: cannot be read", "check the path and its permissions") from error


def base_of(path: str, form: str) -> str:
    """Return what the names of an output's files begin with, where one of the files is named instead."""
    if form in PREFIXES and not os.path.exists(path + PREFIXES[form][0]):
        for suffix in _SUFFIXES:
            own = suffix in PREFIXES[form] or (form == "datatrove" and suffix.startswith(".ds"))
            if own and path.endswith(suffix) and os.path.exists(path.removesuffix(suffix) + PREFIXES[form][0]):
                return path.removesuffix(suffix)
    return path


def recognise(path: str, vocabulary: int) -> str:
    """Return the format of an output.

    Args:
        path: a file, a folder, or what the names of its files begin with.
        vocabulary: how many ids there are.

    Raises:
        DataError: it is of no format that is known, or could be of several.
    """
    found = [name for name in PREFIXES if _has_files(path, name)]
    if len(found) > 1:
        raise DataError(f"{path}: has the files of {' and of '.join(found)}", _NAME_IT)
    if found:
        return found[0]
    if not os.path.lexists(path):
        raise DataError(f"{path}: there is no such output", "check the name; files of formats are named without suffix")
    return _of_folder(path) if os.path.isdir(path) else _of_file(path, vocabulary)


def _has_files(path: str, form: str) -> bool:
    base, (data, other) = base_of(path, form), PREFIXES[form]
    if not os.path.exists(base + data):
        # Without its ids, an index is still of this format, and the reader says what is missing.
        return os.path.exists(path + other)
    if form == "datatrove":
        return True
    return os.path.exists(base + other) and (path == base or path.removeprefix(base) in (data, other))


def _of_folder(path: str) -> str:
    """Return the format of a folder by its index."""
    if not os.path.exists(os.path.join(path, INDEX)):
        raise DataError(f"{path}: is a folder without {INDEX}", "name the files in it")
    index = read_index(path)
    keys = set(index) if isinstance(index, dict) else set()
    if keys >= {"chunks", "config"}:
        return "litdata"
    if "shards" in keys:
        return "mds"
    raise DataError(f"{path}/{INDEX}: is an index of no format that is known", _NAME_IT)


def _of_file(path: str, vocabulary: int) -> str:
    """Return the format of one file by its content."""
    file = RawFile(path)
    data = file.read(0, min(file.size, _HEAD))
    file.close()
    for magic, form in _MAGICS.items():
        if data.startswith(magic):
            return form
    if len(data) >= 1024 and int.from_bytes(data[:4], "little") in LLMC:
        return "llmc"
    decoded = _decoded_head(path) if detect(data) is not None else data
    if re.match(rb"\s*\{\s*\"", decoded):
        return "jsonl"
    # Text that is no ids all the same is told so by the reader of ids.
    if re.fullmatch(rb"[ -~\t\r\n]*", decoded):
        return "ids"
    return "u16" if narrow(vocabulary) == 2 and not _is_wide(decoded) else "u32"


def _is_wide(head: bytes) -> bool:
    """Say whether ids that two bytes could hold stand in four: then every second pair of bytes is zero."""
    pairs = memoryview(head[: len(head) // 4 * 4]).cast("H")
    return len(pairs) >= 8 and not any(pairs[1::2]) and any(pairs)


def _decoded_head(path: str) -> bytes:
    stream = OpenInput(inspect([path])[0], LARGEST_WINDOW)
    head, n = memoryview(bytearray(_HEAD)), 0
    try:
        while n < _HEAD and (more := stream.readinto(head[n:])):
            n += more
    finally:
        stream.close()
    return bytes(head[:n])
