"""Canonical composition of text, and of bytes that are not text: the whole normalisation of bytepiece."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import numpy as np

from corpustools.kernels import load
from corpustools.stages.tokenize.text.charsmap import compile_charsmap
from corpustools.stages.tokenize.text.normalize import Buffer, CharsmapNormalizer, Normalizer, Offsets, Stream

# Characters that never compose with what stands before them: ASCII, kana letters, CJK, Hangul syllables.
_BOUNDARIES = (
    ("\0", "\x7f"),
    ("\u3041", "\u3096"),
    ("\u30a1", "\u30fa"),
    ("\u3400", "\u9fff"),
    ("\uac00", "\ud7a3"),
)


class NfcNormalizer(Normalizer):
    """NFC of the parts that are valid UTF-8; every other byte stays as it is.

    The tables are those of the running Python (`unicodedata.unidata_version`), as in bytepiece itself.
    """

    def normalize(self, data: Buffer) -> bytes:
        """Return one record's composed text."""
        text = bytes(data)
        if text.isascii():
            return text
        return unicodedata.normalize("NFC", text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def normalize_batch(self, data: Buffer, starts: Offsets, ends: Offsets) -> tuple[Buffer, Offsets]:
        """Normalise many records; text that is composed already, which most is, is found so in one look."""
        if len(starts):
            whole = bytes(memoryview(data)[int(starts.min()) : int(ends.max())])
            # Every part of an NFC text is NFC, so that one check stands for all records.
            if whole.isascii() or _is_composed(whole):
                return _without_delimiters(whole, starts, ends) or _IDENTITY.normalize_batch(data, starts, ends)
        return super().normalize_batch(data, starts, ends)

    def stream(self) -> Stream:
        """Return a normaliser of one record in parts, which keeps what the next part may compose with."""
        return _NfcStream(self)


# Copies UTF-8 without its delimiters, compiled.
_IDENTITY = CharsmapNormalizer(compile_charsmap(b"", []), 0)


def _without_delimiters(whole: bytes, starts: Offsets, ends: Offsets) -> tuple[Buffer, Offsets] | None:
    """Return lines that are normal already, one behind the other, at the speed of a copy; None if they are no lines."""
    if (starts[1:] != ends[:-1] + 1).any():
        return None
    if (np.frombuffer(whole, np.uint8)[ends[:-1] - starts[0]] != ord("\n")).any():
        return None
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    text = whole.replace(b"\n", b"")
    # Every gap is a newline: if no more than the gaps went, none was inside a record.
    return (text, offsets) if len(text) == offsets[-1] else None


# So many places are looked at by themselves; in a text with more it is quicker to look at all the rest at once.
_FEW = 64
# A character that begins anew whatever stands before it: ASCII, or Han.
_FRESH = re.compile(rb"[\x00-\x7f]|[\xe5-\xe9][\x80-\xbf]{2}")


def _is_composed(text: bytes) -> bool:
    """Say whether text is UTF-8 and its own NFC: a bit for each character, Python's answer where that is not enough."""
    steady, bits, view = load("normalize").steady, _steady_characters(), memoryview(text)
    at = 0
    for _ in range(_FEW):
        at += steady(bits, view[at:])
        if at == len(text):
            return True
        # What stands here may compose with the character before it.
        begin = at - 1 if at else 0
        while begin and text[begin] & 0xC0 == 0x80:
            begin -= 1
        fresh = _FRESH.search(text, at)
        at = fresh.start() if fresh else len(text)
        if not _is_nfc(text[begin:at]):
            return False
    return _is_nfc(text[at:])


def _is_nfc(text: bytes) -> bool:
    try:
        return unicodedata.is_normalized("NFC", text.decode())
    except UnicodeDecodeError:
        return False


@cache
def _steady_characters() -> bytes:
    """Return a bit for each character below 65,536 that composition leaves alone wherever it stands: 8,192 bytes.

    It is its own NFC, no mark, and the second half of no other character (NFC_Quick_Check=Yes in UAX #15).
    """
    halves = [unicodedata.decomposition(chr(code)).split() for code in range(65536)]
    seconds = {int(parts[1], 16) for parts in halves if len(parts) == 2 and "<" not in parts[0]}
    seconds |= {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # vowels and finals of Hangul
    steady = [
        code not in seconds
        and not unicodedata.combining(chr(code))
        and (not halves[code] or unicodedata.is_normalized("NFC", chr(code)))
        for code in range(65536)
    ]
    return np.packbits(steady, bitorder="little").tobytes()


class _NfcStream(Stream):
    def feed(self, data: Buffer, final: bool = False) -> bytes:
        """Take the next part and return what is certain of the normalised text."""
        text = b"".join(self._parts) + bytes(data)
        cut = len(text) if final else _boundary(text)
        self._parts = [text[cut:]]
        return self._normalizer.normalize(text[:cut])


def _boundary(text: bytes) -> int:
    """Return the last position before which everything is final, 0 if there is none."""
    position = len(text)
    while position:
        position -= 1
        if text[position] & 0xC0 == 0x80:
            continue
        character = text[position : position + 4].decode("utf-8", "ignore")[:1]
        if any(low <= character <= high for low, high in _BOUNDARIES):
            return position
    return 0
