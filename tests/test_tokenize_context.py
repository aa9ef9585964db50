"""`corpus tokenize --context L`: windows are the stream without them, cut."""

import json
import random

import numpy as np
import pytest
from harness import COMPILED, needs_speed
from spm_files import train

WORDS = [*["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "and", "runs", "away"], "天地玄黄宇宙洪荒"]


@pytest.fixture
def model(folder):
    return folder.write("t.model", train(model_type="unigram"))


@pytest.fixture
def text(folder):
    chance = random.Random(6)
    lines = [" ".join(chance.choices(WORDS, k=chance.randrange(0, 30))) for _ in range(600 if COMPILED else 150)]
    return folder.write("a.txt", "\n".join(lines).encode())


def ids(folder, model, *arguments):
    done = folder.corpus("tokenize", "-m", model, "-f", "u32", "--eos", "-q", *arguments).ok()
    return np.frombuffer(done.stdout, "<u4")


@pytest.mark.parametrize("arguments", [[], ["--alpha", 0.3, "-s", 1, "--samples", 2], ["--nbest", 2]])
@pytest.mark.parametrize("length", [1, 7, 1000])
def test_windows_are_the_stream_cut(folder, model, text, arguments, length):
    """Context windows are the stream of ids cut at their length, for any number of workers."""
    eos = [] if "--nbest" in arguments else ["--eos"]
    command = ["tokenize", "-m", model, text, *eos, *arguments]
    whole = np.frombuffer(folder.corpus(*command, "-f", "u32", "-q").ok().stdout, "<u4")
    full = len(whole) // length
    expected = whole[: full * length]
    for workers in (1, 3):
        done = folder.corpus(*command, "-f", "u16", "--context", length, "-j", workers, "-o", "w.u16").ok()
        assert np.fromfile(folder.path / "w.u16", "<u2").tolist() == expected.tolist()
        said = f"{full * length} tokens in {full} windows of {length} ({len(whole) - full * length} dropped)"
        assert said in done.stderr
    folder.corpus(*command, "-f", "npy", "--context", length, "-o", "w.npy").ok()
    array = np.load(folder.path / "w.npy")
    assert array.shape == (full, length)
    assert array.ravel().tolist() == expected.tolist()


def test_manifest_and_json_count_what_is_dropped(folder, model, text):
    """The ids that fill no window are counted, not hidden."""
    whole = ids(folder, model, text)
    arguments = ["-f", "npy", "--eos", "--context", 512, "-o", "w.npy", "--manifest", "m.json", "--progress", "json"]
    done = folder.corpus("tokenize", "-m", model, text, *arguments).ok()
    full, dropped = divmod(len(whole), 512)
    for facts in (json.loads(folder.read("m.json")), json.loads(done.stderr.splitlines()[-1])):
        assert (facts["context"], facts["windows"], facts["dropped"]) == (512, full, dropped)
        assert (facts["tokens"], facts["bytes"]) == (512 * full, 1024 * full)


def test_every_part_makes_its_own_windows(folder, model, text):
    """A part's windows begin with its first id."""
    for i in (1, 2, 3):
        part = ids(folder, model, text, "--part", f"{i}/3")
        windows = ids(folder, model, text, "--part", f"{i}/3", "--context", 100)
        assert windows.tolist() == part[: len(part) // 100 * 100].tolist()


@needs_speed
@pytest.mark.parametrize("length", [1000, 1 << 19])
def test_a_giant_record_that_goes_through_in_parts(folder, model, length):
    """A record that streams through is cut into windows as any other."""
    chance = random.Random(7)
    giant = " ".join(chance.choices(WORDS, k=900_000))
    assert len(giant.encode()) > 4 << 20
    text = folder.write("giant.txt", f"the fox\n{giant}\nthe dog\n".encode())
    whole = ids(folder, model, text)
    windows = ids(folder, model, text, "--context", length)
    assert len(windows) == len(whole) // length * length > 0
    assert (windows == whole[: len(windows)]).all()


@pytest.mark.parametrize("text", [b"", b"the fox\n"])
def test_too_little_for_one_window(folder, model, text):
    """Fewer ids than a window make an empty output, not an error."""
    name = folder.write("few.txt", text)
    assert len(ids(folder, model, name, "--context", 1 << 24)) == 0
    folder.corpus("tokenize", "-m", model, name, "-f", "npy", "--context", 4096, "-o", "w.npy").ok()
    assert np.load(folder.path / "w.npy").shape == (0, 4096)


def test_windows_of_lines(folder, model, text):
    """A line a window; best fit fills them with whole documents, as far as they fit."""
    whole = [line.split() for line in folder.corpus("tokenize", "-m", model, text, "--eos").ok().stdout.splitlines()]
    stream = [i for line in whole for i in line]
    done = folder.corpus("tokenize", "-m", model, text, "--eos", "--context", 50).ok()
    assert [len(line.split()) for line in done.stdout.splitlines()] == [50] * (len(stream) // 50)
    assert done.stdout.split() == stream[: len(stream) // 50 * 50]
    arguments = ["--eos", "--context", 50, "--pack", "best-fit", "-f", "jsonl"]
    done = folder.corpus("tokenize", "-m", model, text, *arguments).ok()
    found = []
    for line in map(json.loads, done.stdout.splitlines()):
        ids, at = line["ids"], 0
        for length in line["seq_lengths"]:
            found.append(ids[at : at + length])
            at += length
        assert at == len(ids) <= 50
    cut = [line[at : at + 50] for line in whole for at in range(0, len(line), 50)]
    assert sorted(found) == sorted([int(i) for i in line] for line in cut)
    assert "% full)" in done.stderr
    assert folder.corpus("tokenize", "-m", model, text, *arguments, "-j", 1).ok().stdout == done.stdout


@pytest.mark.parametrize("length", [0, -1, (1 << 24) + 1, "x"])
def test_impossible_lengths_are_refused(folder, model, length):
    """A window of no length or of too many ids is a usage error."""
    folder.corpus("tokenize", "-m", model, "-f", "u16", "--context", length, stdin=b"the\n").failed(2)
