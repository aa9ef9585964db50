"""The letters in which byte-level vocabularies write bytes."""

from __future__ import annotations


def byte_alphabet() -> dict[str, int]:
    """Return the byte that each character of the byte-level alphabet stands for (GPT-2's table)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + n): byte for n, byte in enumerate(hidden)}


_BYTES = byte_alphabet()
_LETTERS = {byte: letter for letter, byte in _BYTES.items()}
_FROM_LATIN1 = str.maketrans({chr(byte): letter for byte, letter in _LETTERS.items()})


def letters_of_bytes() -> str:
    """Return the letters of the 256 bytes, in the bytes' order."""
    return "".join(_LETTERS[byte] for byte in range(256))


def letters_of(text: str) -> str:
    """Return the letters of a text's bytes; bytes that are no text stand in it as `surrogateescape` has them."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1").translate(_FROM_LATIN1)


def text_of(letters: str) -> str:
    """Return the text of letters, in the same form; letters may end within a character."""
    return bytes(map(_BYTES.__getitem__, letters)).decode("utf-8", "surrogateescape")
