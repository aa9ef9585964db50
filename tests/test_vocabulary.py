"""The tables of a vocabulary: compiled and twin equal on any keys, damaged keys named, lying callers refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools.errors import DataError
from corpustools.kernels.vocabulary import plain as vocabulary_plain
from corpustools.stages.tokenize.lattice import trie

try:
    from corpustools.kernels.vocabulary import compiled as compiled
except ImportError:
    compiled = None

pytestmark = pytest.mark.skipif(compiled is None, reason="no compiled kernel")
KEYS = st.lists(
    st.binary(max_size=12)
    | st.text("aé中\u2581", max_size=8).map(str.encode)
    | st.integers(0, 60).map(lambda n: b"shared prefix of many keys" * 2 + bytes([n % 3]) * n),
    max_size=90,
)


def arranged(kernel, pieces, ids):
    text, bounds = trie.join(pieces)
    order = np.array(ids, np.int32)
    size = int((bounds[order + 1] - bounds[order]).sum()) if len(ids) else 0
    made, starts = np.zeros(size, np.uint8), np.zeros(len(ids) + 1, np.int64)
    kernel.arrange_entries(text, bounds, len(pieces), order, len(ids), made, starts, np.zeros(20 * len(ids), np.uint8))
    return order, made, starts


@settings(deadline=None, max_examples=300)
@given(pieces=KEYS, data=st.data())
def test_keys_are_sorted_checked_and_joined_alike(pieces, data):
    """Kernel and twin arrange a vocabulary in the same way."""
    ids = data.draw(st.lists(st.sampled_from(range(len(pieces))), unique=True)) if pieces else []
    order, text, starts = arranged(compiled, pieces, ids)
    assert [pieces[i] for i in order] == sorted(pieces[i] for i in ids)
    assert text.tobytes() == b"".join(sorted(pieces[i] for i in ids))
    _, plain, plain_starts = arranged(vocabulary_plain, pieces, ids)
    assert (plain.tobytes(), plain_starts.tolist()) == (text.tobytes(), starts.tolist())
    for characters in (False, True):
        found = compiled.check_entries(text, starts, len(ids), characters)
        assert found[0] == vocabulary_plain.check_entries(text, starts, len(ids), characters)[0]
        assert not found[0] or found == vocabulary_plain.check_entries(text, starts, len(ids), characters)
    if found[0] == 0:
        ours, twins = np.zeros(512, np.uint8), np.zeros(512, np.uint8)
        count = compiled.join_entries(text, starts, len(ids), ours)
        assert count == vocabulary_plain.join_entries(text, starts, len(ids), twins)
        assert (ours == twins).all()


def test_sorting_keys_that_agree_for_long_stays_fast():
    """Each is a prefix of the next: nothing that compares from the start would end."""
    pieces = [b"ab" * 1000 + b"a" * n for n in range(2000)]
    order, _, _ = arranged(compiled, pieces, list(range(1999, -1, -1)))
    assert order.tolist() == list(range(2000))


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([b"a", b""], "empty"),
        ([b"a", b"b", b"a"], "twice"),
        ([b"a", b"\xc3"], "not UTF-8"),
        ([b"\xed\xa0\x80"], "not UTF-8"),
        ([b"\xf4\x90\x80\x80"], "not UTF-8"),
        ([b"\xf8\x80\x80\x80"], "not UTF-8"),
        ([b"a" * 4097], "4097 bytes"),
    ],
)
@pytest.mark.parametrize("kernels", ["plain", "compiled"])
def test_a_key_that_is_none_is_named(pieces, said, kernels, monkeypatch):
    """A piece that cannot stand in a trie is named in the error."""
    monkeypatch.setenv("CORPUS_KERNELS", kernels)
    with pytest.raises(DataError, match=said):
        trie.build(pieces, list(range(len(pieces))), "character")


def test_a_script_with_few_second_bytes_makes_a_small_table():
    """64,000 syllables of Myanmar letters once made a table of 36 million units."""
    letters = [chr(code) for code in range(0x1000, 0x1040)]
    pieces = [(a + b + c).encode() for a in letters for b in letters[:20] for c in letters[:20]]
    made = trie.build(pieces, list(range(len(pieces))), "character")
    assert len(made.units) < 3 * sum(map(len, pieces)) // 9


def arrange(order, room=40):
    bounds, numbers = np.array([0, 1, 2]), np.array(order, np.int32)
    compiled.arrange_entries(
        b"ab", bounds, 2, numbers, len(numbers), bytearray(2), np.zeros(3, np.int64), bytearray(room)
    )


LIES = {
    "an order of no key": lambda: arrange([0, 2]),
    "a negative order": lambda: arrange([-1]),
    "keys twice, for which there is no room": lambda: arrange([0, 0, 1]),
    "no room": lambda: arrange([0, 1], 39),
    "a short text": lambda: compiled.check_entries(b"a", np.array([0, 2]), 1, False),
    "offsets that fall": lambda: compiled.check_entries(b"abc", np.array([0, 2, 1]), 2, False),
    "a negative offset": lambda: compiled.join_entries(b"abc", np.array([-1, 1]), 1, bytearray(512)),
    "bits of an odd number": lambda: compiled.join_entries(b"abc", np.array([0, 1]), 1, bytearray(600)),
    "neighbours in what is no text": lambda: compiled.join_entries(b"\xff", np.array([0, 1]), 1, bytearray(512)),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_refused(lie):
    """Lengths that do not fit the arrays are refused before anything is read."""
    with pytest.raises(ValueError):
        LIES[lie]()
