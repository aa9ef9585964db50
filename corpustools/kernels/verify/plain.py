"""Loops of `corpus verify` in plain Python: the twin of compiled.pyx.

`Spelling` says whether ids spell a text: whether their pieces, one after another, are the text.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from corpustools.kernels.verify.plain_records import fingerprints, read_lines
from corpustools.kernels.verify.status import BEFORE, INSIDE, PASSING, SETTLED, Place, Status

__all__ = ["Spelling", "fingerprints", "read_lines"]

_U64 = (1 << 64) - 1
_GOES_ON = -1


class Spelling:
    """What the ids of a vocabulary write in normalised text.

    Args:
        text: the bytes of all forms. A form is what an id looks like in the text; most ids have one.
        bounds: form f is text[bounds[f]:bounds[f + 1]], int64; no form is empty.
        first: id i has the forms first[i] to first[i + 1], int32, shape (size + 1,).
        byte_of: the byte that each id stands for within an unknown character, or -1, int16.
        known: a bit for each code below 2^21: whether the character is a piece of its own.
        size: the number of ids.
        unknown: the id that stands for unknown characters, or -1.
        fuse: whether it stands for more than one.
        bos, eos: the ids around every document, or -1.
        marks: whether bytes 0xFF in the text are no text.
    """

    def __init__(
        self, text: Any, bounds: Any, first: Any, byte_of: Any, known: Any, size: int, unknown: int, fuse: bool,
        bos: int, eos: int, marks: bool,
    ) -> None:  # fmt: skip
        data, places = bytes(text), np.frombuffer(bounds, np.int64).tolist()
        forms = [data[a:b] for a, b in pairwise(places)]
        if not all(forms) or [0, *places, len(data)] != sorted([0, *places, len(data)]) or len(known) < 1 << 18:
            raise ValueError("a form without bytes, or outside the text")
        starts = np.frombuffer(first, np.int32).tolist()[: size + 1]
        if (
            len(starts) <= size
            or starts != sorted(starts)
            or (starts and not 0 <= starts[0] <= starts[-1] <= len(forms))
        ):
            raise ValueError("the forms of an id are not among the forms")
        self._forms = [forms[a:b] for a, b in pairwise(starts)]
        self._byte_of = np.frombuffer(byte_of, np.int16).tolist()[:size]
        self._known, self._size, self._unknown, self._fuse = bytes(known), size, unknown, fuse
        self._bos, self._eos, self._marks = bos, eos, marks

    def run(
        self, where: Any, ids: Any, ends: Any, text: Any, starts: Any, stops: Any, chosen: Any, open_end: bool,
        ids_end: bool, hashes: Any,
    ) -> int:  # fmt: skip
        """Go on until ids or text run out, or do not agree; return why it stopped.

        Args:
            where: the place, int64, shape (12,), which moves on; see `Place`.
            ids: a window of the ids, int32.
            ends: where documents end in it, int64; None: the text tells.
            text: a window of normalised text.
            starts: where each record begins in it, int64.
            stops: where each record ends, int64.
            chosen: which records are compared, a byte each; None: all.
            open_end: whether the last record goes on in the next window.
            ids_end: whether no ids follow the window.
            hashes: takes a hash of the ids of each record's document, uint64.
        """
        place = Place.of(where)
        run = _Run(self, place, ids, ends, bytes(text), starts, stops, chosen, open_end, ids_end, hashes)
        try:
            return int(run.run())
        finally:
            place.store(where)


class _Run:
    """One call of Spelling.run; every method is the function of the same name in spell.h."""

    def __init__(
        self, spelling: Spelling, place: Place, ids: Any, ends: Any, text: bytes, starts: Any, stops: Any, chosen: Any,
        open_end: bool, ids_end: bool, hashes: Any,
    ) -> None:  # fmt: skip
        self.s, self.p, self.text, self.open_end, self.ids_end = spelling, place, text, open_end, ids_end
        self.ids = np.frombuffer(ids, np.int32).tolist()
        self.ends = None if ends is None else np.frombuffer(ends, np.int64).tolist()
        self.starts, self.stops = (np.frombuffer(each, np.int64).tolist() for each in (starts, stops))
        self.chosen = chosen
        self.hashes = np.frombuffer(hashes, np.uint64)
        if any(not 0 <= a <= b <= len(text) for a, b in zip(self.starts, self.stops, strict=True)):
            raise ValueError(f"a record outside the {len(text)} bytes")
        bounds = [0, *(self.ends or []), len(self.ids)]
        if bounds != sorted(bounds) or len(self.hashes) < len(self.starts):
            raise ValueError("documents outside the ids")
        self._check_place()

    def _check_place(self) -> None:
        p = self.p
        limit = len(self.ids)
        if self.ends is not None and p.document < len(self.ends):
            limit = self.ends[p.document]
        if p.document < 0 or not 0 <= p.record <= len(self.starts) or not 0 <= p.stage <= PASSING:
            raise ValueError("the place is not in the windows")
        if not 0 <= p.id <= limit or p.held_id > limit:
            raise ValueError("the place is not among the ids of its document")
        if p.stage == INSIDE and p.record < len(self.starts):
            texts = [p.text] + [p.held_text] * (p.held_id >= 0)
            if any(not self.starts[p.record] <= at <= self.stops[p.record] for at in texts):
                raise ValueError("the place is not in the text of its record")

    def run(self) -> int:
        p, s = self.p, self.s
        while p.record < len(self.starts):
            bounded = self.ends is not None and p.document < len(self.ends)
            ended = bounded or (self.ends is None and self.ids_end)
            limit = self.ends[p.document] if bounded and self.ends is not None else len(self.ids)
            is_open = self.open_end and p.record == len(self.starts) - 1
            status = self._begin_document(limit, ended) if p.stage == BEFORE else _GOES_ON
            if status < 0 and p.stage == INSIDE:
                status = self._spell_text(self.stops[p.record], limit, ended, is_open)
            elif status < 0:
                status = Status.MORE_TEXT if is_open else self._pass_over(limit - (s._eos >= 0), ended)
            if status < 0:
                status = self._end_document(limit, ended)
            if status >= 0:
                return status
        return Status.MORE_TEXT

    def _begin_document(self, limit: int, ended: bool) -> int:
        p, s = self.p, self.s
        p.begin_id = p.id
        if s._bos >= 0:
            if p.id == limit:
                return Status.NO_BOS if ended else Status.MORE_IDS
            if self.ids[p.id] != s._bos:
                return Status.NO_BOS
            p.id += 1
        elif self.ends is not None and p.id == limit and not ended:
            return Status.MORE_IDS
        p.stage = PASSING if self.chosen is not None and not self.chosen[p.record] else INSIDE
        p.text = p.far_text = self.starts[p.record]
        p.far_id, p.held_id, p.hash = p.id, -1, 0
        return _GOES_ON

    def _end_document(self, limit: int, ended: bool) -> int:
        p, s = self.p, self.s
        if s._eos >= 0:
            if p.id == limit:
                return Status.NO_EOS if ended else Status.MORE_IDS
            if self.ids[p.id] != s._eos:
                return Status.NO_EOS
            p.id += 1
        if self.ends is not None and not (ended and p.id == limit):
            return Status.ENDS_LATE
        self.hashes[p.record] = p.hash ^ p.hash >> 32
        p.document += 1
        p.record += 1
        p.stage = BEFORE
        return _GOES_ON

    def _pass_over(self, last: int, ended: bool) -> int:
        p = self.p
        while p.id < last:
            if not 0 <= self.ids[p.id] < self.s._size:
                return Status.NO_SUCH_ID
            p.hash = _mixed(p.hash, self.ids[p.id])
            p.id += 1
        return _GOES_ON if ended else Status.MORE_IDS

    def _spell_text(self, stop: int, limit: int, ended: bool, is_open: bool) -> int:
        p, s = self.p, self.s
        while True:
            n, failure = 0, Status.ENDS_EARLY
            while s._marks and p.text < stop and self.text[p.text] == 0xFF:
                p.text += 1
            self._note_place()
            if p.text == stop:
                return Status.MORE_TEXT if is_open else _GOES_ON
            if p.id == limit and not ended:
                return Status.MORE_IDS
            if p.id < limit:
                failure = Status.WRONG_TEXT
                if not 0 <= self.ids[p.id] < s._size:
                    return Status.NO_SUCH_ID
                n = self._take_id(stop)
                if n > 0:
                    continue
            if n == 0:
                n = self._held_takes_more(stop)
            if n < 0 and is_open:
                return Status.MORE_TEXT
            if n < 0:
                n = self._held_takes_more(stop)
            if n <= 0:
                return failure

    def _note_place(self) -> None:
        p = self.p
        if p.text >= p.far_text:
            p.far_text, p.far_id = p.text, p.id
        if p.text - p.held_text > SETTLED:
            p.held_id = -1

    def _take_id(self, stop: int) -> int:
        p, i = self.p, self.ids[self.p.id]
        n = self._spelled(i, p.text, stop)
        unknown = n <= 0 and i == self.s._unknown
        if unknown:
            n = self._unknown_character(p.text, stop)
        if n > 0:
            p.hash = _mixed(p.hash, i)
            p.text += n
            p.id += 1
            if unknown and self.s._fuse:
                p.held_id, p.held_text, p.held_hash = p.id, p.text, p.hash
        return n

    def _held_takes_more(self, stop: int) -> int:
        p, at = self.p, self.p.held_text
        if p.held_id < 0:
            return 0
        while self.s._marks and at < stop and self.text[at] == 0xFF:
            at += 1
        if at == stop:
            return 0
        n = self._unknown_character(at, stop)
        if n > 0:
            p.held_text = p.text = at + n
            p.id, p.hash = p.held_id, p.held_hash
        return n

    def _unknown_character(self, at: int, stop: int) -> int:
        lead = self.text[at]
        n = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if n > stop - at:
            return -1
        code = lead if n == 1 else lead & (0x7F >> n)
        for byte in self.text[at + 1 : at + n]:
            code = code << 6 | byte & 0x3F
        code &= 0x1FFFFF
        return 0 if self.s._known[code >> 3] >> (code & 7) & 1 else n

    def _spelled(self, i: int, at: int, stop: int) -> int:
        result, first = 0, self.text[at]
        if self.s._byte_of[i] == first:
            n = 1 if first & 0xC0 == 0x80 else self._unknown_character(at, stop)
            if n > 0:
                return 1
            result = n
        for form in self.s._forms[i]:
            found = self.text[at : min(at + len(form), stop)]
            if found == form:
                return len(form)
            if len(found) < len(form) and form.startswith(found):
                result = -1
        return result


def _mixed(value: int, i: int) -> int:
    value = (value ^ i & 0xFFFFFFFF) * 0x9E3779B97F4A7C15 & _U64
    return value ^ value >> 29
