"""Models that are lines of text: `piece TAB score` (SentencePiece's .vocab) and `word count [tag]`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel, UsageError
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.models.sentencepiece import BYTE_NAMES
from corpustools.stages.tokenize.text.charsmap import (
    ADD_DUMMY_PREFIX,
    ESCAPE_WHITESPACES,
    REMOVE_EXTRA_WHITESPACES,
    compile_charsmap,
)
from corpustools.stages.tokenize.text.normalize import SPACE_MARK, CharsmapNormalizer

CONTROL_NAMES = {b"<s>": "bos", b"</s>": "eos", b"<pad>": "pad", b"<unk>": "unk"}
_BRACKETED = re.compile(rb"<[^<>]+>|\[[^\[\]]+\]")


def parse(data: bytes, name: str) -> Model | None:
    """Return the model of such a file, or None where the first line is of neither form.

    Raises:
        DataError: a later line is of neither form, not UTF-8, defines a piece again, or has a score above 0.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = [line.removesuffix(b"\r") for line in (lines[:-1] if not lines[-1] else lines)]
    if not lines or not _row(lines[0]):
        return None
    rows = [_row(line) for line in lines]
    if None in rows:
        raise DataError(f"{name}: line {rows.index(None) + 1} is neither 'piece TAB score' nor 'word count'")
    words, values = [row[0] for row in rows if row], [row[1] for row in rows if row]
    try:
        b"\n".join(words).decode()
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {number} is not UTF-8") from error
    if all(map(_is_count, values)) and any(int(value) for value in values):
        return _counts(words, values)
    if len(set(words)) != len(words):
        first = {word: number for number, word in reversed(list(enumerate(words, 1)))}
        number = next(number for number, word in enumerate(words, 1) if first[word] != number)
        raise DataError(f"{name}: line {number} defines {words[number - 1].decode()!r} for the second time")
    return _vocabulary(words, values, name)


def from_scores(scores: Mapping[str, float]) -> Model:
    """Return the model of pieces with scores, as of a file of `piece TAB score` lines, but every score counts as one.

    Raises:
        UsageError: there are no pieces, or a score is no finite number, or above 0.
    """
    for piece, score in scores.items():
        if not isinstance(piece, str) or not isinstance(score, (int, float, np.floating)):
            raise UsageError(f"the piece {piece!r} with the score {score!r}", "pieces are texts, scores are numbers")
        if not (math.isfinite(score) and score <= 0):
            raise UsageError(f"the score of {piece!r} is {score}", "scores are logarithms of probabilities: 0 or less")
    words = [piece.encode("utf-8", "surrogateescape") for piece in scores]
    values = np.array([*scores.values()], np.float64)
    arc = np.array([word not in CONTROL_NAMES and word not in BYTE_NAMES for word in words], np.bool_)
    if not arc.any():
        raise UsageError("a vocabulary without pieces", "give at least one piece with its score")
    unknown = words.index(b"<unk>") if b"<unk>" in words else None
    return _model("vocabulary", words, values, arc, unknown, float(values[arc].min()) - 10, _flags(words))


def _flags(words: list[bytes]) -> int:
    """Return how spaces are treated: as in SentencePiece where a piece holds its mark."""
    marked = any(SPACE_MARK in word for word in words)
    return ADD_DUMMY_PREFIX | REMOVE_EXTRA_WHITESPACES | ESCAPE_WHITESPACES if marked else 0


def _row(line: bytes) -> tuple[bytes, bytes] | None:
    """Return (word, score or count): behind the last TAB, or in the second of a line's fields."""
    word, tab, value = line.rpartition(b"\t") if b"\t" in line else (b"", b"", b"")
    if tab and word:
        try:
            return (word, value) if math.isfinite(float(value)) else None
        except ValueError:
            pass
    fields = line.split(None, 2)
    if len(fields) > 1 and _is_count(fields[1]):
        return fields[0], fields[1]
    return None


def _is_count(value: bytes) -> bool:
    return value.isdigit() and len(value) <= 18


