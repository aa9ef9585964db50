"""Byte-pair encoding in the kernel and in its twin: the same codes of any bytes, and no caller is believed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bpe_models import by_hand, inner_mark, odd_sentencepiece, trained_byte_level
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpustools.kernels.bpe import plain
from corpustools.kernels.bpe.status import DONE, MORE_ROOM, UNWRITABLE
from corpustools.stages.tokenize.bpe.merges import UNKNOWN, Merges, columns
from corpustools.stages.tokenize.bpe.tables import LETTERS, merger_of
from corpustools.stages.tokenize.models import parse

try:
    from corpustools.kernels.bpe import compiled
except ImportError:
    compiled = None

BACKENDS = [pytest.param(plain, id="plain")]
if compiled:
    BACKENDS.append(pytest.param(compiled, id="compiled"))
needs_compiled = pytest.mark.skipif(compiled is None, reason="the kernels are not compiled")

FILES = {
    "bytes": trained_byte_level().encode(),
    "wholes": trained_byte_level(ignore_merges=True).encode(),
    "characters": by_hand(fuse_unk=True).encode(),
    "bytes of characters": by_hand(unknown=False, fallback=True).encode(),
    "inner marks": inner_mark().encode(),
    "symbols": odd_sentencepiece(),
    "symbols and bytes": odd_sentencepiece(fallback=True),
}
MODELS = {name: parse(data, name) for name, data in FILES.items()}
MERGERS = {
    (name, backend.values[0]): merger_of(model, model.merges, backend.values[0])
    for name, model in MODELS.items()
    for backend in BACKENDS
}
PARTS = st.sampled_from(
    [b"a", b"b", b"\xe2\x96\x81", b"\xff", b"the ", b"\xc3\xa9", b"\xe4\xb8\xad", b"xy", b"\xf5\x80", b"</"]
)
RECORDS = st.lists(st.binary(max_size=20) | st.lists(PARTS, max_size=60).map(b"".join), min_size=1, max_size=5)


def offsets_of(records: list[bytes]) -> np.ndarray[Any, Any]:
    return np.cumsum([0, *map(len, records)], dtype=np.int64)


class Call:
    """The buffers of one call."""

    def __init__(self, backend: Any, records: list[bytes], letters: int = 4096, room: int = 0) -> None:
        size = sum(map(len, records))
        self.text, self.offsets = b"".join(records), offsets_of(records)
        self.first, self.bos, self.eos = 0, 1, -1
        self.out = np.full(size + 2 * len(records) + backend.OUT_SLACK + room, -9, np.int32)
        self.ends, self.word_ends = np.zeros(len(records), np.int64), np.zeros(size, np.int64)
        self.state = np.zeros(4, np.int64)
        self.cache = np.zeros(backend.CACHE_BYTES // 8, np.uint64)
        self.room = np.zeros(letters * backend.LETTER_BYTES // 8 + 1, np.uint64)

    def run(self, merger: Any) -> int:
        fields = {name: value for name, value in vars(self).items() if name not in ("text", "offsets")}
        status: int = merger.segment(self.text, self.offsets, **fields)
        return status

    def result(self) -> tuple[list[Any], ...]:
        done, codes, words, _ = self.state.tolist()
        return self.out[:codes].tolist(), self.ends[:done].tolist(), self.word_ends[:words].tolist()


@needs_compiled
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=100)
@given(records=RECORDS, bos=st.sampled_from([-1, 1]), eos=st.sampled_from([-1, 2]))
@example([b"", b"\xff\xff", b"a\xffb", b"a" * 200], -1, 2)
@example(
    [b"\xe2\x96", b"\xe2", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80\xf7\xbf\xbf\xbf", b"aa\xe2\x96\x81b\xe2\x96\x81"],
    1,
    -1,
)
def test_kernel_and_twin_write_the_same(name: str, records: list[bytes], bos: int, eos: int):
    """Whatever the bytes, the second time from the cache as well, and nothing is written behind the codes."""
    found = []
    caches: dict[Any, Any] = {}
    for backend in (plain, compiled, compiled):
        call = Call(backend, records, room=3)
        call.bos, call.eos = bos, eos
        call.cache = caches.setdefault(backend, call.cache)
        status = call.run(MERGERS[name, backend])
        assert (call.out[-3:] == -9).all()
        found.append((status, *(call.result() if status == DONE else [call.state[0]])))
    assert found[0] == found[1] == found[2]


@needs_compiled
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60)
@given(records=RECORDS)
def test_kernel_and_twin_tell_the_same_words(name: str, records: list[bytes]):
    """Words cover all of a text but its marks, and they are those whose ends segmentation tells."""
    size = sum(map(len, records))
    found = []
    for backend in (plain, compiled):
        starts, ends, by_record = (np.zeros(max(n, 1), np.int64) for n in (size, size, len(records)))
        merger = MERGERS[name, backend]
        count = merger.words(b"".join(records), offsets_of(records), starts=starts, ends=ends, record_ends=by_record)
        found.append((starts[:count].tolist(), ends[:count].tolist(), by_record[: len(records)].tolist()))
    assert found[0] == found[1]
    text = b"".join(records)
    assert b"".join(text[a:b] for a, b in zip(*found[0][:2], strict=True)) == text.replace(b"\xff", b"")
    call = Call(compiled, records)
    if call.run(MERGERS[name, compiled]) == DONE:
        assert len(call.result()[2]) == len(found[0][0])


def chain(letters: int, rows: list[tuple[int, int, int, int]], **tables: Any) -> Any:
    """Return merges over the first letters of the alphabet, and a model that they belong to."""
    model = parse(by_hand(unknown=False, fallback=True).encode(), "m")
    alphabet = {bytes([97 + i]): i for i in range(letters)}
    return model, Merges(*columns(rows), alphabet, **tables)


@needs_compiled
@settings(max_examples=150)
@given(
    rows=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(3, 9), st.integers(0, 3)), max_size=20),
    word=st.text("abc", min_size=1, max_size=200),
)
def test_long_words_by_heap_and_short_ones_by_sight(rows: list[tuple[int, int, int, int]], word: str):
    """Merges of any kind: equal priorities, made codes that are joined on, pairs that make what others make."""
    unique = list({row[:2]: row for row in rows}.values())
    model, merges = chain(3, unique)
    found = []
    for backend in (plain, compiled):
        call = Call(backend, [word.encode()])
        assert call.run(merger_of(model, merges, backend)) == DONE
        found.append(call.result())
    assert found[0] == found[1]


@needs_compiled
def test_a_long_word_asks_for_room():
    """A word of a million letters tells how many they are, and goes on where it stopped when there is room."""
    model, merges = chain(1, [(0, 0, 1, 0), (1, 1, 2, 1), (2, 2, 3, 2), (3, 3, 4, 3)])
    merger = merger_of(model, merges, compiled)
    call = Call(compiled, [b"aa", b"a" * 1_000_001], letters=100)
    assert call.run(merger) == MORE_ROOM
    assert call.state.tolist() == [1, 2, 1, 1_000_001]
    call.first, call.room = 1, np.zeros(1_000_001 * compiled.LETTER_BYTES // 8 + 1, np.uint64)
    assert call.run(merger) == DONE
    assert call.result()[0] == [1, 1, 1, *[4] * 62_500, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_letter_that_nothing_writes(backend: Any):
    """Without an unknown code and byte codes the record is told."""
    call = Call(backend, [b"\xe2\x96\x81a", b"b\xf7\xbf\xbf\xbf"])
    merger = merger_of(MODELS["bytes"], MODELS["bytes"].merges, backend)
    assert call.run(merger) == UNWRITABLE
    assert call.state[0] == 1


@needs_compiled
def test_narrow_and_wide_words_share_the_cache():
    """Words of every length, up to those that fit nowhere, push each other out and keep their codes."""
    rng = np.random.default_rng(4)
    words = [rng.integers(97, 100, n, np.uint8).tobytes() for n in rng.integers(1, 140, 60_000).tolist()]
    model, merges = chain(3, [(0, 1, 3, 0), (1, 2, 4, 1), (3, 4, 5, 2), (5, 5, 6, 0)])
    merger = merger_of(model, merges, compiled)
    calls = [Call(compiled, words) for _ in range(3)]
    for call in calls:
        call.cache = calls[0].cache
        assert call.run(merger) == DONE
    assert calls[0].result() == calls[1].result() == calls[2].result()
    twin = Call(plain, words[:300])
    assert twin.run(merger_of(model, merges, plain)) == DONE
    assert twin.result()[0] == calls[0].result()[0][: twin.state[1]]


@needs_compiled
def test_a_full_cache_changes_nothing():
    """More words than there are slots push each other out, and every one keeps its codes."""
    rng = np.random.default_rng(3)
    words = rng.integers(97, 100, (400_000, 9), np.uint8)
    words[:, 8] = 0xFF
    text = words.tobytes()
    model, merges = chain(3, [(0, 1, 3, 0), (1, 2, 4, 1), (3, 4, 5, 2)])
    merger = merger_of(model, merges, compiled)
    call = Call(compiled, [text])
    assert call.run(merger) == DONE
    again = Call(compiled, [text])
    again.cache = call.cache
    assert again.run(merger) == DONE
    assert again.result() == call.result()


def lie(**changes: Any) -> Any:
    """Return what a caller says of two records when one thing is wrong."""

    def make(backend: Any) -> Call:
        call = Call(backend, [b"ab", b"ba"])
        vars(call).update(changes)
        return call

    return make


LIES = {
    "offsets that fall": lie(offsets=np.array([0, 3, 2], np.int64)),
    "offsets below 0": lie(offsets=np.array([-1, 2, 4], np.int64)),
    "offsets behind the text": lie(offsets=np.array([0, 2, 5], np.int64)),
    "no offsets": lie(offsets=np.zeros(0, np.int64)),
    "too little room": lie(out=np.zeros(8, np.int32)),
    "a first record behind the last": lie(first=3),
    "too few ends": lie(ends=np.zeros(1, np.int64)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fault", LIES)
def test_buffers_are_checked(backend: Any, fault: str):
    """A caller that is wrong gets an error, not memory of others."""
    with pytest.raises((ValueError, IndexError)):
        LIES[fault](backend).run(MERGERS["bytes", backend])


@needs_compiled
def test_tables_are_checked():
    """Tables that lead outside of each other are refused when they are taken."""
    good: dict[str, Any] = {}

    class Recorder:
        SLOT_WORDS, NEAR_BYTES = compiled.SLOT_WORDS, compiled.NEAR_BYTES

        @staticmethod
        def Merger(**tables: Any) -> None:
            good.update(tables)

    merger_of(MODELS["symbols"], MODELS["symbols"].merges, Recorder)
    compiled.Merger(**good)
    faults = {
        "pairs": [np.array([[0, 1, 0, 2], [0, 1, 1, 3]], np.int32), np.array([[0, -1, 0, 2]], np.int32)],
        "pair_slots": [np.zeros(24 * 4, np.uint32), np.zeros(16, np.uint32)],
        "letters": [np.zeros(LETTERS - 1, np.int32)],
        "symbol_ends": [good["symbol_ends"] + 9, good["symbol_ends"][::-1].copy()],
        "symbol_text": [good["symbol_text"][:-1], good["symbol_text"][::-1]],
        "symbol_codes": [good["symbol_codes"][:-1], good["symbol_codes"] - 99_999],
        "apart_ends": [good["apart_ends"] + 1, good["apart_ends"][::-1].copy()],
        "apart": [good["apart"] - 9],
        "byte_codes": [np.zeros(255, np.int32)],
        "unknown": [UNKNOWN - 1],
    }
    for name, values in faults.items():
        for value in values:
            with pytest.raises(ValueError):
                compiled.Merger(**(good | {name: value}))
