"""The real `corpus tokenize` into formats that trainers read row by row: workers, pipes, faults, memory."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from harness import COMPILED, MIB, Folder, SmallDisk, needs_speed
from stores import Documents, bytes_of, pack, read
from test_sets import KILLED

NEEDS = {"parquet": "pyarrow", "arrow": "pyarrow", "mds": "json", "litdata": "json", "arrayrecord": "array_record"}
each_format = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(find_spec(needed) is None, reason=f"no {needed}"))
        for name, needed in NEEDS.items()
    ],
)
MODEL = b"<unk>\t0\n" + b"".join(b"%c\t-%d\n" % (c, c) for c in range(97, 123)) + b"ab\t-9\ncde\t-8\n"


@pytest.fixture
def lines(folder: Folder) -> list[str]:
    """Documents of many lengths, some empty, some longer than what is read at once; the model and the input."""
    chance = random.Random(3)
    lengths = [chance.choice([0, 1, 30, 300, 3000]) for _ in range(2000 if COMPILED else 100)]
    texts = ["".join(chance.choices("abcdefgh", k=n)) for n in [*lengths, (3 * MIB if COMPILED else 50_000), 7]]
    folder.write("t.model", MODEL)
    folder.write("in", "".join(text + "\n" for text in texts).encode())
    return texts


def ids_of(folder: Folder) -> Documents:
    """The ids of each line as format ids writes them."""
    lines = folder.corpus("tokenize", "-m", "t.model", "in").ok().stdout.splitlines()
    return [[int(word) for word in line.split()] for line in lines]


@each_format
def test_every_document_of_a_real_run(folder: Folder, lines: list[str], name: str):
    """For any number of workers and from a pipe the same bytes, and a manifest beside them."""
    documents = ids_of(folder)
    assert len(documents) == len(lines)
    common = ("tokenize", "-m", "t.model", "-f", name)
    folder.corpus(*common, "in", "-o", "x", "-j", "1", "--manifest", "m").ok()
    assert read(name, folder.path / "x") == documents
    folder.corpus(*common, "in", "-o", "y", "-j", "3").ok()
    folder.corpus(*common, "-o", "z", stdin=folder.read("in")).ok()
    assert bytes_of(folder.path / "x") == bytes_of(folder.path / "y") == bytes_of(folder.path / "z")
    assert json.loads(folder.read("m"))["tokens"] == sum(map(len, documents))
    folder.corpus(*common, "in", "-o", "w", "--context", "64").ok()
    assert read(name, folder.path / "w") == pack(documents, 64)
    assert folder.names() == ["in", "m", "t.model", "tmp", "w", "x", "y", "z"]


@each_format
def test_shards_of_a_real_run(folder: Folder, lines: list[str], name: str):
    """One after another they hold all documents."""
    documents = ids_of(folder)
    of_folder = name in ("mds", "litdata")
    output = "x" if of_folder else "x{shard}"
    folder.corpus("tokenize", "-m", "t.model", "-f", name, "in", "-o", output, "--shards", "12").ok()
    if of_folder:
        assert len(os.listdir(folder.path / "x")) == 13
        assert read(name, folder.path / "x") == documents
    else:
        found = [read(name, folder.path / f"x{i:02}") for i in range(12)]
        assert [one for shard in found for one in shard] == documents


@each_format
def test_an_input_without_lines(folder: Folder, name: str):
    """An output without rows is whole, and readers open it."""
    folder.write("t.model", MODEL)
    folder.write("in", b"")
    folder.corpus("tokenize", "-m", "t.model", "-f", name, "in", "-o", "x").ok()
    assert read(name, folder.path / "x") == []


@each_format
def test_a_model_in_the_outputs_place(folder: Folder, name: str):
    """The output replaces nothing that the run needs."""
    folder.write("t.model", MODEL)
    folder.write("in", b"a\n")
    folder.corpus("tokenize", "-m", "t.model", "-f", name, "in", "-o", "t.model").failed(2, "t.model")
    assert folder.read("t.model") == MODEL


@each_format
def test_a_folder_of_other_things(folder: Folder, name: str):
    """Nothing in it is touched; a format that is a file cannot replace a folder."""
    folder.write("t.model", MODEL)
    folder.write("in", b"a\n")
    (folder.path / "x").mkdir()
    (folder.path / "x" / "notes").write_bytes(b"mine")
    folder.corpus("tokenize", "-m", "t.model", "-f", name, "in", "-o", "x").failed(2, "x")
    assert bytes_of(folder.path / "x") == {"notes": b"mine"}


@each_format
@needs_speed
def test_a_full_disk(folder: Folder, lines: list[str], name: str):
    """One line says so and nothing is left, neither a file nor a folder."""
    with SmallDisk(folder.path / "disk", MIB) as disk:
        done = folder.corpus("tokenize", "-m", "t.model", "-f", name, "in", "-o", "disk/x")
        done.failed(1, "disk/x", "no space left")
        assert os.listdir(disk) == []


@pytest.mark.parametrize("name", ["mds", "litdata"])
def test_killed_at_every_change_of_a_name(folder: Folder, name: str):
    """A folder that still has an index is the old set or the new one, whole; the next run puts everything right."""
    folder.write("t.model", MODEL)
    folder.write("old", b"ab\n" * 9)
    folder.write("new", b"cde\nfgh\n" * 9)
    command = ["tokenize", "-m", "t.model", "-f", name, "-o", "x", "--shards"]
    folder.corpus(*command, 3, "old").ok()
    old = bytes_of(folder.path / "x")
    folder.corpus(*command, 2, "new").ok()
    new = bytes_of(folder.path / "x")
    assert (len(old), len(new)) == (4, 3)
    seen = set()
    for n in range(20):
        folder.corpus(*command, 3, "old").ok()
        done = folder.shell(f"{sys.executable} -c '{KILLED}' {n} {' '.join(command)} 2 new")
        found = {key: data for key, data in bytes_of(folder.path / "x").items() if not key.startswith(".")}
        if "index.json" in found:
            # Old files are removed last of all; until then they are there, and the index does not name them.
            whole = new if found["index.json"] == new["index.json"] else old
            assert {key: found[key] for key in whole} == whole
            seen.add("new" if whole is new else "old")
        if done.status == 0:
            break
        folder.corpus(*command, 2, "new").ok()
        assert {key: data for key, data in bytes_of(folder.path / "x").items() if key[-4:] != ".old"} == new
        for path in (folder.path / "x").glob(".*"):
            path.unlink()
    else:
        pytest.fail("the run never came to its end")
    assert seen == {"old", "new"}


def test_an_interrupt_leaves_no_folder(folder: Folder):
    """Ctrl-C while the input still comes."""
    folder.write("t.model", MODEL)
    made = folder.path / "x"
    command = ("tokenize", "-m", "t.model", "-f", "mds", "-o", "x")
    done = folder.interrupt(signal.SIGINT, lambda _: made.exists(), *command, stdin=subprocess.PIPE)
    assert done.status == -signal.SIGINT, str(done)
    assert not made.exists()


@pytest.mark.parametrize("name", ["mds", "litdata"])
def test_what_is_no_name_of_a_folder(folder: Folder, name: str):
    """A stream, and a name with a place for numbers: one folder has all shards."""
    folder.write("t.model", MODEL)
    folder.write("in", b"a\n")
    common = ("tokenize", "-m", "t.model", "-f", name, "in")
    folder.corpus(*common).failed(2, f"format {name} has several files; name their folder")
    words = "output 'x{shard}': one folder has all shards of format " + name
    folder.corpus(*common, "-o", "x{shard}", "--shards", "1").failed(2, words, "leave {shard} out")
    assert folder.names() == ["in", "t.model", "tmp"]


def test_a_torn_set_is_replaced(folder: Folder):
    """Where a run was killed between the renames, there is no index, and the next run is right."""
    folder.write("t.model", MODEL)
    folder.write("in", b"a\nb\n")
    (folder.path / "x").mkdir()
    for i in range(3):
        (folder.path / "x" / f"shard.{i:05}.mds").write_bytes(b"torn")
    folder.corpus("tokenize", "-m", "t.model", "-f", "mds", "in", "-o", "x").ok()
    assert sorted(os.listdir(folder.path / "x")) == ["index.json", "shard.00000.mds"]


@pytest.mark.parametrize("name", ["parquet", "mds"])
@needs_speed
def test_memory_does_not_grow_with_the_output(folder: Folder, name: str):
    """A page is held, or a file of 64 MiB."""
    folder.write("t.model", MODEL)
    line = ("abcdefgh" * 250 + "\n").encode()
    peaks = []
    for count in (6_000, 36_000):
        folder.write("in", line * count)
        done = folder.measured("tokenize", "-m", "t.model", "-f", name, "in", "-o", "x", "-j", "2").ok()
        peaks.append(done.peak)
    assert peaks[1] < 300 * MIB
    if name == "parquet":
        assert peaks[1] - peaks[0] < 30 * MIB


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_a_stream(folder: Folder, lines: list[str], name: str):
    """Both can be written through a pipe."""
    pytest.importorskip("pyarrow")
    common = ("tokenize", "-m", "t.model", "-f", name, "in", "--context", "100")
    folder.corpus(*common, "-o", "x").ok()
    assert folder.corpus(*common).ok().stdout == folder.read("x")
    assert len(read(name, folder.path / "x")) == sum(map(len, ids_of(folder))) // 100


def test_a_large_vocabulary(folder: Folder):
    """65,537 ids are int32 in MDS and litdata."""
    pieces = [chr(0x4E00 + i // 256) + chr(0x5E00 + i % 256) for i in range(65536)]
    folder.write("t.model", "".join(f"{piece}\t-{i}.5\n" for i, piece in enumerate(["<unk>", *pieces])).encode())
    folder.write("in", f"{pieces[-1]}\n".encode())
    documents = ids_of(folder)
    assert np.max(documents) == 65536
    for name in ("mds", "litdata"):
        folder.corpus("tokenize", "-m", "t.model", "-f", name, "in", "-o", name).ok()
        assert read(name, folder.path / name) == documents
