"""Documents packed into windows: what comes where, and that nothing is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpustools.formats import best_fit
from corpustools.formats.best_fit import BestFitPacker
from corpustools.formats.packing import ConcatPacker
from corpustools.formats.rows import Rows
from corpustools.formats.vocabulary import Vocabulary
from corpustools.kernels.packing import plain

try:
    from corpustools.kernels.packing import compiled
except ImportError:
    compiled = None

KERNELS = [pytest.param(plain, id="plain"), *([pytest.param(compiled, id="compiled")] if compiled else [])]
SMALL = Vocabulary(300, {"bos": 1, "eos": 2}, lambda: [f"piece{i}" for i in range(300)])
documents = st.lists(st.integers(0, 40), max_size=60)


def batches(lengths: list[int], cuts: list[int]) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Documents whose ids count up over all of them, in batches that are cut anywhere."""
    out, at = [], 0
    bounds = sorted({0, len(lengths), *(cut % (len(lengths) + 1) for cut in cuts)})
    for a, b in pairwise(bounds):
        size = sum(lengths[a:b])
        out.append((np.arange(at, at + size, dtype="<u2"), np.array(lengths[a:b], np.int64)))
        at += size
    return out


def rows_of(packer: Any, given_batches: list[Any]) -> list[tuple[list[int], list[int]]]:
    """All windows that come of documents: their ids, and the lengths of their pieces."""
    done: list[Rows] = [rows for one in given_batches for rows in packer.documents(*one)] + packer.finish()
    rows = []
    for part in done:
        assert part.lengths.sum() == len(part.ids) == part.pieces.sum()
        assert part.counts.sum() == len(part.pieces)
        ids, pieces = part.ids.tolist(), part.pieces.tolist()
        for length, count in zip(part.lengths.tolist(), part.counts.tolist(), strict=True):
            rows.append((ids[:length], pieces[:count]))
            ids, pieces = ids[length:], pieces[count:]
    return rows


@given(documents, st.lists(st.integers(0, 99), max_size=4), st.integers(1, 12))
def test_concatenated_windows(lengths: list[int], cuts: list[int], size: int):
    """They are the stream cut every `size` ids; pieces end with documents and windows; only the tail is dropped."""
    packer = ConcatPacker(size, "<u2")
    rows = rows_of(packer, batches(lengths, cuts))
    total = sum(lengths)
    assert [ids for ids, _ in rows] == [list(range(a, a + size)) for a in range(0, total - size + 1, size)]
    ends = set(np.cumsum(lengths).tolist())
    expected = [
        [b - a for a, b in pairwise(marks)]
        for ids, _ in rows
        if (marks := sorted({ids[0], ids[-1] + 1} | {end for end in ends if ids[0] < end <= ids[-1]}))
    ]
    assert [pieces for _, pieces in rows] == expected
    assert packer.dropped == total % size


