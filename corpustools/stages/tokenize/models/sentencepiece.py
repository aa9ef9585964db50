"""SentencePiece `.model`, a protobuf ModelProto: Unigram and BPE."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools import kernels
from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models.model import Integers, Model
from corpustools.stages.tokenize.models.sentencepiece_merges import merges_of
from corpustools.stages.tokenize.models.wire import BYTES, FIXED32, VARINT, Value, fields, message
from corpustools.stages.tokenize.text import charsmap
from corpustools.stages.tokenize.text.normalize import CharsmapNormalizer, Normalizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE = 1, 2
TYPES = {UNIGRAM: "unigram", BPE: "bpe", 3: "word", 4: "char"}
SMALLEST_PIECE = 9  # bytes of a piece without text and type
LONGEST_PIECE = 8000  # of model_interface.cc, exclusive
BYTE_NAMES = {f"<0x{byte:02X}>".encode(): byte for byte in range(256)}
PIECE = {1: BYTES, 2: FIXED32, 3: VARINT}
TRAINER = {3: VARINT, 24: VARINT, 35: VARINT, 44: BYTES} | dict.fromkeys(range(45, 49), BYTES)
# The trainer_spec's field that names a piece, and what its name is by default.
NAMES = {"unk": (45, b"<unk>"), "bos": (46, b"<s>"), "eos": (47, b"</s>"), "pad": (48, b"<pad>")}
NORMALIZER = {2: BYTES, 3: VARINT, 4: VARINT, 5: VARINT}


def parse(data: bytes, name: str) -> Model:
    """Return the model of a serialised ModelProto.

    Raises:
        DataError: what SentencePiece itself refuses, or a torn file.
        UnsupportedModel: a word or character model; a rule or symbol that is not UTF-8.
    """
    rows, specs = _rows(data, name)
    trainer = message(specs[2], f"{name}: the trainer_spec", TRAINER)
    model_type = _model_type(trainer, name)
    fallback = bool(_int(trainer, 35, 0))
    pieces, types = rows.pieces, np.array(rows.types, np.int64)
    with np.errstate(invalid="ignore"):  # a signalling NaN, which is refused below
        scores = np.frombuffer(b"".join(rows.scores), "<f4").astype(np.float64)
    if fallback:
        types[[i for i, piece in enumerate(pieces) if piece == b"\0"]] = UNUSED
    _check(pieces, types, scores, fallback, model_type, name)
    user_defined = types == USER_DEFINED
    normal = scores[types == NORMAL]
    lowest = np.float32(normal.min() if len(normal) else np.finfo(np.float32).max)
    control, unknown = _control(pieces, types, trainer)
    byte_ids = _take_bytes(pieces, types) if fallback else None
    arc = (types == NORMAL) | user_defined
    unused = types == UNUSED
    merges = None
    if model_type == BPE:
        merges = merges_of(pieces, scores, arc | unused, unused, user_defined, byte_ids)
    if unknown is None:
        # Bytes take its place in every output, so this id beyond the vocabulary never leaves the lattice.
        unknown = len(pieces)
        pieces.append(b"")
        scores, arc, user_defined = (
            np.append(scores, 0.0),
            np.append(arc, False),
            np.append(user_defined, False),
        )
    return Model(
        kind=f"sentencepiece-{TYPES[model_type]}",
        pieces=pieces,
        scores=scores,
        arc=arc,
        weighted=model_type == UNIGRAM,
        unit="character",
        unknown_id=unknown,
        unknown_score=float(np.float32(lowest - np.float32(10))),
        fuse_unknown=True,
        byte_ids=byte_ids,
        user_defined=user_defined,
        control=control,
        normalizer=_normalizer(specs, [pieces[i] for i in np.flatnonzero(user_defined).tolist()], trainer, name),
        cuts="none",
        special=_special(pieces, types, trainer),
        invisible=frozenset(np.flatnonzero(types == CONTROL).tolist()),
        unknown_surface=_bytes(trainer, 44, " \N{DOUBLE QUESTION MARK} ".encode()),
        merges=merges,
    )


def _model_type(trainer: dict[int, Any], name: str) -> int:
    model_type = _int(trainer, 3, UNIGRAM)
    if model_type not in (UNIGRAM, BPE):
        raise UnsupportedModel(
            f"{name} is a SentencePiece {TYPES.get(model_type, model_type)} model",
            "only unigram and bpe models are supported",
        )
    return model_type


def _take_bytes(pieces: list[bytes], types: Any) -> Integers:
    """Return the id of each byte; its piece becomes the byte itself."""
    byte_ids = np.zeros(256, np.int32)
    for i in np.flatnonzero(types == BYTE).tolist():
        byte = BYTE_NAMES[pieces[i]]
        byte_ids[byte] = i
        pieces[i] = bytes([byte])
    return byte_ids


class _Rows:
    """The pieces in file order: texts, float32 scores as the parts of one byte string, types."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.scores: list[bytes] = []
        self.types: list[int] = []

    def add(self, piece: bytes, score: bytes, kind: int) -> None:
        self.pieces.append(piece)
        self.scores.append(score)
        self.types.append(kind)


