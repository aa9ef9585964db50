"""Sets of files that trainers read: no fault leaves one that looks whole and is not."""

import gzip
import hashlib
import json
import struct
import sys

import numpy as np
import pytest
from harness import SmallDisk
from spm_files import spm_model, train

OLD, NEW = b"the quick\nbrown fox\n" * 40, b"jumps over the lazy dog\nand runs away\n" * 60

# Runs `corpus` and kills it before its n-th change of a name, as kill -9 would at the worst moment.
KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def counted(call):
    def change(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return change
os.rename, os.replace = counted(os.rename), counted(os.replace)
from corpustools.cli.main import main
sys.argv[0] = "corpus"
main()
"""
DIGESTS = {
    "ids": "7403f21936ff87ae",
    "jsonl": "9c21447024cc5198",
    "u16": "3e2720f51057b558",
    "u32": "a0c2ee92da6d3c17",
    "npy": "6c2e938a53bdcac2",
    "megatron": "ef7266e588cf44a4",
    "datatrove": "524b50a3a77bad90",
    "offsets": "7cb275b1813295d9",
    "llmc": "81f700eea7b7beb5",
    "olmo": "05848869378f5c59",
}
COMMAND = ["tokenize", "-m", "t.model", "-f", "megatron", "--eos", "--shards", 3, "-o", "x{shard}"]


@pytest.fixture
def model(folder):
    return folder.write("t.model", train(model_type="unigram"))


def shards_that_open(folder):
    """The ids of every shard that a reader opens, checked as a reader cannot: the index fits the data."""
    found = {}
    for index in sorted(folder.path.glob("x*.idx")):
        raw = index.read_bytes()
        assert raw[:9] == b"MMIDIDX\0\0"
        (count,) = struct.unpack_from("<Q", raw, 18)
        lengths = np.frombuffer(raw, "<i4", count, 34)
        data = index.with_suffix(".bin").read_bytes()
        assert len(data) == 2 * lengths.sum(), f"{index} describes another file"
        found[index.name] = data
    return found


def test_killed_at_every_change_of_a_name(folder, model):
    """Each shard that still opens is an old one or a new one, whole; the next run puts everything right."""
    folder.write("old.txt", OLD)
    folder.write("new.txt", NEW)
    folder.corpus(*COMMAND, "old.txt").ok()
    old = shards_that_open(folder)
    folder.corpus(*COMMAND, "new.txt", "-o", "x{shard}").ok()
    new = shards_that_open(folder)
    assert len(old) == len(new) == 3
    assert all(old[name] != new[name] for name in old)
    seen = []
    for n in range(40):
        folder.corpus(*COMMAND, "old.txt").ok()
        done = folder.shell(f"{sys.executable} -c '{KILLED}' {n} {' '.join(map(str, COMMAND))} new.txt")
        found = shards_that_open(folder)
        assert all(data in (old[name], new[name]) for name, data in found.items())
        seen.append(sum(data == new[name] for name, data in found.items()))
        if done.status == 0:
            assert found == new
            break
        folder.corpus(*COMMAND, "new.txt").ok()
        assert shards_that_open(folder) == new
        # An old index that was taken away stays: where the data are old too, it is the only one that fits them.
        assert not list(folder.path.glob(".corpus*.part"))
    else:
        pytest.fail("the run never came to its end")
    # Three data files, three indices and the count of sequences, and three old indices that are taken away first.
    assert n >= 9
    assert sorted(seen) == seen


@pytest.mark.parametrize("form", ["megatron", "datatrove", "offsets", "olmo"])
def test_a_full_disk_leaves_the_old_set(folder, model, form):
    """And nothing else."""
    folder.write("old.txt", OLD)
    folder.write("new.txt", NEW * 4000)
    with SmallDisk(folder.path / "disk", 2 << 20) as disk:
        output = "disk/x" if form != "olmo" else "disk/{}"
        arguments = ["tokenize", "-m", model, "-f", form, "--eos"]
        folder.corpus(*arguments, "old.txt", "-o", output.format("a")).ok()
        before = {path.name: path.read_bytes() for path in disk.iterdir()}
        done = folder.corpus(*arguments, "new.txt", "-o", output.format("b"))
        done.failed(1, "no space left on device", "nothing was replaced")
        assert {path.name: path.read_bytes() for path in disk.iterdir()} == before


def test_a_full_disk_under_the_spool(folder, model):
    """The temporary file of shards is named too."""
    folder.write("new.txt", NEW * 4000)
    with SmallDisk(folder.path / "disk", 2 << 20) as disk:
        arguments = ["-f", "u32", "--shards", 2, "-o", "disk/{shard}"]
        folder.corpus("tokenize", "-m", model, "new.txt", *arguments).failed(1, "no space left", "temporary file in")
        assert list(disk.iterdir()) == []


def test_an_input_that_fails_leaves_the_old_set(folder, model):
    """A damaged input is found at its end, when most of the new set is written."""
    folder.write("old.txt", OLD)
    folder.corpus(*COMMAND, "old.txt").ok()
    old = shards_that_open(folder)
    packed = folder.shell(
        "python3 -c 'import sys,gzip; sys.stdout.buffer.write(gzip.compress(b\"the fox\\n\" * 9999))'"
    )
    folder.write("torn.gz", packed.stdout[:-9])
    folder.corpus(*COMMAND, "torn.gz").failed(1, "torn.gz")
    assert shards_that_open(folder) == old


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("source", ["new.txt", "-"])
@pytest.mark.parametrize(("form", "digest"), DIGESTS.items())
def test_the_same_bytes_for_any_workers_and_from_a_pipe(folder, form, digest, workers, source):
    """Of every file of the set; pinned, so that a change is meant."""
    words = ["the", "\u2581the", "\u2581lazy", "over", "ps", "nd"]
    letters = [chr(i) for i in range(97, 123)] + ["\u2581"]
    pieces = [(text, -1.5 - i / 8) for i, text in enumerate([*words, *letters])]
    folder.write("t.model", spm_model(pieces))
    folder.write("new.txt", NEW * 20)
    arguments = ["-f", form, "--context", 16, "--pack", "best-fit", "--shards", 3, "-o", "x{shard}", "-j", workers]
    arguments += ["--provenance", "x.tsv"]
    folder.corpus("tokenize", "-m", "t.model", "--eos", *arguments, source, stdin=NEW * 20).ok()
    digests = hashlib.sha256()
    for path in sorted(folder.path.glob("x*")):
        # What is compressed depends on the library that does it.
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        digests.update(path.name.encode() + b"\0" + data.replace(b"standard input", b"new.txt"))
    assert digests.hexdigest()[:16] == digest


@pytest.mark.parametrize(("form", "mark"), [("olmo", "eos"), ("llmc", "bos")])
def test_readers_that_look_for_a_mark(folder, model, form, mark):
    """Without it, documents would run into each other unseen."""
    arguments = ["tokenize", "-m", model, "-f", form, "--manifest", "m.json", "-"]
    said = f"readers of format {form} find documents by the {mark} id; --{mark} writes it"
    assert said in folder.corpus(*arguments, "-o", "a", stdin=OLD).ok().stderr
    assert json.loads(folder.read("m.json"))[mark] is False
    assert said not in folder.corpus(*arguments, f"--{mark}", "-o", "b", stdin=OLD).ok().stderr
    assert json.loads(folder.read("m.json"))[mark] is True
