"""BPE-dropout: the paper's law by enumeration, the kernel against its twin, canonical ids where nothing is left out."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bpe_kernel import FILES, MERGERS, MODELS, PARTS, RECORDS, offsets_of
from vocabularies import chi_square, chi_square_limit, make_model

from corpustools.kernels.bpe import plain, plain_dropout
from corpustools.kernels.bpe.status import DONE, MORE_ROOM, UNWRITABLE
from corpustools.kernels.mixture.plain import WordDraws
from corpustools.stages.tokenize.bpe.canonical import Canonical
from corpustools.stages.tokenize.bpe.dropout import Dropout
from corpustools.stages.tokenize.bpe.merges import Merges, columns
from corpustools.stages.tokenize.lattice.segmenter import SampleKey

try:
    from corpustools.kernels.bpe import compiled
except ImportError:
    compiled = None

needs_compiled = pytest.mark.skipif(compiled is None, reason="the kernels are not compiled")
CHANCES = [0.0, 0.1, 0.5, 0.9, 1.0]


def model_of(merges: list[tuple[str, str]]) -> Any:
    """Return a model with these merges, in their order."""
    letters = sorted({letter for pair in merges for part in pair for letter in part})
    made = [left + right for left, right in merges]
    pieces = [one.encode() for one in [*letters, *dict.fromkeys(made)]]
    model = make_model(dict.fromkeys(pieces, 0.0), cuts="marks", weighted=False)
    codes = {piece: i for i, piece in enumerate(model.pieces)}
    rows = [
        (codes[left.encode()], codes[right.encode()], codes[(left + right).encode()], i)
        for i, (left, right) in enumerate(merges)
    ]
    object.__setattr__(model, "merges", Merges(*columns(rows), {one.encode(): codes[one.encode()] for one in letters}))
    return model


def law_of(word: str, merges: list[tuple[str, str]], chance: float) -> dict[tuple[str, ...], float]:
    """Return the probability of every segmentation: every subset of the pairs of every step, by the definition."""
    ranks = {pair: i for i, pair in enumerate(merges)}
    found: Counter[tuple[str, ...]] = Counter()

    def go(row: tuple[str, ...], share: float) -> None:
        pairs = sorted((ranks[pair], i) for i, pair in enumerate(itertools.pairwise(row)) if pair in ranks)
        for kept in itertools.product([False, True], repeat=len(pairs)):
            p = share
            for one in kept:
                p *= (1 - chance) if one else chance
            if p == 0:
                continue
            left = [i for (_, i), one in zip(pairs, kept, strict=True) if one]
            if not left:
                found[row] += p
                continue
            i = left[0]
            go((*row[:i], row[i] + row[i + 1], *row[i + 2 :]), p)

    go(tuple(word), 1.0)
    return dict(found)


ABCD = [("a", "b"), ("c", "d"), ("b", "c")]
TWICE = [("a", "b"), ("ab", "ab"), ("b", "a"), ("ab", "a"), ("aba", "b")]


@pytest.mark.parametrize("chance", CHANCES)
@pytest.mark.parametrize(("word", "merges"), [("abcd", ABCD), ("abab", TWICE), ("bcbc", ABCD), ("d", ABCD)])
def test_the_law_of_the_paper(word, merges, chance):
    """What is drawn passes chi-square against the enumeration of every subset of every step."""
    law = law_of(word, merges, chance)
    assert sum(law.values()) == pytest.approx(1.0)
    model = model_of(merges)
    records = [word.encode()] * 20_000
    batch = Dropout(model, chance, SampleKey("paper")).batch(b"".join(records), offsets_of(records), 0)
    ids, starts = batch.ids.tolist(), [0, *batch.ends.tolist()]
    drawn = Counter(tuple(model.pieces[i].decode() for i in ids[a:b]) for a, b in itertools.pairwise(starts))
    statistic, degrees = chi_square(drawn, law)
    assert statistic <= chi_square_limit(max(degrees, 1))


def test_the_law_of_a_known_case():
    """`ab c d` needs both ab joined and cd left out at the end: 0.9 · 0.1 at a chance of 0.1; others likewise."""
    law = law_of("abcd", ABCD, 0.1)
    assert law["ab", "c", "d"] == pytest.approx(0.9 * 0.1)
    assert law["ab", "cd"] == pytest.approx(0.9 * 0.9 + 0.1 * 0.9 * 0.9)
    assert law["a", "b", "c", "d"] == pytest.approx(0.1**3)


def both(name: str, records: list[bytes], **options: Any) -> list[Any]:
    """Return what the kernel and its twin make of records, and of their buffers."""
    results = []
    for backend in (compiled, plain):
        call = Call(backend, records, **options)
        status = call.run(backend, MERGERS[name, backend])
        results.append((status, call.result()))
    return results


class Call:
    """The buffers of one call."""

    def __init__(self, backend: Any, records: list[bytes], letters: int = 4096, samples: int = 1, **changes: Any):
        size = sum(map(len, records))
        self.text, self.offsets = b"".join(records), offsets_of(records)
        self.chance, self.seed, self.samples = 0.5, np.array([3, 4], np.uint64), samples
        self.first_record, self.first_sample, self.bos, self.eos = 2**64 - 1, 7, -1, 2
        self.out = np.zeros(samples * (size + 2 * len(records)) + backend.OUT_SLACK, np.int32)
        self.ends, self.state = np.zeros(samples * len(records), np.int64), np.zeros(4, np.int64)
        self.cache = np.zeros(backend.BYTES_OF_DROP_CACHE // 8, np.uint64)
        self.room = np.zeros(letters * backend.LETTER_BYTES // 8 + 1, np.uint64)
        vars(self).update(changes)

    def run(self, backend: Any, merger: Any) -> int:
        fields = {name: value for name, value in vars(self).items() if name not in ("text", "offsets")}
        status: int = backend.drop(merger, self.text, self.offsets, **fields)
        return status

    def result(self) -> tuple[Any, ...]:
        done, codes = self.state.tolist()[:2]
        return self.out[:codes].tolist(), self.ends[:done].tolist(), done


LONG = st.lists(PARTS.filter(lambda part: part != b"\xff"), min_size=70, max_size=200).map(b"".join)


@needs_compiled
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None)
@given(
    records=RECORDS | st.lists(LONG, min_size=1, max_size=2), chance=st.sampled_from(CHANCES), samples=st.integers(1, 2)
)
def test_kernel_and_twin_are_equal(name, records, chance, samples):
    """The same codes of any bytes, in words of any length."""
    first, second = both(name, records, chance=chance, samples=samples)
    assert first == second
    assert first[0] in (DONE, UNWRITABLE)


@needs_compiled
@pytest.mark.parametrize("chance", [0.3, 0.97])
@pytest.mark.parametrize("word", [b"ab" * 60, b"a" * 130, b"the cat sat on the mat " * 8, b"abbabaab" * 30])
def test_pairs_that_turn_into_others_of_equal_priority_are_one(word, chance):
    """A place that is offered twice has one chance in a step: the heap of a long word equals the list of the twin."""
    for name in FILES:
        records = [word] * 5
        first, second = both(name, records, chance=chance)
        assert first == second


@needs_compiled
@pytest.mark.parametrize("chance", [0.1, 0.6])
@pytest.mark.parametrize("name", ["bytes", "wholes", "characters"])
def test_words_that_come_again_are_drawn_anew(name, chance):
    """What is remembered of words changes no id: of many words, some of them in each other's places, each thrice."""
    rng = np.random.default_rng(3)
    letters = np.frombuffer(b"thecatson ", np.uint8)
    words = [rng.choice(letters, rng.integers(1, 9 if i % 9 else 70)).tobytes() for i in range(1500)]
    first, second = both(name, [b"\xff".join(words * 3)], chance=chance)
    assert first == second
    assert first[0] == DONE


