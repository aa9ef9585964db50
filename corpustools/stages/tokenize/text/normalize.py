"""From a record's bytes to the bytes that a model segments, and back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from corpustools import kernels
from corpustools.stages.tokenize.text.charsmap import (
    ADD_DUMMY_PREFIX,
    REMOVE_EXTRA_WHITESPACES,
    Charsmap,
    with_symbols,
)

SPACE_MARK = b"\xe2\x96\x81"  # U+2581

Buffer = bytes | bytearray | memoryview
Offsets = np.ndarray[Any, np.dtype[np.int64]]


class Normalizer:
    """The identity, and the interface of every other normaliser.

    Records are bytes without their delimiter. All methods may be called from several threads at once.
    `surfaces` says what pieces look like that are no text themselves: added tokens, and bytes that mark.
    """

    surfaces: Mapping[bytes, bytes] = MappingProxyType({})

    def normalize(self, data: Buffer) -> bytes:
        """Return one record's normalised text, as the model's own library makes it."""
        return bytes(data)

    def normalize_batch(self, data: Buffer, starts: Offsets, ends: Offsets) -> tuple[Buffer, Offsets]:
        """Normalise many records of one buffer.

        Args:
            data: the text of all records.
            starts: first byte of each record, int64, shape (n,).
            ends: end of each record, exclusive, int64, shape (n,).

        Returns:
            A buffer, and the offsets of the records in it: int64, shape (n + 1,); record i stands at
            offsets[i]:offsets[i + 1].
        """
        view = memoryview(data)
        texts = [self.normalize(view[a:b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        return b"".join(texts), offsets

    def stream(self) -> Stream:
        """Return a normaliser of one record that arrives in parts, in memory that does not grow with it."""
        return Stream(self)

    def denormalize(self, pieces: Buffer) -> bytes:
        """Return the text of normalised bytes: the pieces of one record, joined."""
        return bytes(pieces)

    def without_special(self, pieces: frozenset[bytes], ids: frozenset[int]) -> Normalizer:
        """Return a normaliser to which the text of special tokens is text like any other.

        Args:
            pieces: the special tokens that the lattice no longer has, as they stood in normalised text.
            ids: the ids of all special tokens.
        """
        return self


class Stream:
    """One record in parts; this general form keeps the whole record until its end."""

    def __init__(self, normalizer: Normalizer) -> None:
        self._normalizer = normalizer
        self._parts: list[bytes] = []

    def feed(self, data: Buffer, final: bool = False) -> bytes:
        """Take the next part and return what is certain of the normalised text so far.

        The parts that are returned, joined, equal `normalize` of the parts that were fed, joined. Nothing
        may be fed after `final`.
        """
        self._parts.append(bytes(data))
        if not final:
            return b""
        return self._normalizer.normalize(b"".join(self._parts))


class CharsmapNormalizer(Normalizer):
    """SentencePiece's normalisation: charsmap, user-defined symbols, white space.

    Args:
        charsmap: the compiled rules and symbols.
        flags: sum of the flags in corpustools.stages.tokenize.text.charsmap.
        after: normalises what `denormalize` returns (the model's denormalizer_spec), or None.
    """

    def __init__(self, charsmap: Charsmap, flags: int, after: Normalizer | None = None) -> None:
        self._charsmap = charsmap
        self.flags = flags
        self.after = after
        self.drops_first_mark = bool(flags & (ADD_DUMMY_PREFIX | REMOVE_EXTRA_WHITESPACES))
        self.drops_all_marks = bool(flags & REMOVE_EXTRA_WHITESPACES)

    def run(self, data: Buffer, starts: Offsets, ends: Offsets, state: Offsets) -> tuple[Buffer, Offsets]:
        """Normalise records from where `state` stands; an open state[6] means that the record goes on."""
        run = kernels.load("normalize").normalize
        offsets = np.zeros(len(starts) + 1, np.int64)
        # English grows by a third, where each space becomes three bytes.
        out = np.empty(int((ends - starts).sum()) * 3 // 2 + 8 * len(starts) + 64, np.uint8)
        while run(self._charsmap.tables, self.flags, data, starts, ends, bool(state[6]), state[:6], out, offsets):
            out = np.concatenate([out[: state[5]], np.empty(2 * len(out), np.uint8)])
        return out[: state[5]].data, offsets

    def normalize_batch(self, data: Buffer, starts: Offsets, ends: Offsets) -> tuple[Buffer, Offsets]:
        """Normalise many records in one call that releases the GIL; see Normalizer.normalize_batch."""
        starts, ends = np.ascontiguousarray(starts, np.int64), np.ascontiguousarray(ends, np.int64)
        return self.run(data, starts, ends, np.zeros(7, np.int64))

    def normalize(self, data: Buffer) -> bytes:
        """Return one record's normalised text."""
        text, _ = self.normalize_batch(data, np.zeros(1, np.int64), np.array([len(data)], np.int64))
        return bytes(text)

    def stream(self) -> Stream:
        """Return a normaliser of one record in parts, which keeps only what a rule could still need."""
        return _CharsmapStream(self)

    def denormalize(self, pieces: Buffer) -> bytes:
        """Return the text of joined pieces: one leading space mark dropped, all others spaces.

        With remove_extra_whitespaces every leading space mark goes, as in the library where each is a piece
        of its own. Where that matters there is `corpustools.stages.tokenize.decode`.
        """
        text = bytes(pieces)
        if self.drops_all_marks:
            while text.startswith(SPACE_MARK):
                text = text[len(SPACE_MARK) :]
        elif self.drops_first_mark:
            text = text.removeprefix(SPACE_MARK)
        text = text.replace(SPACE_MARK, b" ")
        return self.after.normalize(text) if self.after else text

    def without_special(self, pieces: frozenset[bytes], ids: frozenset[int]) -> Normalizer:
        """Return a normaliser whose symbols are no special tokens; see Normalizer.without_special."""
        symbols = [symbol for symbol in self._charsmap.symbols if symbol not in pieces]
        return CharsmapNormalizer(with_symbols(self._charsmap, symbols), self.flags, self.after)


class _CharsmapStream(Stream):
    def __init__(self, normalizer: CharsmapNormalizer) -> None:
        self._rules = normalizer
        self._rest = b""
        self._state = np.zeros(7, np.int64)

    def feed(self, data: Buffer, final: bool = False) -> bytes:
        """Take the next part and return what is certain of the normalised text."""
        text = self._rest + bytes(data)
        state = self._state
        state[0] = state[1] = state[5] = 0
        state[6] = not final
        made, _ = self._rules.run(text, np.zeros(1, np.int64), np.array([len(text)], np.int64), state)
        self._rest = text[int(state[1]) :]
        return bytes(made)
