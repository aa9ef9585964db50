"""What differs between packed windows and those that the source makes, told with both versions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from corpustools.formats.batch import Ids
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.scene import Scene
from corpustools.inspect.verify.sides import BEFORE, SHOWN, Meeting, Piece, Sides

_AGAIN = "tokenize the source again"
_OPTIONS = "check that model and options are those of the output, or tokenize the source again"


def boundary(scene: Scene, meeting: Meeting) -> Difference:
    """Return that the same ids are divided in another way."""
    what = "windows end" if meeting.kind == "windows" else "documents end in their windows"
    return Difference("boundary", f"{scene.output}: has the ids of the source, and other places where {what}", _AGAIN)


def elsewhere(scene: Scene, meeting: Meeting, record_at: Callable[[int], str], sides: Sides) -> Difference:
    """Return that windows differ, where the documents are the same ones or cannot be told apart."""
    name = record_at(meeting.begin) if meeting.begin >= 0 else ""
    expected, written = scene.written(meeting.wanted), scene.written(meeting.written)
    both = f"the source has '{expected}', the output '{written}'"
    where = f"{scene.output}: window {meeting.window} differs from token {meeting.place} on, where {name} belongs"
    if not name:
        where = f"{scene.output}: goes on with window {meeting.window} where the source ends"
    if sides.marks.tell_documents:
        text = f"{where}: all documents are there, and some are swapped or in other windows; {both}"
        return Difference("swapped", text, _OPTIONS, record=name, expected=expected, written=written)
    return Difference("text", f"{where}; {both}", _OPTIONS, record=name, expected=expected, written=written)


def changed(scene: Scene, meeting: Meeting, missing: list[Piece], added: list[Piece], sides: Sides) -> Difference:
    """Return which document is missing, changed or too often there."""
    lost = sides.wanted.records - sides.found.records
    more = "fewer" if lost > 0 else "more"
    count = f" ({abs(lost)} documents or parts of long ones {more} than the source has)" if lost else ""
    if missing:
        piece = missing[0]
        like = _most_alike(piece.ids, added)
        if like is not None:
            return _altered(scene, piece, like)
        expected = scene.written(piece.ids[:SHOWN])
        times = f"is there {piece.other} times instead of {piece.count}" if piece.other else "is missing"
        what = f"{scene.output}: {piece.record} {times}{count}; the source has '{expected}'"
        return Difference("missing", what, _AGAIN, record=piece.record, expected=expected)
    if added:
        piece = added[0]
        written = scene.written(piece.ids[:SHOWN])
        times = f"is there {piece.count} times instead of {piece.other}" if piece.other else "is not in the source"
        what = f"{scene.output}: a document in window {piece.window} {times}{count}; it is '{written}'"
        return Difference("doubled" if piece.other else "added", what, _AGAIN, written=written)
    expected, written = scene.written(meeting.wanted), scene.written(meeting.written)
    what = f"{scene.output}: has other documents than the source{count}, from window {meeting.window} on"
    both = f"the source has '{expected}', the output '{written}'"
    return Difference("missing", f"{what}; {both}", _OPTIONS, expected=expected, written=written)


def _most_alike(ids: Ids, others: list[Piece]) -> Piece | None:
    """Return the document that could be this one after a change; None where none is like it."""
    best, most = None, 0
    for other in others:
        alike = _common(ids, other.ids) + _common(ids[::-1], other.ids[::-1])
        if alike > most:
            best, most = other, alike
    return best if 2 * most >= len(ids) else None


def _common(a: Ids, b: Ids) -> int:
    """Return how many ids at the front are the same."""
    size = min(len(a), len(b))
    unequal = np.flatnonzero(a[:size] != b[:size])
    return int(unequal[0]) if len(unequal) else size


def _altered(scene: Scene, wanted: Piece, found: Piece) -> Difference:
    """Return how a document was changed."""
    at = _common(wanted.ids, found.ids)
    i = int(found.ids[at]) if at < len(found.ids) else -1
    low = max(0, at - BEFORE)
    expected, written = (scene.written(one.ids[low : at + SHOWN]) for one in (wanted, found))
    kind, what = "text", f"differs from {wanted.record} at its token {at}"
    if i >= scene.model.vocab_size or (i < 0 and at < len(found.ids)):
        kind, what = (
            "range",
            f"({wanted.record}) has id {i & 0xFFFFFFFF}, and the vocabulary has {scene.model.vocab_size} ids",
        )
    elif scene.eos >= 0 and at == len(wanted.ids) - 1 and wanted.ids[at] == scene.eos:
        kind, what = "end", f"({wanted.record}) has no eos id {scene.eos} behind its text"
    elif scene.bos >= 0 and at == 0 and wanted.ids[0] == scene.bos:
        kind, what = "begin", f"({wanted.record}) does not begin with the bos id {scene.bos}"
    return Difference(
        kind,
        f"{scene.output}: a document in window {found.window} {what}; the source has '{expected}', the output "
        f"'{written}'",
        _AGAIN, record=wanted.record, expected=expected, written=written,
    )  # fmt: skip
