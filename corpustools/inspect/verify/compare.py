"""Documents of an output against the normalised texts of its source, one after another."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpustools.inspect.verify.diagnosis import diagnose, ends_early, goes_on
from corpustools.inspect.verify.duplicates import DuplicateCount
from corpustools.inspect.verify.scene import Scene
from corpustools.inspect.verify.source import Texts
from corpustools.inspect.verify.tokens import TokenWindow
from corpustools.kernels.verify.status import BEFORE, Place, Status

# A document that is longer is no longer held from its begin, and what differs in it is told with less.
HELD_IDS = 1 << 20
# Records of the texts before are kept for a look back, if they are no longer.
HELD_BYTES = 1 << 20
# Text behind the end of an output that is looked at.
TAIL_BYTES = 1 << 18


class Comparison:
    """Holds texts against documents as both come.

    Args:
        scene: the output and the vocabulary, as messages need them.
        spelling: the kernel's tables.
        window: the ids of the output.
        cut_off: whether the output may end inside a document, because an incomplete window was dropped.
        lacks_empty: whether a text without bytes has no document.

    Attributes:
        documents: how many agreed so far.
        unwritten: records that came when the output had ended.
        tail: their texts, up to TAIL_BYTES or a little more.
    """

    def __init__(self, scene: Scene, spelling: Any, window: TokenWindow, cut_off: bool, lacks_empty: bool) -> None:
        self._scene, self._spelling, self._window = scene, spelling, window
        self._cut_off, self._lacks_empty = cut_off, lacks_empty
        self._where = np.zeros(12, np.int64)
        Place().store(self._where)
        self._carried = b""
        self._before = b""
        self._failed: tuple[Status, Texts] | None = None
        self._exhausted = self._ended = False
        self.documents = self.compared = 0
        self.unwritten = 0
        self.tail: list[bytes] = []
        self._tail_bytes = 0
        self.duplicates = DuplicateCount()

    def take(self, texts: Texts) -> None:
        """Take the texts that come next.

        Raises:
            Difference: a document is not what its text says.
        """
        if self._lacks_empty:
            texts = texts.without_empty()
        if self._failed is not None and len(texts.starts):
            self._fail(*self._failed, texts)
        if self._ended:
            self._count_unwritten(texts, 0, 0)
            return
        texts = self._with_carried(texts)
        hashes = np.zeros(len(texts.starts), np.uint64)
        status = self._spell(texts, hashes)
        place = Place.of(self._where)
        self._note(texts, place.record, hashes)
        if self._at_end(status, place):
            self._stop(texts, place)
            return
        if status > Status.MORE_IDS:
            if place.record == len(texts.starts) - 1 and not texts.is_open:
                # What the next record is tells more.
                self._failed = status, texts
                return
            self._fail(status, texts, None)
        self._carry(texts, place)

    def finish(self) -> None:
        """End the comparison: the source has no more records.

        Raises:
            Difference: the output goes on, or a document is not what its text says.
        """
        if self._failed is not None:
            self._fail(*self._failed, None)
        while not self._ended:
            window = self._window
            if len(window.ids) or (window.ends is not None and len(window.ends)):
                raise goes_on(self._scene, window, self.documents)
            if not window.extend():
                return

    def _spell(self, texts: Texts, hashes: np.ndarray[Any, Any]) -> Status:
        """Go on with the documents until texts or ids run out, or do not agree."""
        window = self._window
        while True:
            status = Status(
                self._spelling.run(
                    self._where, window.ids, window.ends, texts.text, texts.starts, texts.stops, texts.chosen,
                    texts.is_open, self._exhausted, hashes,
                )
            )  # fmt: skip
            self._settle()
            if status != Status.MORE_IDS or self._exhausted:
                return status
            self._exhausted = not window.extend()

    def _at_end(self, status: Status, place: Place) -> bool:
        """Say whether the output ends before the text does."""
        if status == Status.MORE_IDS:
            return True
        if not self._exhausted or self._window.ends is not None:
            return False
        reached = place.far_id if status == Status.ENDS_EARLY else place.id
        return status in (Status.ENDS_EARLY, Status.NO_EOS, Status.NO_BOS) and reached == len(self._window.ids)

    def _note(self, texts: Texts, records: int, hashes: np.ndarray[Any, Any]) -> None:
        """Count the records whose documents agreed."""
        self.documents += records
        self.compared += records if texts.chosen is None else int(np.count_nonzero(texts.chosen[:records]))
        self.duplicates.add(hashes[:records])

    def _settle(self) -> Place:
        """Let go of ids that are done with; return the place in what is left."""
        place = Place.of(self._where)
        keep = place.id
        if place.stage != BEFORE:
            if place.id - place.begin_id <= HELD_IDS:
                keep = max(place.begin_id, 0)
            elif place.held_id >= 0:
                keep = place.held_id
        self._window.drop(keep, place.document)
        place.id -= keep
        place.begin_id -= keep
        place.far_id -= keep
        place.held_id = place.held_id - keep if place.held_id >= 0 else -1
        place.document = 0
        place.store(self._where)
        return place

    def _carry(self, texts: Texts, place: Place) -> None:
        """Keep of the texts what is still needed."""
        if texts.is_open:
            keep = place.text if place.held_id < 0 else min(place.held_text, place.text)
            self._carried = bytes(memoryview(texts.text)[keep:])
            place.text, place.held_text, place.far_text = place.text - keep, place.held_text - keep, 0
        else:
            self._carried = b""
            if len(texts.starts):
                start, stop = int(texts.starts[-1]), int(texts.stops[-1])
                self._before = bytes(memoryview(texts.text)[start:stop]) if stop - start <= HELD_BYTES else b""
        place.record = 0
        place.store(self._where)

    def _with_carried(self, texts: Texts) -> Texts:
        """Return the texts with what was kept of the record that they go on with."""
        if not self._carried:
            return texts
        text = self._carried + bytes(texts.text)
        shift = len(self._carried)
        starts, stops = texts.starts + shift, texts.stops + shift
        starts[0] = 0
        return Texts(text, starts, stops, texts.place, texts.chosen, texts.is_open)

    def _stop(self, texts: Texts, place: Place) -> None:
        """End because the output has no more ids.

        Raises:
            Difference: it may not end here.
        """
        if not self._cut_off:
            raise ends_early(self._scene, self.documents, texts, place)
        self._ended = True
        self._count_unwritten(texts, place.record, place.far_text if place.stage != BEFORE else 0)

    def _count_unwritten(self, texts: Texts, record: int, at: int) -> None:
        """Take note of the records from one on, of the first only what follows `at`."""
        self.unwritten += len(texts.starts) - record - texts.is_open
        view = memoryview(texts.text)
        for i in range(record, len(texts.starts)):
            if self._tail_bytes > TAIL_BYTES:
                break
            start = max(at, int(texts.starts[i]))
            self.tail.append(bytes(view[start : max(start, int(texts.stops[i]))]))
            self._tail_bytes += len(self.tail[-1])

    def _fail(self, status: Status, texts: Texts, following: Texts | None) -> None:
        place = Place.of(self._where)
        raise diagnose(
            self._scene, self._spelling, status, place, self._window, texts, following, self._before, self.documents
        )