def _counts(words: list[bytes], values: list[bytes]) -> Model:
    """Score log(count / total); a character that is no word counts as if it were seen once.

    Of a word that stands twice the last line counts, and the total is that of all lines: both as in jieba,
    whose own list has such words.
    """
    if any(SPACE_MARK in word for word in words):
        raise UnsupportedModel(
            "the words are pieces with the mark \u2581, and their counts are made up (a fairseq dictionary)",
            "give the SentencePiece .model that lies beside it",
        )
    counts = np.array([int(value) for value in values], np.float64)
    log_total = math.log(counts.sum())
    last = {word: i for i, word in enumerate(words)}
    arc = (counts > 0) & np.isin(np.arange(len(words)), list(last.values()))
    scores = np.zeros(len(words))
    scores[arc] = np.log(counts[arc]) - log_total
    return _model("counts", words, scores, arc, unknown=None, unknown_score=-log_total, flags=0)


def _vocabulary(words: list[bytes], values: list[bytes], name: str) -> Model:
    scores = np.array([float(value) for value in values])
    if scores.max() > 0:
        number = int(scores.argmax()) + 1
        raise DataError(f"{name}: line {number} has a score above 0", "scores are logarithms of probabilities")
    # A vocabulary does not tell the types of its pieces; probability one is no piece's that was counted.
    special = np.array(
        [word in CONTROL_NAMES or word in BYTE_NAMES or bool(not score and _BRACKETED.fullmatch(word))
         for word, score in zip(words, scores.tolist(), strict=True)]
    )  # fmt: skip
    ranked = scores[~special]
    weighted = not np.array_equal(ranked, -np.arange(len(ranked), dtype=np.float64)) or len(ranked) < 2
    user_defined = ~special & (scores == 0) if weighted else np.zeros(len(words), np.bool_)
    normal = scores[~special & ~user_defined]
    if not len(normal):
        raise DataError(f"{name} has no piece with a score below 0")
    unknown = words.index(b"<unk>") if b"<unk>" in words else None
    return _model(
        "vocabulary",
        words,
        scores,
        ~special,
        unknown,
        float(normal.min()) - 10,
        _flags(words),
        user_defined,
        weighted,
    )


def _model(
    kind: str,
    words: list[bytes],
    scores: Any,
    arc: Any,
    unknown: int | None,
    unknown_score: float,
    flags: int,
    user_defined: Any = None,
    weighted: bool = True,
) -> Model:
    """Ids are line numbers from 0; where no line is '<unk>', the id after the last one is."""
    pieces = list(words)
    control = {CONTROL_NAMES[word]: i for i, word in enumerate(words) if word in CONTROL_NAMES and not arc[i]}
    if user_defined is None:
        user_defined = np.zeros(len(words), np.bool_)
    byte_ids = None
    places = {word: i for i, word in enumerate(words) if word in BYTE_NAMES and not arc[i]}
    if len(places) == 256:
        byte_ids = np.array([places[byte] for byte in BYTE_NAMES], np.int32)
        for word, i in places.items():
            pieces[i] = bytes([BYTE_NAMES[word]])
    if unknown is None:
        unknown = control["unk"] = len(pieces)
        pieces.append(b"<unk>")
        scores, arc, user_defined = np.append(scores, 0.0), np.append(arc, False), np.append(user_defined, False)
    symbols = [pieces[i] for i in np.flatnonzero(user_defined).tolist()]
    invisible = frozenset(np.flatnonzero(~arc).tolist()) - {unknown} - set(places.values())
    return Model(
        kind=kind,
        pieces=pieces,
        scores=scores,
        arc=arc,
        weighted=weighted,
        unit="character",
        unknown_id=unknown,
        unknown_score=unknown_score,
        fuse_unknown=kind == "vocabulary",
        byte_ids=byte_ids,
        user_defined=user_defined,
        control=control,
        normalizer=CharsmapNormalizer(compile_charsmap(b"", symbols), flags),
        cuts="none",
        invisible=invisible,
        # A word that was counted never is no special token.
        special=invisible if kind == "vocabulary" else frozenset(),
        unknown_surface=" \N{DOUBLE QUESTION MARK} ".encode(),
    )
