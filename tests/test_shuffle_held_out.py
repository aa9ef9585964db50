"""Lines held out: the last ones of the order go to an output of their own."""

from __future__ import annotations

import gzip

import pytest
from harness import Folder
from reference import records, shuffled

DATA = b"".join(b"%d\n" % i for i in range(1000))


@pytest.mark.parametrize("count", [1, 999, 1000])
@pytest.mark.parametrize("options", ["", "-m 64M -j 3", "--no-temp", "-n 1000"])
def test_both_outputs_together_are_the_whole(folder: Folder, count: int, options: str):
    """The first output ends where the other one begins, whatever the way."""
    folder.write("in", DATA)
    held = ["--val", count, "--val-output", "val"]
    folder.corpus("shuffle", "-s", 7, "in", "-o", "out", *held, *options.split()).ok()
    assert folder.read("out") + folder.read("val") == shuffled(records(DATA), "7")
    assert folder.read("val").count(b"\n") == count


def test_shards_compressed_outputs_and_the_header(folder: Folder):
    """Shards divide what is not held out; the header stands in the first output and in that of the held out."""
    folder.write("in", b"name\n" + DATA)
    out = ["-o", "out{shard}.gz", "--shards", 3, "--val", 100, "--val-output", "val.gz", "--header", 1]
    folder.corpus("shuffle", "-s", 7, "in", *out).ok()
    shards = [gzip.decompress(folder.read(f"out{i}.gz")) for i in range(3)]
    assert [shard.count(b"\n") for shard in shards] == [301, 300, 300]
    whole = shuffled(records(DATA), "7")
    assert shards[0].startswith(b"name\n")
    held = gzip.decompress(folder.read("val.gz"))
    assert held.startswith(b"name\n")
    assert b"".join(shards).removeprefix(b"name\n") + held.removeprefix(b"name\n") == whole


def test_standard_output_beside_a_file(folder: Folder):
    """What is not held out goes down a pipe."""
    folder.write("in", DATA)
    printed = folder.corpus("shuffle", "-s", 7, "in", "--val", 10, "--val-output", "val").ok().stdout
    assert printed + folder.read("val") == shuffled(records(DATA), "7")


def test_more_records_held_out_than_there_are(folder: Folder):
    """It is an error once they are counted; the old outputs stay."""
    folder.write("in", DATA)
    for name in ("out", "val"):
        folder.write(name, b"old")
    outcome = folder.corpus("shuffle", "in", "-o", "out", "--val", 1001, "--val-output", "val")
    outcome.failed(1, "there are 1000 records, and 1001 are to be held out")
    assert (folder.read("out"), folder.read("val")) == (b"old", b"old")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-o out --val 3", "give both"),
        ("-o out --val-output val", "give both"),
        ("-o out --val 3 --val-output out", "same file"),
        ("--val 3 --val-output -", "an output of their own"),
        ("-o out --val 3 --val-output v{shard}", "go to one file"),
        ("-o out --val 3 --val-output val --part 1/2 -s 1", "a part does not know"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Folder, options: str, words: str):
    """One line, status 2, nothing written."""
    folder.write("in", DATA)
    folder.corpus("shuffle", "in", *options.split()).failed(2, words)
    assert folder.names() == ["in", "tmp"]