@pytest.mark.parametrize("equal", [True, False])
def test_the_heap_draws_as_the_list(equal):
    """Long words of letters of any kind, under merges that may all have the same priority."""
    rows = [(i, j, (i + j) % 7, 0 if equal else i * j % 5) for i in range(7) for j in range(7) if (i * j) % 3 != 1]
    model = make_model({bytes([97 + i]): 0.0 for i in range(7)}, cuts="marks", weighted=False, unknown=False)
    rows = [(left + 1, right + 1, made + 1, priority) for left, right, made, priority in rows]
    object.__setattr__(model, "merges", Merges(*columns(rows), {bytes([97 + i]): i + 1 for i in range(7)}))
    pairs = model.merges.pairs
    for seed in range(40):
        word = bytes(97 + i for i in np.random.default_rng(seed).integers(0, 7, 100))
        chance = (0.1, 0.6, 0.9)[seed % 3]
        dropout = Dropout(model, chance, SampleKey(str(seed)))
        ids = dropout.batch(word, offsets_of([word]), 5).ids.tolist()
        codes = [byte - 96 for byte in word]
        draws = WordDraws(5, 0, dropout.seed)
        assert ids == plain_dropout.joined_with_dropout(codes, pairs, chance, draws, 0)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None)
@given(records=RECORDS)
def test_nothing_left_out_is_canonical(name, records):
    """With a chance of 0 ids are those of the merges, special tokens and all."""
    model = MODELS[name]
    records = [bytes(model.normalizer.normalize(record)) for record in records]
    text, offsets = b"".join(records), offsets_of(records)
    canonical = Canonical(model, 1, 2).batch(text, offsets, 0)
    expected = canonical.ids.tolist(), canonical.ends.tolist(), canonical.special.tolist()
    found = Dropout(model, 0.0, SampleKey(), 1, 2).batch(text, offsets, 0)
    assert (found.ids.tolist(), found.ends.tolist(), found.special.tolist()) == expected


