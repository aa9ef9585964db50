"""What happened where an output and its source stop agreeing, told with both versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.scene import Scene
from corpustools.inspect.verify.source import Texts
from corpustools.inspect.verify.tokens import TokenWindow
from corpustools.kernels.verify.status import Place, Status

# Bytes of text and ids that are shown before and behind the first difference.
_BEFORE, _BEHIND = 24, 40
_IDS_BEFORE, _IDS_BEHIND = 6, 10
# Records that are looked through for the one that a document is.
_NEIGHBOURS = 2000
_AGAIN = "check that model and options are those of the output, or tokenize the source again"


class _Case:
    """One disagreement, with the documents and records around it.

    Documents are counted from the one that disagrees, and so are records; -1 is the one before.
    """

    def __init__(
        self, scene: Scene, spelling: Any, place: Place, window: TokenWindow, texts: Texts, following: Texts | None,
        before: bytes,
    ) -> None:  # fmt: skip
        self.scene, self.spelling, self.place, self.window = scene, spelling, place, window
        self.texts, self.following, self.before = texts, following, before
        self.begins = [place.begin_id]

    def records(self) -> Iterator[tuple[bytes, str]]:
        """Give the text and the name of the record that disagrees, and of those behind it."""
        for texts, first in (self.texts, self.place.record), (self.following, 0):
            if texts is None:
                continue
            view = memoryview(texts.text)
            for i in range(first, len(texts.starts)):
                if texts.chosen is None or texts.chosen[i]:
                    yield bytes(view[texts.starts[i] : texts.stops[i]]), texts.place(i)

    def record_before(self) -> bytes | None:
        """Return the text of the record before, None where it is not known."""
        i = self.place.record - 1
        if i < 0:
            return self.before or None
        if self.texts.chosen is not None and not self.texts.chosen[i]:
            return None
        return bytes(memoryview(self.texts.text)[self.texts.starts[i] : self.texts.stops[i]])

    def span(self, document: int) -> tuple[int, int | None] | None:
        """Return where a document begins and ends in the window; the end is None where nothing says it."""
        window = self.window
        while window.ends is not None and len(window.ends) <= document:
            if len(window.ids) > 1 << 24 or not window.extend():
                return None
        if window.ends is not None:
            return (int(window.ends[document - 1]) if document else self.place.begin_id), int(window.ends[document])
        while len(self.begins) <= document:
            behind = self._behind(self.begins[-1])
            if behind is None:
                return None
            self.begins.append(behind)
        return self.begins[document], None

    def _behind(self, begin: int) -> int | None:
        """Return where the next document begins by its marks."""
        mark, step = (self.scene.eos, 1) if self.scene.eos >= 0 else (self.scene.bos, 0)
        while mark >= 0:
            found = np.flatnonzero(self.window.ids[begin + (step == 0) :] == mark)
            if len(found):
                return begin + (step == 0) + int(found[0]) + step
            if len(self.window.ids) > 1 << 24 or not self.window.extend():
                break
        return None

    def fits(self, document: int, text: bytes) -> bool:
        """Say whether a document spells a text."""
        span = self.span(document)
        if span is None or span[0] < 0:
            return False
        begin, end = span
        ids = np.ascontiguousarray(self.window.ids[begin:end])
        ends = None if end is None else np.array([end - begin], np.int64)
        where, size = np.zeros(12, np.int64), np.array([len(text)], np.int64)
        Place().store(where)
        self.spelling.run(
            where, ids, ends, text, np.zeros(1, np.int64), size, None, False, True, np.zeros(1, np.uint64)
        )
        return Place.of(where).record == 1


def diagnose(
    scene: Scene, spelling: Any, status: Status, place: Place, window: TokenWindow, texts: Texts,
    following: Texts | None, before: bytes, documents: int,
) -> Difference:  # fmt: skip
    """Return what happened at the first document that differs.

    Args:
        scene: what messages speak of.
        spelling: the kernel's tables.
        status: why the comparison stopped.
        place: where.
        window: the ids around.
        texts: the texts around.
        following: the texts behind them, None where there are none.
        before: the text of the record before `texts`.
        documents: how many documents agreed.
    """
    case = _Case(scene, spelling, place, window, texts, following, before)
    number = documents + 1
    name = texts.place(place.record)
    found = None if texts.is_open else _misplaced(case, number, name)
    what, kind = found or _within(case, status, number)
    expected, written = _versions(case, status)
    sentence = (
        f"{scene.output}: document {number} {what}; the source has {_quoted(expected)}, "
        f"the output {_quoted(written)}{_ids_there(case)}"
    )
    return Difference(
        kind, sentence, _remedy(case, kind), document=number, record=name, expected=expected, written=written
    )


def _misplaced(case: _Case, number: int, name: str) -> tuple[str, str] | None:
    """Say where the document belongs, if it is one of the records around."""
    before = case.record_before()
    if before is not None and case.fits(0, before):
        return f"is document {number - 1} once more, where {name} belongs", "doubled"
    own = b""
    for i, (text, place) in enumerate(case.records()):
        if not i:
            own = text
        elif i > _NEIGHBOURS:
            break
        elif case.fits(0, text):
            if case.fits(i, own):
                return f"is {place}, and document {number + i} is {name}: they are swapped", "swapped"
            if i == 1:
                return f"is {place}: {name} is missing before it", "missing"
            return f"is {place}: {i} records from {name} on are missing before it", "missing"
    for i in range(1, 100):
        if case.fits(i, own):
            return f"is not in the source; {name} is document {number + i}", "added"
    return None


def _within(case: _Case, status: Status, number: int) -> tuple[str, str]:
    """Say what is wrong inside the document."""
    scene, place, window = case.scene, case.place, case.window
    name = case.texts.place(case.place.record)
    i = int(window.ids[place.id]) if 0 <= place.id < len(window.ids) else -1
    token = window.first + place.id
    if status == Status.NO_SUCH_ID:
        return (
            f"has id {i & 0xFFFFFFFF} at token {token}, and the vocabulary has {scene.model.vocab_size} ids",
            "range",
        )
    if status == Status.NO_BOS:
        return f"({name}) does not begin with the bos id {scene.bos} but with {i}", "begin"
    if status == Status.NO_EOS:
        found = f"but goes on with {i}" if i >= 0 else "but ends without it"
        return f"({name}) has no eos id {scene.eos} behind its text {found}", "end"
    if status == Status.ENDS_LATE:
        asked = scene.bos, scene.eos
        if i in scene.model.control.values() and i not in asked:
            return f"({name}) goes on behind its text with the special id {i}, which is not asked for", "end"
        return f"({name}) goes on behind its text: the boundary to the next document is missing", "boundary"
    at = place.far_text - int(case.texts.starts[place.record])
    if status == Status.ENDS_EARLY:
        return f"({name}) ends before its text does, at byte {at}", "boundary"
    return f"differs from {name} at byte {at} of its normalised text", "text"


def _versions(case: _Case, status: Status) -> tuple[str, str]:
    """Return the source's text around the first difference, and the output's."""
    texts, place, ids = case.texts, case.place, case.window.ids
    start, stop = int(texts.starts[place.record]), int(texts.stops[place.record])
    inside = status in (Status.WRONG_TEXT, Status.ENDS_EARLY, Status.NO_SUCH_ID, Status.NO_EOS, Status.ENDS_LATE)
    at, token = (place.far_text, place.far_id) if inside else (start, place.id)
    if status in (Status.NO_EOS, Status.ENDS_LATE, Status.NO_SUCH_ID):
        token = place.id
    low, high = max(start, at - _BEFORE), min(stop, at + _BEHIND)
    view = bytes(memoryview(texts.text)[start:stop])
    # Not in the middle of a character.
    while low > start and view[low - start] & 0xC0 == 0x80:
        low -= 1
    while high < stop and view[high - start] & 0xC0 == 0x80:
        high += 1
    expected = case.scene.text(view[low - start : high - start])
    expected = "…" * (low > start) + expected + "…" * (high < stop)
    first, last = max(place.begin_id, token - _IDS_BEFORE, 0), min(len(ids), token + _IDS_BEHIND)
    if case.window.ends is not None and len(case.window.ends):
        last = min(last, max(int(case.window.ends[0]), first))
    written = case.scene.written(ids[first:last])
    return expected, "…" * (first > max(place.begin_id, 0)) + written + "…" * (last < len(ids) and last == token + 10)


def _ids_there(case: _Case) -> str:
    ids, token = case.window.ids, max(case.place.far_id, 0)
    shown = ids[token : token + 4].tolist()
    return f" (from token {case.window.first + token} on: ids {' '.join(map(str, shown))})" if shown else ""


def _remedy(case: _Case, kind: str) -> str:
    """Return what to try."""
    scene, place, ids = case.scene, case.place, case.window.ids
    i = int(ids[place.id]) if 0 <= place.id < len(ids) else -1
    control = {number: role for role, number in scene.model.control.items()}
    for role, asked in ("bos", scene.bos), ("eos", scene.eos):
        if control.get(i) == role and asked < 0 and kind in ("text", "end"):
            return f"say that documents have the {role} id, if the output was made so"
    if kind == "range":
        return "the ids have another width than the one that was read, or another model made them"
    if kind in ("begin", "end") and case.window.first + place.begin_id == 0:
        return "if the output was made without these marks, do not ask for them"
    return _AGAIN if kind == "text" else "tokenize the source again"


def ends_early(scene: Scene, documents: int, texts: Texts, place: Place) -> Difference:
    """Return that the output ends although the source goes on."""
    name = texts.place(min(place.record, len(texts.starts) - 1))
    start, stop = int(texts.starts[place.record]), int(texts.stops[place.record])
    expected = scene.text(bytes(memoryview(texts.text)[start : min(stop, start + _BEHIND)]))
    what = f"{scene.output}: ends after {documents} documents, before {name} ends; the source has {_quoted(expected)}"
    return Difference("length", what, "tokenize the source again", record=name, expected=expected)


def goes_on(scene: Scene, window: TokenWindow, documents: int) -> Difference:
    """Return that the output goes on although the source has ended."""
    end = int(window.ends[0]) if window.ends is not None and len(window.ends) else len(window.ids)
    written = scene.written(window.ids[: min(end, _IDS_BEHIND)])
    what = f"{scene.output}: goes on with document {documents + 1} where the source ends; it has {_quoted(written)}"
    return Difference("length", what, "name all of the source", document=documents + 1, written=written)


def _quoted(text: str) -> str:
    return f"'{text}'"
