"""The real `corpus verify` without a model: a shuffled file against its inputs."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpustools import UsageError, verify
from corpustools.inspect.verify import multiset
from corpustools.inspect.verify.difference import Difference
from corpustools.inspect.verify.duplicates import DuplicateCount


def lines(count, seed=1):
    chance = random.Random(seed)
    return [f"line {i} ".encode() + b"x" * chance.randrange(60) for i in range(count)]


def test_a_shuffled_file_agrees(folder):
    """Several inputs, compressed or not, with a missing last newline; shards; a record longer than a buffer."""
    rows = [*lines(5000), b"", b"", b"y" * (5 << 20)]
    folder.write("a.txt", b"\n".join(rows[:2000]))
    folder.write("b.txt", b"\n".join(rows[2000:]) + b"\n")
    folder.corpus("shuffle", "-s", "1", "a.txt", "b.txt", "-o", "out.txt.zst").ok()
    done = folder.corpus("verify", "out.txt.zst", "--source", "a.txt", "b.txt").ok()
    assert "5003 records agree" in done.stderr
    folder.corpus("shuffle", "-s", "1", "a.txt", "b.txt", "--shards", "3", "-o", "out-{shard}.txt").ok()
    folder.corpus("verify", "out-{shard}.txt", "--source", "a.txt", "b.txt").ok()
    (folder.path / "out-1.txt").unlink()
    folder.corpus("verify", "out-{shard}.txt", "--source", "a.txt", "b.txt").failed(1, "shard 1 is missing")


DAMAGE = {
    "a dropped record": (lambda rows: rows.pop(700), "a.txt: record 701 is missing: 'line 700 "),
    "a doubled record": (lambda rows: rows.append(rows[700]), "is there 2 times instead of 1: 'line 700 "),
    "a changed byte": (lambda rows: rows.__setitem__(700, b"lino 700"), "a.txt: record 701 is missing"),
    "a foreign record": (lambda rows: rows.append(b"foreign"), "is not in the source: 'foreign'"),
    "one dropped, one doubled": (lambda rows: rows.__setitem__(700, rows[701]), "a.txt: record 701 is missing"),
    "an empty one more": (lambda rows: rows.append(b""), "is there 3 times instead of 2"),
    "all dropped": (lambda rows: rows.clear(), "is missing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(folder, damage):
    """The first record that is there too seldom, or else too often, is named with its file and number."""
    rows = [*lines(2000), b"", b""]
    folder.write("a.txt", b"\n".join(rows) + b"\n")
    change, words = DAMAGE[damage]
    change(rows)
    random.Random(3).shuffle(rows)
    folder.write("out.txt", b"".join(row + b"\n" for row in rows))
    folder.corpus("verify", "out.txt", "--source", "a.txt").failed(1, "out.txt: ", words, f"{len(rows)} records")


def test_other_records_and_headers(folder):
    """NUL-terminated records, records of one size, and a header that the output has once."""
    folder.write("z", b"a\nb\0c\0\0d\0")
    folder.write("z.out", b"d\0a\nb\0\0c\0")
    folder.corpus("verify", "z.out", "-z", "--source", "z").ok()
    folder.corpus("verify", "z.out", "--source", "z").failed(1)
    folder.write("r", b"aabbcc")
    folder.write("r.out", b"ccaabb")
    folder.corpus("verify", "r.out", "--record-bytes", "2", "--source", "r").ok()
    folder.corpus("verify", "r.out", "--record-bytes", "3", "--source", "r").failed(1)
    folder.write("h1", b"name\n1\n2\n")
    folder.write("h2", b"name\n3\n")
    folder.write("h.out", b"name\n3\n1\n2\n")
    folder.corpus("verify", "h.out", "--header", "1", "--source", "h1", "h2").ok()
    folder.corpus("verify", "h.out", "--source", "h1", "h2").failed(1)
    folder.write("h.out", b"names\n3\n1\n2\n")
    folder.corpus("verify", "h.out", "--header", "1", "--source", "h1", "h2").failed(1, "another header")


def test_a_pipe_is_a_source_too(folder):
    """What cannot be read twice is compared all the same; no record is named then."""
    folder.write("out", b"b\na\n")
    folder.corpus("verify", "out", "--source", "-", stdin=b"a\nb\n").ok()
    folder.corpus("verify", "out", "--source", "-", stdin=b"a\nc\n").failed(1, "not the same ones")


@settings(max_examples=60)
@given(rows=st.lists(st.sampled_from([b"", b"a", b"b", b"ab", b"\xff"]), max_size=12), data=st.data())
def test_the_multiset_decides(tmp_path_factory, rows, data):
    """Any change of the multiset is found, and none where there is none."""
    folder = tmp_path_factory.mktemp("rows")
    other = data.draw(st.permutations(rows) | st.lists(st.sampled_from([b"", b"a", b"b", b"ab"]), max_size=12))
    for name, content in (("a", rows), ("b", other)):
        (folder / name).write_bytes(b"".join(row + b"\n" for row in content))
    if Counter(rows) == Counter(other):
        assert verify(folder / "b", folder / "a").records == len(rows)
        return
    with pytest.raises(Difference) as caught:
        verify(folder / "b", folder / "a")
    missing = Counter(rows) - Counter(other)
    assert caught.value.kind == ("missing" if missing else "added")


@pytest.mark.parametrize("held", [1 << 22, 7])
def test_the_head_of_a_shuffle(folder, monkeypatch, held):
    """K records, each in the source at least as often; whatever of their fingerprints is held at once."""
    monkeypatch.setattr(multiset, "HELD", held)
    rows = [*lines(300), b"", b"", b"y" * (5 << 20), b"same", b"same"]
    folder.write("a.txt", b"".join(row + b"\n" for row in rows))
    source = folder.path / "a.txt"
    for count in (0, 1, 40, 305, 400):
        folder.corpus("shuffle", "-s", "3", "-n", count, "a.txt", "-o", "out").ok()
        result = verify(folder.path / "out", source, head_count=count)
        assert (result.documents, result.records) == (min(count, 305), 305)
    for head, count, kind in (
        ([b"line 7", *rows[:5]], 6, "added"),
        ([b"same"] * 3, 3, "added"),
        (rows[:5], 6, "length"),
        (rows[:7], 6, "length"),
        ([], 1, "length"),
    ):
        folder.write("bad", b"".join(row + b"\n" for row in head))
        with pytest.raises(Difference) as caught:
            verify(folder.path / "bad", source, head_count=count)
        assert caught.value.kind == kind
    folder.write("bad", b"same\nsame\n")
    assert verify(folder.path / "bad", source, head_count=2).documents == 2


def test_heads_on_the_command_line(folder):
    """One line tells what was compared; the first record that is not in the source is named, and where it stands."""
    folder.write("a.txt", b"".join(row + b"\n" for row in lines(200)))
    folder.corpus("shuffle", "-s", "1", "a.txt", "-n", 50, "-o", "head.txt").ok()
    done = folder.corpus("verify", "head.txt", "-n", 50, "--source", "a.txt").ok()
    assert "50 records agree with some of the source's 200" in done.stderr
    folder.corpus("verify", "head.txt", "--source", "a.txt").failed(1, "has 50 records, and the source has 200")
    folder.corpus("verify", "head.txt", "-n", 60, "--source", "a.txt").failed(1, "the first 60 of 200 are 60")
    rows = folder.read("head.txt").splitlines()
    rows[20], rows[30] = b"foreign", rows[31]
    folder.write("bad.txt", b"".join(row + b"\n" for row in rows))
    folder.corpus("verify", "bad.txt", "-n", 50, "--source", "a.txt").failed(
        1, "bad.txt: record 21 is not in the source: 'foreign'"
    )
    rows[20] = folder.read("head.txt").splitlines()[20]
    folder.write("bad.txt", b"".join(row + b"\n" for row in rows))
    folder.corpus("verify", "bad.txt", "-n", 50, "--source", "-", stdin=folder.read("a.txt")).failed(
        1, "bad.txt: record 31 is there 2 times instead of 1: 'line "
    )
    folder.write("h", b"name\n1\n2\n3\n")
    folder.write("h.out", b"name\n3\n1\n")
    folder.corpus("verify", "h.out", "-n", 2, "--header", 1, "--source", "h").ok()
    folder.write("h.out", b"names\n3\n1\n")
    folder.corpus("verify", "h.out", "-n", 2, "--header", 1, "--source", "h").failed(1, "another header")
    folder.write("words", b"a 1\n")
    folder.corpus("verify", "h.out", "-n", 2, "-m", "words", "--source", "h").failed(2, "the head of a shuffle")


@settings(max_examples=60)
@given(
    rows=st.lists(st.sampled_from([b"", b"a", b"b", b"ab"]), max_size=12),
    head=st.lists(st.sampled_from([b"", b"a", b"b", b"ab"]), max_size=6),
    held=st.sampled_from([1, 2, 100]),
)
def test_a_head_is_contained(tmp_path_factory, rows, head, held):
    """It agrees if and only if its multiset is in the source's, with as many records as there should be."""
    folder = tmp_path_factory.mktemp("rows")
    for name, content in (("a", rows), ("b", head)):
        (folder / name).write_bytes(b"".join(row + b"\n" for row in content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiset, "HELD", held)
        if not Counter(head) - Counter(rows):
            assert verify(folder / "b", folder / "a", head_count=len(head)).documents == len(head)
            return
        with pytest.raises(Difference, match=r"is not in the source|instead of"):
            verify(folder / "b", folder / "a", head_count=len(head))


def test_delimiters_that_are_none(tmp_path):
    """Newline and NUL are the delimiters that there are."""
    with pytest.raises(UsageError, match="newline and NUL"):
        verify(tmp_path, tmp_path, delimiter=b",")


@pytest.mark.parametrize("most", [1 << 20, 64])
def test_duplicates_are_counted(most):
    """Exactly where all hashes are kept, and nearly where they are sampled."""
    import numpy as np

    chance = np.random.default_rng(1)
    distinct = chance.integers(0, 1 << 63, 3000, dtype=np.uint64)
    hashes = np.concatenate([distinct, distinct[:1000], distinct[:500]])
    chance.shuffle(hashes)
    counted = DuplicateCount(most)
    for part in np.array_split(hashes, 17):
        counted.add(part)
    found = counted.count()
    assert found == 1500 if counted.exact else 700 < found < 2600
    assert counted.exact == (most > 5000)