@given(documents, st.lists(st.integers(0, 99), max_size=4), st.integers(1, 12), st.sampled_from([None, 65535]))
def test_best_fit_windows(lengths: list[int], cuts: list[int], size: int, pad: int | None):
    """Every id is in one window; a document is cut only if it is longer than a window; batches do not matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_fit, "LOT_IDS", 30)
        patch.setattr(best_fit, "LOT_WINDOWS", 2)
        packer = BestFitPacker(size, "<u2", pad)
        rows = rows_of(packer, batches(lengths, cuts))
        assert rows == rows_of(BestFitPacker(size, "<u2", pad), batches(lengths, []))
    found, padding = [], 0
    for ids, pieces in rows:
        assert len(ids) == size if pad is not None else 0 < len(ids) <= size
        for piece in pieces:
            part, ids = ids[:piece], ids[piece:]
            if part[0] == 65535:
                padding += len(part)
                assert not ids
            else:
                found.append((part[0], len(part)))
    starts = [0, *np.cumsum(lengths).tolist()]
    wanted = []
    for start, length in zip(starts, lengths, strict=False):
        wanted += [(start + at, min(size, length - at)) for at in range(0, length, size)]
    assert sorted(found) == wanted
    assert packer.padding == (padding if pad is not None else len(rows) * size - sum(lengths))
    assert packer.dropped == 0


def best_fit_one_by_one(
    lengths: list[int], size: int, lot_ids: int, pad: int | None
) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """The same windows piece by piece, for documents whose ids count up; and where each document begins in them."""
    lot: list[tuple[int, int]] = []  # first id and length of each piece
    rows: list[list[tuple[int, int]]] = []

    def place(last: bool) -> None:
        order = sorted(range(len(lot)), key=lambda piece: -lot[piece][1])
        windows, room = np.empty(len(lot), np.int64), np.empty(len(lot), np.int64)
        count = plain.best_fit(np.array([lot[i][1] for i in order], np.int64), size, windows, room, windows)
        held, waits = 0, set()
        for window in sorted(range(count), key=lambda window: -room[window]):
            held += size - int(room[window])
            if not last and held <= lot_ids // 4 and room[window]:
                waits.add(window)
        window_of = dict(zip(order, windows.tolist(), strict=True))
        members: dict[int, list[tuple[int, int]]] = {}
        for piece, window in sorted(window_of.items()):
            members.setdefault(window, []).append(lot[piece])
        rows.extend(pieces for window, pieces in members.items() if window not in waits)
        lot[:] = [lot[piece] for piece, window in sorted(window_of.items()) if window in waits]

    start = 0
    for length in lengths:
        whole = length // size * size
        rows += [[(start + at, size)] for at in range(0, whole, size)]
        if whole < length:
            lot.append((start + whole, length - whole))
        if sum(length for _, length in lot) >= lot_ids:
            place(last=False)
        start += length
    place(last=True)
    out, places, written = [], {}, 0
    for row in rows:
        ids, pieces = [], []
        for first, length in row:
            places[first] = written + len(ids)
            ids += range(first, first + length)
            pieces.append(length)
        if pad is not None and len(ids) < size:
            pieces.append(size - len(ids))
            ids += [pad] * (size - len(ids))
        written += len(ids)
        out.append((ids, pieces))
    firsts = np.cumsum(lengths, dtype=np.int64) - lengths
    return out, [places[a] if b else -1 for a, b in zip(firsts.tolist(), lengths, strict=True)]


@given(
    documents | st.lists(st.integers(0, 300)),
    st.lists(st.integers(0, 99), max_size=4),
    st.integers(1, 50),
    st.sampled_from([None, 65535]),
    st.integers(1, 200),
)
def test_best_fit_is_that_of_a_loop_over_pieces(
    lengths: list[int], cuts: list[int], size: int, pad: int | None, lot: int
):
    """The same windows in the same order, the same pieces, and the same places of documents."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_fit, "LOT_IDS", lot)
        patch.setattr(best_fit, "LOT_WINDOWS", 1)
        packer = BestFitPacker(size, "<u2", pad)
        rows = rows_of(packer, batches(lengths, cuts))
    wanted, places = best_fit_one_by_one(lengths, size, max(lot, size), pad)
    assert rows == wanted
    counts = np.array(lengths, np.int64)
    half = len(lengths) // 2
    found = [packer.places(counts[:0], part).tolist() for part in (counts[:half], counts[half:])]
    assert found[0] + found[1] == places


@pytest.mark.parametrize("fits_best", [False, True])
def test_a_long_document_in_parts(fits_best: bool):
    """Its parts do not show."""

    def packer() -> Any:
        return BestFitPacker(5, "<u2", None) if fits_best else ConcatPacker(5, "<u2")

    whole = rows_of(packer(), batches([3, 17, 4], []))
    one, done = packer(), []
    done += one.documents(np.arange(3, dtype="<u2"), np.array([3]))
    for part in (np.arange(3, 9), np.arange(9, 9), np.arange(9, 20)):
        done += one.part(part.astype("<u2"))
    done += [*one.end_document(), *one.documents(np.arange(20, 24, dtype="<u2"), np.array([4])), *one.finish()]
    ids = [i for rows in done for i in rows.ids.tolist()]
    pieces = [i for rows in done for i in rows.pieces.tolist()]
    assert (ids, pieces) == ([i for ids, _ in whole for i in ids], [i for _, pieces in whole for i in pieces])


def test_best_fit_fills_windows():
    """Documents as long as those of the web fill 98 of 100 ids at least, although a quarter of each lot waits once."""
    rng = np.random.default_rng(5)
    lengths = np.clip(np.exp(rng.normal(6.2, 1.1, 40000)), 5, 50000).astype(int)
    packer = BestFitPacker(2048, "<u2", None)
    rows = packer.documents(np.zeros(lengths.sum(), "<u2"), lengths) + packer.finish()
    windows = sum(len(some.lengths) for some in rows)
    assert lengths.sum() / (2048 * windows) > 0.98


