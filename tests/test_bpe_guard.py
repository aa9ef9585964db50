"""The guard of the fast engine: which documents it compares, what it says, and that it never stands in the way."""

import threading

import numpy as np
import pytest

from corpustools.errors import DataError, SystemFailure, UnsupportedModel
from corpustools.files.batches import RecordBatch
from corpustools.stages.tokenize.bpe.guard import (
    FIRST_BYTES,
    LARGEST_DOCUMENT,
    LEAST_BYTES,
    ONE_IN,
    Checked,
    Document,
    Guard,
    require_equal,
)
from corpustools.stages.tokenize.bpe.reference import Reference

NAMES = [f"<{i}>" for i in range(256)]


class Bytes(Reference):
    """A library that makes each byte its own id, and fails at or cannot take some documents."""

    library = "stand-in 1"

    def _encode(self, documents):
        if any(b"bad" in one for one in documents):
            raise ValueError("no entry found")
        return [None if b"none" in one else np.frombuffer(one, np.uint8).astype(np.int32) for one in documents]


def batch(texts, first=0):
    ends = np.cumsum([len(text) for text in texts])
    return RecordBatch(b"".join(texts), np.append(0, ends[:-1]), ends, first, "a.txt")


def give(guard, records, wrong=()):
    """Give a batch with the ids of `Bytes`, the byte 'w' as 0 in the records `wrong`."""
    guard.begin(records)
    ids = np.frombuffer(bytes(records.data), np.uint8).astype(np.int32)
    for i in wrong:
        part = ids[records.starts[i] : records.ends[i]]
        part[part == ord("w")] = 0
    guard.take(records, lambda i: ids[records.starts[i] : records.ends[i]])


def test_documents_that_begin_in_the_first_bytes_are_compared_and_one_in_ten_thousand():
    """The numbers of records and the bytes before them decide, however the records come in batches."""
    size, count = 100, 60_000
    first = -(-FIRST_BYTES // size)
    found = []
    for step in (1000, 7777, count):
        guard = Guard(Bytes, lambda: NAMES)
        chosen = []
        for begin in range(0, count, step):
            records = batch([b"x" * size] * min(step, count - begin), begin)
            guard.begin(records)
            chosen += (begin + guard.chosen(begin, len(records.starts))).tolist()
        guard.close()
        found.append(chosen)
    assert found[0] == found[1] == found[2]
    assert found[0][:first] == list(range(first))
    assert 2 <= len(found[0]) - first <= 12


def test_a_part_chooses_as_the_whole_does():
    """Behind its own first bytes, a run that begins at record n chooses what a run of everything chooses there."""
    guard = Guard(Bytes, lambda: NAMES)
    whole = guard.chosen(0, 3_000_000)
    assert 250 <= len(whole) <= 350
    assert len(np.unique(whole % ONE_IN)) > 200
    assert (2_000_000 + guard.chosen(2_000_000, 1_000_000)).tolist() == whole[whole >= 2_000_000].tolist()
    assert guard.chosen((1 << 64) - 50_000, 50_000).max() < 50_000


def test_equal_documents_are_counted():
    """Every document that was chosen is compared once, but for those that the library cannot take or fails at."""
    guard = Guard(Bytes, lambda: NAMES)
    give(guard, batch([b"one", b"none", b"", b"a bad one", b"two"]))
    give(guard, batch([b"x" * LEAST_BYTES], 5))
    guard.look()
    assert guard.finish() == Checked("stand-in 1", 4)


def test_a_long_document_is_not_compared():
    """What the library would need much time and memory for is left out, where ids differ too."""
    guard = Guard(Bytes, lambda: NAMES)
    give(guard, batch([b"x", b"w" * (LARGEST_DOCUMENT + 1)]), wrong=[1])
    assert guard.finish() == Checked("stand-in 1", 1)


@pytest.mark.parametrize("early", [True, False])
def test_a_difference_ends_the_run(early):
    """It is told with the record, the place and both ids; while the run goes on, or at its end."""
    guard = Guard(Bytes, lambda: NAMES)
    give(guard, batch([b"x", b"same", b"two words", b"www", b"x" * LEAST_BYTES]), wrong=[2, 3])
    said = r"a.txt: record 3: token 1 of the fast engine is 0 \('<0>'\), and that of stand-in 1 is 119 \('<119>'\)"
    if early:
        guard._thread.join(60)
        with pytest.raises(DataError, match=said):
            guard.look()
    with pytest.raises(DataError, match=said):
        guard.finish()


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([1, 2], [1], r"token 1 of the fast engine is 2 \('<2>'\), and that of lib 1 is none"),
        ([], [7], r"token 0 of the fast engine is none, and that of lib 1 is 7 \('<7>'\)"),
        ([1, 2], [1, 900], r"is 900 \('of no piece'\)"),
    ],
)
def test_every_difference_is_told(ours, theirs, said):
    """One list may be a beginning of the other, and a library may know other ids."""
    document = Document("a: record 1", b"text", np.array(ours, np.int32))
    with pytest.raises(DataError, match=said):
        require_equal(document, np.array(theirs, np.int32), "lib 1", lambda: NAMES)
    require_equal(document, np.array(ours, np.int32), "lib 1", lambda: NAMES)


def test_a_small_run_loads_no_library():
    """Below a mebibyte nothing is loaded, so that nobody waits for it."""

    def load():
        raise AssertionError("loaded")

    guard = Guard(load, lambda: NAMES)
    give(guard, batch([b"w" * (LEAST_BYTES - 1)]), wrong=[0])
    assert guard._thread is None
    assert guard.finish() == Checked(None, 0, "less than 1 MiB was read")


@pytest.mark.parametrize("error", [SystemFailure("no lib", "pip install it"), UnsupportedModel("not this one")])
def test_where_there_is_no_library_the_run_goes_on(error):
    """Without the library the fast engine is not checked, and the result says why."""

    def load():
        raise error

    guard = Guard(load, lambda: NAMES)
    give(guard, batch([b"w" * LEAST_BYTES]), wrong=[0])
    assert guard.finish() == Checked(None, 0, str(error))


def test_a_fault_of_the_guard_itself_is_no_success():
    """What goes wrong in the guard's thread comes out of the run."""

    def load():
        raise ZeroDivisionError

    guard = Guard(load, lambda: NAMES)
    give(guard, batch([b"x" * LEAST_BYTES]))
    with pytest.raises(ZeroDivisionError):
        guard.finish()


def test_ids_are_kept_when_their_memory_is_used_again():
    """A thread's next batch overwrites the ids of the last one."""
    guard = Guard(Bytes, lambda: NAMES)
    records = batch([b"x" * LEAST_BYTES])
    ids = np.full(LEAST_BYTES, ord("x"), np.int32)
    guard.begin(records)
    guard.take(records, lambda i: ids[records.starts[i] : records.ends[i]])
    ids[:] = 0
    assert guard.finish() == Checked("stand-in 1", 1)


def test_a_run_that_ends_early_waits_for_nothing():
    """Closing lets the thread end without comparing what waits."""
    loading = threading.Event()

    def load():
        loading.wait(60)
        return Bytes()

    guard = Guard(load, lambda: NAMES)
    give(guard, batch([b"w" * LEAST_BYTES]), wrong=[0])
    guard.close()
    loading.set()
    guard._thread.join(60)
    assert not guard._thread.is_alive()
    guard.look()
