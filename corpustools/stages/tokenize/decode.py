"""From ids back to text, as the model's own library does it."""

from __future__ import annotations

from collections.abc import Iterable

from corpustools.errors import DataError
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text.normalize import SPACE_MARK, CharsmapNormalizer


def decode(model: Model, ids: Iterable[int]) -> bytes:
    """Return the text of one record's ids.

    Control pieces leave nothing, the unknown id leaves `model.unknown_surface`; a tokenizer.json has its own decoder,
    which is followed as the tokenizers library does, special tokens skipped. Bytes that a byte-level model
    had outside of UTF-8 come back; SentencePiece's byte pieces that make no UTF-8 become U+FFFD each.

    Raises:
        DataError: an id outside the vocabulary.
    """
    known = [i for i in ids if i not in model.invisible]
    for i in known:
        if not 0 <= i < model.vocab_size:
            raise DataError(f"the id {i} is outside the vocabulary of {model.vocab_size} pieces")
    if model.decoder is not None:
        return model.decoder(known)
    if isinstance(model.normalizer, CharsmapNormalizer):
        return _sentencepiece(model, model.normalizer, known)
    parts = [model.unknown_surface if i == model.unknown_id else model.pieces[i] for i in known]
    return model.normalizer.denormalize(b"".join(parts))


def _sentencepiece(model: Model, normalizer: CharsmapNormalizer, ids: list[int]) -> bytes:
    """Follow sentencepiece_processor.cc, where a space mark at the start is dropped piece by piece."""
    bytes_of = {} if model.byte_ids is None else {i: byte for byte, i in enumerate(model.byte_ids.tolist())}
    out = bytearray()
    held = bytearray()
    at_start, dropped = normalizer.drops_first_mark, False
    for i in ids:
        if i in bytes_of:
            held.append(bytes_of[i])
            continue
        out += _characters(held)
        held.clear()
        at_start = at_start and not dropped and not out
        dropped = False
        if i == model.unknown_id:
            out += model.unknown_surface
            continue
        piece = model.pieces[i]
        if at_start and piece.startswith(SPACE_MARK):
            piece = piece.removeprefix(SPACE_MARK)
            dropped = not normalizer.drops_all_marks
        out += piece.replace(SPACE_MARK, b" ")
    out += _characters(held)
    return normalizer.after.normalize(bytes(out)) if normalizer.after else bytes(out)


def _characters(held: bytearray) -> bytes:
    """Return the bytes with U+FFFD for each that is not part of a character."""
    try:
        held.decode()
    except UnicodeDecodeError:
        text = held.decode("utf-8", "surrogateescape")
        return b"".join(
            b"\xef\xbf\xbd" if "\ud800" <= character <= "\udfff" else character.encode() for character in text
        )
    return bytes(held)