@pytest.mark.parametrize("kernel", KERNELS)
@given(size=st.integers(1, 200), data=st.data())
def test_best_fit_takes_the_window_with_least_room(kernel: Any, size: int, data: st.DataObject):
    """Beside a search through all windows; of equal ones the one that was filled last."""
    lengths = np.array(data.draw(st.lists(st.integers(1, size), max_size=80)), np.int64)
    rooms: list[tuple[int, int, int]] = []  # room, minus the time of the last piece, window
    expected, count = [], 0
    for time, length in enumerate(lengths.tolist()):
        fitting = [one for one in rooms if one[0] >= length]
        room, stamp, window = min(fitting) if fitting else (size, 0, count)
        if fitting:
            rooms.remove((room, stamp, window))
        else:
            count += 1
        rooms.append((room - length, -time, window))
        expected.append(window)
    windows, room = np.empty(len(lengths), np.int64), np.empty(len(lengths), np.int64)
    workspace = np.empty(kernel.workspace_size(len(lengths), size), np.int64)
    assert kernel.best_fit(lengths, size, windows, room, workspace) == count
    assert windows.tolist() == expected
    assert room[:count].tolist() == [left for _, left in sorted((window, left) for left, _, window in rooms)]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("length", [0, -1, 9, 1 << 40])
def test_the_kernel_refuses_pieces_that_fit_no_window(kernel: Any, length: int):
    """It would write outside its memory."""
    lengths, out = np.array([8, length], np.int64), np.empty(2, np.int64)
    with pytest.raises(ValueError, match=rf"a piece of {length} ids for windows of 8"):
        kernel.best_fit(lengths, 8, out, out.copy(), np.empty(kernel.workspace_size(2, 8), np.int64))
    with pytest.raises(ValueError):
        kernel.best_fit(lengths, 8, out[:1], out.copy(), np.empty(kernel.workspace_size(2, 8), np.int64))


@pytest.mark.parametrize("kernel", KERNELS)
@given(width=st.sampled_from([1, 2, 4, 8]), data=st.data())
def test_pieces_are_copied(kernel: Any, width: int, data: st.DataObject):
    """Each to its place; what lies between them stays."""
    size = data.draw(st.integers(0, 50))
    ids = np.frombuffer(data.draw(st.binary(min_size=size * width, max_size=size * width)), np.uint8)
    out = np.full(60 * width, 0xEE, np.uint8)
    wanted = bytearray(out.tobytes())
    starts, lengths, targets = [], [], []
    for _ in range(data.draw(st.integers(0, 8))):
        start = data.draw(st.integers(0, size))
        length = data.draw(st.integers(0, size - start))
        target = data.draw(st.integers(0, 60 - length))
        starts.append(start)
        lengths.append(length)
        targets.append(target)
        wanted[target * width : (target + length) * width] = ids[start * width : (start + length) * width].tobytes()
    columns = [np.array(column, np.int64) for column in (starts, lengths, targets)]
    kernel.copy_pieces(ids, *columns, width, out)
    assert out.tobytes() == bytes(wanted)


FAR = (1 << 63) - 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("start", "length", "target"),
    [(-1, 1, 0), (0, 1, -1), (0, -1, 0), (3, 2, 0), (0, 2, 3), (5, 0, 0), (FAR, 1, 0), (1, FAR, 0), (0, 1, FAR)],
)
def test_the_kernel_refuses_pieces_outside_of_their_ids(kernel: Any, start: int, length: int, target: int):
    """It would read or write outside of its memory; nothing is copied before all pieces were looked at."""
    ids, out = np.arange(4, dtype=np.int32), np.zeros(4, np.int32)
    columns = [np.array([0, one], np.int64) for one in (start, length, target)]
    columns[1][0] = 1
    with pytest.raises(ValueError, match="outside of its ids"):
        kernel.copy_pieces(np.ones_like(ids), *columns, 4, out)
    assert not out.any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_kernel_refuses_buffers_that_are_too_small(kernel: Any):
    """Each piece has a start, a length and a target, and the output can be written."""
    one, two, ids = np.zeros(1, np.int64), np.zeros(2, np.int64), np.zeros(4, np.int32)
    for starts, targets in ((one, two), (two, one)):
        with pytest.raises(ValueError):
            kernel.copy_pieces(ids, starts, two, targets, 4, ids.copy())
    with pytest.raises((ValueError, BufferError)):
        kernel.copy_pieces(ids, one, one, one, 4, bytes(16))
    for width in (0, -1, 9):
        with pytest.raises(ValueError, match="ids of"):
            kernel.copy_pieces(ids, one, one, one, width, ids.copy())
