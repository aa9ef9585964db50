"""Words that are cut where merges never join: the codes are those of the whole word, whatever the merges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bpe_models import by_hand, trained_byte_level
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bpe_kernel import Call, needs_compiled

from corpustools.kernels.bpe import plain
from corpustools.kernels.bpe.status import DONE
from corpustools.stages.tokenize.bpe.merges import Merges, columns
from corpustools.stages.tokenize.bpe.tables import merger_of
from corpustools.stages.tokenize.models import parse
from corpustools.stages.tokenize.models.model import Model

try:
    from corpustools.kernels.bpe import compiled
except ImportError:
    compiled = None

# Neighbours in Unicode, so that their first and last bytes are mixed up wherever that can happen.
CHARACTERS = [one.encode() for one in "a b中丮乭丳é驩中中a𠀀𠁀"]
BYTE_LEVEL = parse(trained_byte_level().encode(), "m")
CHARACTER_LEVEL = parse(by_hand(fuse_unk=True).encode(), "m")
ALL_BYTES = [bytes([byte]) for byte in range(256)]
ODD_LETTER = b"\xf5\x80\x80\x81"


def cuts_of(character: bytes) -> list[tuple[bytes, bytes]]:
    """Return the joins that make a character of its bytes, from the left."""
    return [(character[:at], character[at : at + 1]) for at in range(1, len(character))]


@st.composite
def models(draw: Any, letters: list[bytes], pieces: list[bytes]) -> tuple[list[bytes], Merges]:
    """Give pieces, the first of them as given, and merges that join any two of them, even parts of characters."""
    pieces = list(pieces)
    codes = {piece: code for code, piece in enumerate(pieces)}
    rows: dict[tuple[int, int], tuple[int, int]] = {}
    # What is drawn of text is joined, not what of 256 bytes never stands side by side.
    usual = sorted({codes[one] for one in [*letters, *(bytes([b]) for c in CHARACTERS for b in c)] if one in codes})
    # Characters that are whole first, and anything else.
    joins = [cut for one in draw(st.lists(st.sampled_from(CHARACTERS), max_size=5)) for cut in cuts_of(one)]
    for step in range(len(joins) + draw(st.integers(1, 20))):
        choice = st.sampled_from([*usual, *range(max(usual) + 1, len(pieces))])
        left, right = joins[step] if step < len(joins) else (pieces[draw(choice)], pieces[draw(choice)])
        if len(left + right) > 12 or left not in codes or right not in codes:
            continue
        if left + right not in codes:
            codes[left + right] = len(pieces)
            pieces.append(left + right)
        rows.setdefault((codes[left], codes[right]), (codes[left + right], len(rows)))
    if draw(st.booleans()):
        order = draw(st.permutations(range(len(rows))))
        rows = {pair: (made, order[priority]) for pair, (made, priority) in rows.items()}
    wholes = draw(st.lists(st.sampled_from(sorted(codes)), max_size=4))
    table = columns([(*pair, *made) for pair, made in rows.items()])
    return pieces, Merges(*table, {one: codes[one] for one in letters}, {one: codes[one] for one in wholes})


WORDS = st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=90).map(b"".join)
ODD_WORDS = st.lists(st.sampled_from([*CHARACTERS, b"\xff", b"\xe4", b"\xb8", ODD_LETTER]), max_size=40).map(b"".join)
RECORDS = st.lists(WORDS | ODD_WORDS, min_size=1, max_size=4)


def same_codes(model: Model, merges: Merges, records: list[bytes]) -> None:
    """Compare kernel and twin, the kernel once more with what it remembers."""
    found, cache = [], None
    for backend in (plain, compiled, compiled):
        call = Call(backend, records)
        call.cache = cache if cache is not None and backend is compiled else call.cache
        cache = call.cache if backend is compiled else None
        status = call.run(merger_of(model, merges, backend))
        found.append((status, *(call.result() if status == DONE else [call.state[0]])))
    assert found[0] == found[1] == found[2]


@needs_compiled
@settings(max_examples=250)
@given(made=models(ALL_BYTES, ALL_BYTES), records=RECORDS)
def test_bytes_that_are_joined_in_any_way(made: tuple[list[bytes], Merges], records: list[bytes]):
    """Pieces that begin and end inside of characters, joined across a place with all or a part of either side."""
    same_codes(replace(BYTE_LEVEL, pieces=made[0]), made[1], records)


@needs_compiled
@settings(max_examples=120)
@given(made=models(CHARACTERS[:9], CHARACTERS[:9]), records=RECORDS, fuse=st.booleans())
def test_characters_that_are_joined_in_any_way(made: tuple[list[bytes], Merges], records: list[bytes], fuse: bool):
    """Unknown ones as well, which are one with their unknown neighbours across seams or are not."""
    same_codes(replace(CHARACTER_LEVEL, pieces=made[0], fuse_unknown=fuse), made[1], records)


@needs_compiled
@pytest.mark.parametrize("named", [False, True])
@settings(max_examples=80)
@given(data=st.data(), records=RECORDS)
def test_bytes_of_unknown_characters_that_are_joined(named: bool, data: Any, records: list[bytes]):
    """Merges may join the codes of such bytes, which some vocabularies give another text."""
    names = [b"<0x%02X>" % byte for byte in range(256)] if named else ALL_BYTES
    known = [one for one in CHARACTERS[:6] if len(one) > 1]
    pieces, merges = data.draw(models(known, [*names, *known]))
    if named:
        # Joined with its neighbours although its text tells nothing of them.
        row = (0xAD, pieces.index(known[0]), len(pieces), 99)
        pieces = [*pieces, pieces[0xAD] + known[0]]
        table = zip(merges.left, merges.right, merges.made, merges.priority, strict=True)
        merges = Merges(*columns([*table, row]), merges.letters)
    same_codes(replace(CHARACTER_LEVEL, pieces=pieces, byte_ids=np.arange(256)), merges, records)


@needs_compiled
@settings(max_examples=60)
@given(made=models([*ALL_BYTES, ODD_LETTER], [*ALL_BYTES, ODD_LETTER]), records=RECORDS)
def test_a_letter_that_stands_for_another_text(made: tuple[list[bytes], Merges], records: list[bytes]):
    """A letter beyond Unicode is joined as what it stands for, and merges may make its code as well."""
    pieces = [b"\xb8\xad" if piece == ODD_LETTER else piece for piece in made[0]]
    same_codes(replace(BYTE_LEVEL, pieces=pieces), made[1], records)


def byte_merges(*joins: tuple[bytes, bytes], **tables: Any) -> tuple[Model, Merges]:
    """Return a byte-level model with these merges, the first one first."""
    pieces = [*ALL_BYTES]
    rows = []
    for priority, (left, right) in enumerate(joins):
        pieces += [] if left + right in pieces else [left + right]
        rows.append((pieces.index(left), pieces.index(right), pieces.index(left + right), priority))
    letters = {one: code for code, one in enumerate(ALL_BYTES)}
    tables = {name: {text: pieces.index(made) for text, made in table.items()} for name, table in tables.items()}
    return replace(BYTE_LEVEL, pieces=pieces), Merges(*columns(rows), letters, **tables)


ZHONG, GUO = "中".encode(), "国".encode()  # E4 B8 AD, E5 9B BD
WHOLE = [(ZHONG[:1], ZHONG[1:2]), (ZHONG[:2], ZHONG[2:]), (GUO[:1], GUO[1:2]), (GUO[:2], GUO[2:])]
ACROSS = {
    "two characters": [*WHOLE, (ZHONG, GUO)],
    "a character and a first byte": [*WHOLE[:2], (ZHONG, GUO[:1])],
    "a character and two first bytes": [*WHOLE[:3], (ZHONG, GUO[:2])],
    "a last byte and a character": [*WHOLE[2:], (ZHONG[2:], GUO)],
    "two last bytes and a character": [(ZHONG[1:2], ZHONG[2:]), *WHOLE[2:], (ZHONG[1:], GUO)],
    "a last byte and a first byte": [(ZHONG[2:], GUO[:1])],
    "more than two characters": [*WHOLE, (GUO, ZHONG), (ZHONG, GUO + ZHONG)],
    "a space and a first byte": [(b" ", ZHONG[:1]), *WHOLE],
    "a space and a character": [*WHOLE, (b" ", ZHONG)],
    "a character and a letter": [*WHOLE, (ZHONG, b"a")],
}


@needs_compiled
@pytest.mark.parametrize("across", ACROSS)
def test_what_is_joined_across_a_place_keeps_it_whole(across: str):
    """Each kind of join by hand, in words long enough to be cut elsewhere."""
    model, merges = byte_merges(*ACROSS[across])
    text = (GUO + ZHONG + GUO + b" " + ZHONG + ZHONG + b"a" + ZHONG + GUO + ZHONG) * 7
    same_codes(model, merges, [text, ZHONG * 9 + GUO * 9, b"a" * 70 + ZHONG + GUO])
    joined = merges.made[-1] if across != "a space and a first byte" else merges.made[0]
    call = Call(compiled, [text])
    assert call.run(merger_of(model, merges, compiled)) == DONE
    assert int(joined) in call.result()[0]


def slots_taken(model: Model, merges: Merges, text: bytes) -> int:
    call = Call(compiled, [text])
    assert call.run(merger_of(model, merges, compiled)) == DONE
    return int(np.count_nonzero(call.cache))


@needs_compiled
def test_long_words_are_remembered_in_stretches():
    """A word that no slot could hold is found in the cache again, unless nothing is known about its seams."""
    model, merges = byte_merges(*WHOLE, (ZHONG, GUO))
    text = (ZHONG + GUO + GUO) * 100
    assert slots_taken(model, merges, text)
    # The text of one code is not what it is made of.
    assert not slots_taken(replace(model, pieces=[*model.pieces[:-1], b"ab"]), merges, text)


@needs_compiled
@pytest.mark.parametrize("word_first", [True, False])
def test_a_stretch_is_never_a_whole_word(word_first: bool):
    """What is a code at once as a word is left to the merges inside of one, whichever the cache has seen first."""
    model, merges = byte_merges(*WHOLE, (ZHONG, GUO), wholes={GUO + ZHONG: ZHONG + GUO})
    pair = model.pieces.index(ZHONG + GUO)
    single = [model.pieces.index(ZHONG), model.pieces.index(GUO)]
    word, longer = GUO + ZHONG, GUO + ZHONG + b"a" * 3 + GUO + ZHONG
    records = [word, longer, word] if word_first else [longer, word, longer]
    same_codes(model, merges, records)
    call = Call(compiled, records)
    call.bos = -1
    assert call.run(merger_of(model, merges, compiled)) == DONE
    long_codes = [single[1], single[0], 97, 97, 97, single[1], single[0]]
    assert call.result()[0] == ([pair, *long_codes, pair] if word_first else [*long_codes, pair, *long_codes])


@needs_compiled
def test_tables_of_seams_are_checked():
    """Tables that lead outside of each other are refused."""
    good: dict[str, Any] = {}

    class Recorder:
        SLOT_WORDS, NEAR_BYTES = compiled.SLOT_WORDS, compiled.NEAR_BYTES

        @staticmethod
        def Merger(**tables: Any) -> None:
            good.update(tables)

    model, merges = byte_merges(*WHOLE)
    merger_of(model, merges, Recorder)
    compiled.Merger(**good)
    faults = {
        "code_ends": [good["code_ends"] + 1, good["code_ends"][::-1].copy()],
        "code_text": [good["code_text"][:-1]],
        "seams": [good["seams"][:-1], np.zeros(compiled.NEAR_BYTES // 8, np.uint64)],
    }
    for name, values in faults.items():
        for value in values:
            with pytest.raises(ValueError):
                compiled.Merger(**(good | {name: value}))
    # Fewer texts than codes: words are not cut, and nothing is read behind the last.
    compiled.Merger(**(good | {"code_ends": good["code_ends"][:-1]}))
