"""`mds` and `litdata`: folders with an index that lists files, each with a table of where its samples stand."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from corpustools.errors import DataError
from corpustools.formats.batch import Counts
from corpustools.formats.readers.reader import BATCH_IDS, Dtype, RawFile, TokenBatch, TokenReader, as_ids

INDEX = "index.json"
_LARGEST_INDEX = 1 << 30
# The types of ids in litdata's tables of types (litdata/constants.py).
_LITDATA = {"no_header_tensor:16": "<i4", "no_header_tensor:18": "<i8", "no_header_tensor:20": "<u2"} | {
    "no_header_numpy:5": "<u2",
    "no_header_numpy:6": "<u4",
}
_HASHED_AT_ONCE = 1 << 20


def read_index(folder: str) -> Any:
    """Return the index of a folder.

    Raises:
        DataError: it is no JSON.
        SystemFailure: it cannot be read.
    """
    file = RawFile(os.path.join(folder, INDEX))
    try:
        return json.loads(file.read(0, min(file.size, _LARGEST_INDEX)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file.name}: is no JSON ({error})", "write the output again") from error
    finally:
        file.close()


class FolderReader(TokenReader):
    """A folder of files that begin with how many samples they have, and where each begins and the last one ends."""

    def __init__(self, path: str, vocabulary: int = 0) -> None:
        super().__init__(path, vocabulary)
        try:
            self.dtype, self._files = self.files(read_index(path))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DataError(f"{path}/{INDEX}: is no index of format {self.form}", "write the output again") from error
        self.width = self.dtype.itemsize
        self.documents = sum(samples for _, samples, _ in self._files)
        # Every size is looked at before the first id is read.
        for name, _, size in self._files:
            file = self._open(name)
            file.close()
            if file.size != size:
                raise DataError(
                    f"{file.name}: has {file.size} bytes, and the index says {size}",
                    "it is torn or of another run: write the output again",
                )

    def files(self, index: Any) -> tuple[Dtype, list[tuple[str, int, int]]]:
        """Return the type of an id, and the name, samples and bytes of each file.

        Raises:
            DataError: the index asks for something that is not read; the text names it.
        """
        raise NotImplementedError

    def samples(self, file: RawFile, places: Counts) -> TokenBatch:
        """Return the ids of samples.

        Args:
            file: the open file.
            places: where each sample begins, and where the last one ends.
        """
        raise NotImplementedError

    def check_file(self, number: int, file: RawFile, ids: int) -> None:
        """Check a file that was read, whose ids are counted."""

    def batches(self) -> Iterator[TokenBatch]:
        """Give all ids in order."""
        for number, (name, samples, size) in enumerate(self._files):
            file = self._open(name)
            try:
                places = self._places(file, samples, size)
                ids = 0
                for batch in self._in_portions(file, places):
                    ids += len(batch.ids)
                    yield batch
                self.check_file(number, file, ids)
            finally:
                file.close()

    def _in_portions(self, file: RawFile, places: Counts) -> Iterator[TokenBatch]:
        first = 0
        while first < len(places) - 1:
            reach = places[first] + BATCH_IDS * self.width
            last = max(first + 1, int(np.searchsorted(places, reach, "right")) - 1)
            yield self.samples(file, places[first : last + 1])
            first = last

    def _open(self, name: str) -> RawFile:
        if os.path.basename(name) != name:
            raise DataError(f"{self.name}/{INDEX}: names a file outside the folder: '{name}'", "write the output again")
        return RawFile(os.path.join(self.name, name))

    def _places(self, file: RawFile, samples: int, size: int) -> Counts:
        """Return where samples begin in a file, and where the last one ends.

        Raises:
            DataError: the file has another number of samples, or its table is damaged.
        """
        least = 8 + 4 * samples
        if file.size < least or int(file.array("<u4", 0, 1)[0]) != samples:
            raise DataError(f"{file.name}: has not the {samples} samples of the index", "write the output again")
        places = file.array("<u4", 4, samples + 1).astype(np.int64)
        if places[0] < least or (np.diff(places) < 0).any() or places[-1] != size:
            raise DataError(f"{file.name}: its table of samples is damaged", "write the output again")
        return places


class LitdataReader(FolderReader):
    """Chunks of items without heads, as TokensLoader reads them. An item is a document."""

    form = "litdata"

    def files(self, index: Any) -> tuple[Dtype, list[tuple[str, int, int]]]:
        """Return the type of an id, and the name, items and bytes of each chunk."""
        config = index["config"]
        if config.get("compression") or config.get("encryption"):
            raise DataError(f"{self.name}: its chunks are compressed or encrypted", "decode them first")
        [form] = config["data_format"]
        if form not in _LITDATA:
            raise DataError(f"{self.name}: items of kind '{form}'", f"accepted are {', '.join(_LITDATA)}")
        self._dims = [chunk["dim"] for chunk in index["chunks"]]
        chunks = [(str(one["filename"]), int(one["chunk_size"]), int(one["chunk_bytes"])) for one in index["chunks"]]
        return np.dtype(_LITDATA[form]), chunks

    def samples(self, file: RawFile, places: Counts) -> TokenBatch:
        """Return the ids of items."""
        lengths = np.diff(places)
        if (lengths % self.width).any():
            raise DataError(f"{file.name}: an item has half an id", "its ids have another width")
        ids = file.array(self.dtype, int(places[0]), int(lengths.sum()) // self.width)
        return TokenBatch(as_ids(ids), np.cumsum(lengths // self.width))

    def check_file(self, number: int, file: RawFile, ids: int) -> None:
        """Hold the number of ids against the index."""
        if self._dims[number] != ids:
            raise DataError(
                f"{file.name}: has {ids} ids, and the index says dim {self._dims[number]}", "write the output again"
            )


class MdsReader(FolderReader):
    """Shards with a column of integer arrays of one dimension."""

    form = "mds"

    def files(self, index: Any) -> tuple[Dtype, list[tuple[str, int, int]]]:
        """Return the type of an id, and the name, samples and bytes of each shard."""
        shards = index["shards"]
        kinds = {tuple(zip(one["column_names"], one["column_encodings"], strict=True)) for one in shards}
        columns = [pair for pair in next(iter(kinds)) if pair[1].startswith("ndarray:")] if len(kinds) == 1 else []
        if len(kinds) > 1 or len(columns) != 1 or len(next(iter(kinds), ())) != 1:
            raise DataError(f"{self.name}: has columns {sorted(kinds)}", "accepted is one column ndarray:TYPE of ids")
        if any(one["format"] != "mds" or one.get("compression") for one in shards):
            raise DataError(f"{self.name}: its shards are compressed, or no MDS", "decompress them first")
        _, kind, *shape = columns[0][1].split(":")
        dtype = np.dtype(kind).newbyteorder("<")
        if dtype.kind not in "iu" or any("," in one for one in shape):
            raise DataError(f"{self.name}: arrays of '{columns[0][1]}'", "accepted are integers in one dimension")
        self._length = int(shape[0]) if shape else None
        self._hashes = [one["raw_data"].get("hashes") or {} for one in shards]
        return dtype, [(str(s["raw_data"]["basename"]), int(s["samples"]), int(s["raw_data"]["bytes"])) for s in shards]

    def samples(self, file: RawFile, places: Counts) -> TokenBatch:
        """Return the ids of arrays."""
        base, sizes = int(places[0]), np.diff(places)
        data = np.frombuffer(file.read(base, int(sizes.sum())), np.uint8)
        if self._length is not None:
            if (sizes != self._length * self.width).any():
                raise DataError(f"{file.name}: a sample has not {self._length} ids", "write the output again")
            ids = data.view(self.dtype)
            return TokenBatch(as_ids(ids), np.arange(1, len(sizes) + 1, dtype=np.int64) * self._length)
        heads, lengths = self._heads(file, data, places[:-1] - base, sizes)
        kept = np.ones(len(data), bool)
        for by in range(int(heads.max(initial=0))):
            kept[(places[:-1] - base)[heads > by] + by] = False
        return TokenBatch(as_ids(data[kept].view(self.dtype)), np.cumsum(lengths))

    def _heads(self, file: RawFile, data: np.ndarray[Any, Any], at: Counts, sizes: Counts) -> tuple[Counts, Counts]:
        """Return the bytes of each array's head, and its ids.

        A head is the size of what follows, a byte for the number and the type of dimensions, and the length in one,
        two, four or eight bytes (NDArray in streaming/base/format/mds/encodings.py).
        """
        damaged = DataError(f"{file.name}: an array's head is damaged", "write the output again")
        if (sizes < 6).any():
            raise damaged
        kinds = data[at + 4].astype(np.int64)
        digits = np.int64(1) << (kinds & 3)
        if (kinds >> 2 != 1).any() or (sizes < 5 + digits).any():
            raise damaged
        length, told = np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
        for by in range(4):
            told |= data[at + by].astype(np.int64) << 8 * by
            there = digits > by
            length[there] |= data[at[there] + 5 + by].astype(np.int64) << 8 * by
        if (told != sizes - 4).any() or (5 + digits + length * self.width != sizes).any():
            raise damaged
        return 5 + digits, length

    def check_file(self, number: int, file: RawFile, ids: int) -> None:
        """Hold the bytes against the hashes of the index; readers do so for files that they download only."""
        for kind, wanted in self._hashes[number].items():
            if kind not in hashlib.algorithms_guaranteed:
                continue
            digest = hashlib.new(kind, usedforsecurity=False)
            for at in range(0, file.size, _HASHED_AT_ONCE):
                digest.update(file.read(at, min(_HASHED_AT_ONCE, file.size - at)))
            if digest.hexdigest() != wanted:
                raise DataError(f"{file.name}: its {kind} is not that of the index", "fetch or write it again")