def test_everything_left_out_is_letters():
    """With a chance of 1 nothing is joined, and words that the model takes at once are no exception."""
    model = MODELS["wholes"]
    text = bytes(model.normalizer.normalize(b"the cat the"))
    ids = Dropout(model, 1.0, SampleKey()).batch(text, offsets_of([text]), 0).ids.tolist()
    assert [model.pieces[i] for i in ids] == [bytes([byte]) for byte in b"the cat the"]
    assert len(Dropout(model, 0.0, SampleKey()).batch(text, offsets_of([text]), 0).ids) < 11


def test_batches_may_be_cut_anywhere():
    """Records alone, under their numbers, are what they are among others; other samples and epochs differ."""
    model = MODELS["bytes"]
    records = [bytes(model.normalizer.normalize(b"the cat sat on the mat " * i)) for i in range(8)]
    dropout = Dropout(model, 0.3, SampleKey("cut", samples=2))
    together = dropout.batch(b"".join(records), offsets_of(records), 50)
    ids, ends = together.ids.tolist(), [0, *together.ends.tolist()]
    for i, record in enumerate(records):
        alone = dropout.batch(record, offsets_of([record]), 50 + i)
        assert ids[ends[2 * i] : ends[2 * i + 2]] == alone.ids.tolist()
    assert ids[ends[14] : ends[15]] != ids[ends[15] : ends[16]]
    later = Dropout(model, 0.3, SampleKey("cut", 1, 2)).batch(b"".join(records), offsets_of(records), 50)
    assert later.ids.tolist() != ids


@needs_compiled
def test_a_word_that_needs_more_room():
    """The kernel says how much; the ids do not depend on when it was given."""
    records = [b"ab", b"ab" * 1000, b"ba"]
    tight = Call(compiled, records, letters=100)
    merger = MERGERS["bytes", compiled]
    assert tight.run(compiled, merger) == MORE_ROOM
    assert tight.state.tolist()[::3] == [1, 2000]
    tight.room = np.zeros(2000 * compiled.LETTER_BYTES // 8, np.uint64)
    assert tight.run(compiled, merger) == DONE
    roomy = Call(compiled, records)
    roomy.run(compiled, merger)
    assert tight.result() == roomy.result()


@needs_compiled
def test_a_million_letters():
    """One word of a million letters takes seconds at most."""
    model = MODELS["bytes"]
    word = b"the" * 350_000
    batch = Dropout(model, 0.5, SampleKey()).batch(word, offsets_of([word]), 0)
    assert b"".join(model.pieces[i] for i in batch.ids.tolist()) == word


LIES: dict[str, dict[str, Any]] = {
    "no chance": {"chance": -0.1},
    "more than certain": {"chance": 1.1},
    "a chance that is no number": {"chance": float("nan")},
    "half a seed": {"seed": np.zeros(1, np.uint64)},
    "no samples": {"samples": 0},
    "more samples than there is room for": {"samples": 2},
    "samples beyond memory": {"samples": 1 << 62},
    "a negative code": {"bos": -2},
    "no room for codes": {"out": np.zeros(11, np.int32)},
    "no room for ends": {"ends": np.zeros(1, np.int64)},
    "more done than there are": {"state": np.array([3, 0, 0, 0])},
    "fewer than none": {"state": np.array([-1, 0, 0, 0])},
    "codes before the first": {"state": np.array([0, -1, 0, 0])},
    "codes behind the room": {"state": np.array([1, 9, 0, 0])},
    "a cache that is too small": {"cache": np.zeros(100, np.uint64)},
    "a record behind the text": {"offsets": np.array([0, 2, 9])},
    "records backwards": {"offsets": np.array([0, 3, 2])},
}


@needs_compiled
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(lie):
    """Arguments that do not fit each other are an error before anything is read or written."""
    merger = MERGERS["bytes", compiled]
    assert Call(compiled, [b"ab", b"ab"]).run(compiled, merger) == DONE
    call = Call(compiled, [b"ab", b"ab"])
    vars(call).update(LIES[lie])
    with pytest.raises((ValueError, OverflowError)):
        call.run(compiled, merger)