def _rows(data: bytes, name: str) -> tuple[_Rows, dict[int, bytes]]:
    """Return the pieces, and the serialised specs by field number.

    A quarter of a million pieces through the general reader take seconds; the kernel knows the one layout
    that every writer makes, and leaves to the general reader whatever follows it.
    """
    rows = _Rows()
    room = len(data) // SMALLEST_PIECE
    starts, ends = np.zeros(room, np.int64), np.zeros(room, np.int64)
    scores, types = np.zeros(room, np.float32), np.zeros(room, np.uint8)
    count, position = kernels.load("wire").pieces(data, starts, ends, scores, types)
    rows.pieces = [data[a:b] for a, b in zip(starts[:count].tolist(), ends[:count].tolist(), strict=True)]
    rows.scores = [scores[:count].tobytes()]
    rows.types = types[:count].tolist()
    specs = {2: b"", 3: b"", 5: b""}
    for number, wire, value in fields(data[position:], name):
        if number == 1 and isinstance(value, bytes):
            row = message(value, f"{name}: piece {len(rows.pieces)}", PIECE)
            rows.add(_bytes(row, 1, b""), _int(row, 2, 0).to_bytes(4, "little"), _int(row, 3, NORMAL))
        elif number in specs and isinstance(value, bytes):
            specs[number] += value  # joined, two messages are their merger
        elif number in (1, 2, 3, 5):
            raise DataError(f"{name} has field {number} as wire type {wire}")
    return rows, specs


def _check(pieces: list[bytes], types: Any, scores: Any, fallback: bool, model_type: int, name: str) -> None:
    """Refuse what SentencePiece refuses (model_interface.cc, unigram_model.cc)."""
    nul = {i for i, piece in enumerate(pieces) if b"\0" in piece} if b"\0" in b"".join(pieces) else set()
    ignored = np.zeros(len(pieces), bool)
    ignored[[i for i in nul if pieces[i] == b"\0" and types[i] == UNUSED]] = True
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    bad = (lengths == 0) | (lengths >= LONGEST_PIECE)
    bad[list(nul)] = True
    if (bad & ~ignored).any():
        i = int(np.argmax(bad & ~ignored))
        raise DataError(f"{name}: piece {i} is empty, of {LONGEST_PIECE} bytes or more, or contains NUL")
    if not np.isin(types, range(1, 7)).all():
        raise DataError(f"{name}: piece {int(np.argmax(~np.isin(types, range(1, 7))))} has an unknown type")
    if not np.isfinite(scores).all():
        raise DataError(f"{name}: piece {int(np.argmax(~np.isfinite(scores)))} has a score that is not finite")
    reserved = np.isin(types, (UNKNOWN, CONTROL, BYTE)) if model_type == UNIGRAM else np.zeros(len(types), bool)
    for group in (reserved, ~reserved) if len(set(pieces)) != len(pieces) else ():
        members = np.flatnonzero(group & ~ignored).tolist()
        if len({pieces[i] for i in members}) != len(members):
            raise DataError(f"{name}: a piece is defined twice")
    if not np.any(~reserved & ~ignored):
        raise DataError(f"{name} has no pieces")
    unknowns = int((types == UNKNOWN).sum())
    if unknowns > 1 or (not unknowns and not fallback):
        raise DataError(f"{name} has {unknowns} unknown pieces instead of one")
    byte_pieces = {pieces[i] for i in np.flatnonzero(types == BYTE).tolist()}
    if byte_pieces != (set(BYTE_NAMES) if fallback else set()):
        raise DataError(f"{name}: the byte pieces do not fit byte_fallback")


def _control(pieces: list[bytes], types: Any, trainer: dict[int, Value]) -> tuple[dict[str, int], int | None]:
    """Return the ids of bos, eos, pad and unk where they are pieces of their type, and the unknown id."""
    reserved = {pieces[i]: i for i in np.flatnonzero(np.isin(types, (UNKNOWN, CONTROL))).tolist()}
    control = {}
    for role, (number, default) in NAMES.items():
        i = reserved.get(_bytes(trainer, number, b"") or default)
        if i is not None and types[i] == (UNKNOWN if role == "unk" else CONTROL):
            control[role] = i
    unknown = np.flatnonzero(types == UNKNOWN).tolist()
    # A name that no piece has stands for the unknown piece.
    if unknown and (_bytes(trainer, 45, b"") or b"<unk>") not in pieces:
        control["unk"] = unknown[0]
    return control, unknown[0] if unknown else None


def _special(pieces: list[bytes], types: Any, trainer: dict[int, Value]) -> frozenset[int]:
    """Return the ids of control pieces, and of user-defined ones that bear the name of the unknown, begin, end or pad.

    Such a piece is what the library makes of that name in text (its guide, special_symbols.md, "Redefine").
    """
    names = {_bytes(trainer, number, b"") or default for number, default in NAMES.values()}
    named = [i for i in np.flatnonzero(types == USER_DEFINED).tolist() if pieces[i] in names]
    return frozenset([*np.flatnonzero(types == CONTROL).tolist(), *named])


def _normalizer(
    specs: dict[int, bytes], symbols: list[bytes], trainer: dict[int, Value], name: str
) -> CharsmapNormalizer:
    def build(number: int, symbols: list[bytes], suffix: bool, after: Normalizer | None) -> CharsmapNormalizer:
        spec = message(specs[number], f"{name}: the normalizer_spec", NORMALIZER)
        flags = charsmap.WHITESPACE_AS_SUFFIX * suffix
        for field, flag in ((3, 1), (4, 2), (5, 4)):
            flags |= flag if _int(spec, field, 1) else 0
        try:
            return CharsmapNormalizer(charsmap.compile_charsmap(_bytes(spec, 2, b""), symbols), flags, after)
        except DataError as error:
            raise type(error)(f"{name}: {error.what}", error.remedy) from error

    after = message(specs[5], f"{name}: the denormalizer_spec", NORMALIZER)
    return build(3, symbols, bool(_int(trainer, 24, 0)), build(5, [], False, None) if _bytes(after, 2, b"") else None)


def _int(values: dict[int, Value], number: int, default: int) -> int:
    value = values.get(number, default)
    assert isinstance(value, int)
    return value


def _bytes(values: dict[int, Value], number: int, default: bytes) -> bytes:
    value = values.get(number, default)
    assert isinstance(value, bytes)
    return value
