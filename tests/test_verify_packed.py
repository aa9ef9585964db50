"""The real `corpus verify` of windows packed by best fit: every document is there once, whole, and in its place."""

import json
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spm_files import train
from test_verify import FORMATS, lines_of

from corpustools import Tokenizer, UsageError, tokenize, verify
from corpustools.formats import best_fit
from corpustools.inspect.verify.difference import Difference
from corpustools.stages.tokenize.pipeline import Pipeline

SIZE = 64
BEST_FIT = ["--context", SIZE, "--pack", "best-fit"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "t.model"
    path.write_bytes(train(model_type="unigram"))
    return path


@pytest.fixture
def text(folder):
    """Lines, one of them empty, and one that is longer than a window."""
    lines = lines_of(300)
    lines[50], lines[60] = "", "the quick brown fox " * 50
    return folder.write("a.txt", "\n".join(lines).encode())


@pytest.mark.parametrize("form", FORMATS)
def test_what_tokenize_writes_agrees(folder, model, text, form):
    """In every format, with marks and without; the summary tells of the windows."""
    marks = [[], ["--eos"], ["--bos", "--eos"]][FORMATS.index(form) % 3]
    folder.corpus("tokenize", "-m", model, text, "-f", form, "-o", "out", *BEST_FIT, *marks).ok()
    done = folder.corpus("verify", "out", "-f", form, "-m", model, *BEST_FIT, *marks, "--source", text).ok()
    lengths = [len(marks) + len(Tokenizer.load(model).encode(line)) for line in folder.read(text).split(b"\n")]
    assert f"300 documents agree, {sum(lengths)} tokens in " in done.stderr
    assert "% full)" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--alpha", "0.2", "-s", "7"],
        ["--alpha", "0", "-s", "1", "--samples", "3"],
        ["--alpha", "0", "-s", "1", "--samples", "3", "--unique"],
        ["--alpha", "0.5", "-s", "x", "--epoch", "2", "--length-weight", "0.9"],
        ["--mode", "viterbi-sampling", "--alpha", "0", "-s", "5"],
        ["--nbest", "2"],
        ["--scores", "f64"],
    ],
)
def test_windows_of_samples_agree(folder, model, text, options):
    """They are drawn again with the same seed; with another one, or without, they are others."""
    marks = [] if "--unique" in options or "--nbest" in options else ["--eos"]
    folder.corpus("tokenize", "-m", model, text, "-f", "npy", "-o", "out", *BEST_FIT, *marks, *options).ok()
    words = ["-m", model, *BEST_FIT, *marks, "--source", text]
    folder.corpus("verify", "out", *options, *words).ok()
    if "-s" in options:
        at = options.index("-s")
        folder.corpus("verify", "out", *options[:at], "-s", "other", *options[at + 2 :], *words).failed(1, "out: ")
        folder.corpus("verify", "out", *options[:at], *options[at + 2 :], *words).failed(2, "without a seed")


def windows_of(folder, model, text):
    """The windows as arrays, with the documents in them as lists."""
    tokenize(model, folder.path / text, folder.path / "out.npy", format="npy", eos=True, bos=True, context=SIZE,
             pack="best-fit")  # fmt: skip
    array = np.load(folder.path / "out.npy").astype(np.int64)
    pad = Tokenizer.load(model).eos_id
    rows = []
    for row in array.tolist():
        ends = [i + 1 for i, one in enumerate(row) if one == pad and row[i - 1] != pad] or [SIZE]
        rows.append([row[a:b] for a, b in zip([0, *ends], ends, strict=False)])
    return array, rows


DAMAGE = {
    "a dropped document": (lambda rows: rows[3].pop(0), "missing", "is missing (1 documents or parts of long"),
    "a doubled document": (lambda rows: rows.append([rows[3][0]]), "doubled", "is there 2 times instead of 1"),
    "a foreign document": (lambda rows: rows.append([[1, 5, 6, 7, 2]]), "added", "is not in the source"),
    "two swapped": (
        lambda rows: rows[3].__setitem__(slice(0, 2), rows[3][1::-1]), "swapped", "all documents are there",
    ),
    "two windows swapped": (lambda rows: rows.__setitem__(slice(3, 5), rows[4:2:-1]), "swapped", "window 4 differs"),
    "one wrong id": (lambda rows: rows[3][0].__setitem__(3, 5 if rows[3][0][3] != 5 else 6), "text", "at its token 3"),
    "a missing eos": (lambda rows: rows[3][0].pop(), "end", "has no eos id 2 behind its text"),
    "a missing bos": (lambda rows: rows[3][0].pop(0), "begin", "does not begin with the bos id 1"),
    "an id outside": (lambda rows: rows[3][0].__setitem__(3, 60000), "range", "has id 60000, and the vocabulary has"),
    "an id too many": (lambda rows: rows[3][0].insert(3, 9), "text", "window 4 differs"),
    "a dropped window": (lambda rows: rows.pop(3), "missing", "is missing ("),
    "the last one dropped": (lambda rows: rows.pop(), "missing", "fewer than the source has"),
    "a doubled window": (lambda rows: rows.append(rows[3]), "doubled", "is there 2 times instead of 1"),
    "no windows": (lambda rows: rows.clear(), "missing", "is missing (303 documents or parts of long ones fewer"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(folder, model, text, damage):
    """Each kind ends with status 1 and one line that names the record or the window, and what is there."""
    array, rows = windows_of(folder, model, text)
    assert np.array_equal(padded(rows), array)
    change, kind, words = DAMAGE[damage]
    change(rows)
    np.save(folder.path / "bad.npy", padded(rows).astype(np.uint16))
    options = ["-m", model, "--bos", "--eos", *BEST_FIT, "--source", text]
    done = folder.corpus("verify", "bad.npy", *options)
    if damage == "an id too many":
        words = "differs from a.txt: record "
    done.failed(1, "bad.npy: ", words)
    if kind in ("missing", "text", "end", "begin", "range"):
        assert "a.txt: record " in done.stderr
    with pytest.raises(Difference) as caught:
        verify(folder.path / "bad.npy", folder.path / text, model, bos=True, eos=True, context=SIZE, pack="best-fit",
               workers=1)  # fmt: skip
    assert caught.value.kind == kind
    assert caught.value.expected or caught.value.written


def padded(rows):
    """Windows of documents as one array, filled up with the eos id."""
    out = np.full((len(rows), SIZE), 2, np.int64)
    for row, documents in zip(out, rows, strict=True):
        ids = [i for one in documents for i in one]
        assert len(ids) <= SIZE or len(documents) > 1
        row[: len(ids)] = ids[:SIZE]
    return out


def test_boundaries_inside_windows(folder, model, text):
    """The same ids with other pieces, in each format that has a place for them."""
    options = ["-m", model, *BEST_FIT, "--source", text]
    for form in ("jsonl", "megatron", "offsets"):
        folder.corpus("tokenize", "-m", model, text, "-f", form, "-o", form, *BEST_FIT).ok()
        folder.corpus("verify", form, *options).ok()
    lines = [json.loads(line) for line in folder.read("jsonl").splitlines()]
    pieces = lines[5]["seq_lengths"]
    pieces[:2] = [pieces[0] + 1, pieces[1] - 1]
    folder.write("jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
    folder.corpus("verify", "jsonl", *options).failed(1, "other places where documents end in their windows")
    del lines[5:]
    folder.write("jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
    folder.corpus("verify", "jsonl", *options).failed(1, "jsonl: window 6 differs", "a.txt: record ")
    offsets = np.load(folder.path / "offsets.offsets.npy")
    offsets[7] += 1
    np.save(folder.path / "offsets.offsets.npy", offsets)
    folder.corpus("verify", "offsets", *options).failed(1, "other places where documents end in their windows")
    # The marks of documents, which are windows, stand at the end of the index.
    index = bytearray(folder.read("megatron.idx"))
    [mark] = struct.unpack_from("<q", index, len(index) - 16)
    struct.pack_into("<q", index, len(index) - 16, mark - 1)
    folder.write("megatron.idx", bytes(index))
    folder.corpus("verify", "megatron", *options).failed(1, "other places where windows end")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_boundaries_in_tables(folder, model, text, form):
    """A row's lengths are those of its documents, and a table without them holds the same windows."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    options = ["-m", model, "--eos", *BEST_FIT, "--source", text]
    folder.corpus("tokenize", "-m", model, text, "--eos", "-f", form, "-o", f"out.{form}", *BEST_FIT).ok()
    folder.corpus("verify", f"out.{form}", *options).ok()
    path = folder.path / f"out.{form}"
    table = pq.read_table(path) if form == "parquet" else pa.ipc.open_stream(path.read_bytes()).read_all()
    lengths = table.column("seq_lengths").to_pylist()
    lengths[3][:2] = [lengths[3][0] + lengths[3][1]]
    changed = table.set_column(1, "seq_lengths", pa.array(lengths, pa.list_(pa.int32())))
    pq.write_table(changed, folder.path / "changed")
    folder.corpus("verify", "changed", *options).failed(1, "other places where documents end in their windows")
    pq.write_table(table.select(["input_ids"]), folder.path / "bare")
    folder.corpus("verify", "bare", *options).ok()


def test_fields_bad_records_shards_and_long_records(folder, model):
    """The source is read as tokenize reads it, and shards are one output."""
    records = [json.dumps({"text": line}) for line in lines_of(500)]
    records[7], records[8], records[9] = '{"text": null}', "", json.dumps({"text": "the dog " * 100_000})
    source = folder.write("a.jsonl", "\n".join(records).encode())
    how = ["-m", model, "--field", "text", "--eos", "--skip-bad", *BEST_FIT]
    folder.corpus("tokenize", *how, source, "-f", "u16", "--shards", "3", "-o", "s-{shard}")
    done = folder.corpus("verify", "s-{shard}", "-f", "u16", *how, "--source", source, "--manifest", "m.json").ok()
    assert "498 documents agree" in done.stderr
    told = json.loads(folder.read("m.json"))
    assert (told["documents"], told["skipped"]) == (498, 1)
    assert told["windows"] * SIZE == told["tokens"] + told["padding"]
    plain = folder.write("a.txt", b"the fox\n" + b"the quick brown fox jumps " * 300_000 + b"\nlazy dog")
    folder.corpus("tokenize", "-m", model, "--eos", *BEST_FIT, plain, "-f", "npy", "-o", "long.npy").ok()
    words = ["-m", model, "--eos", *BEST_FIT, "--source", plain]
    assert "3 documents agree" in folder.corpus("verify", "long.npy", *words).ok().stderr
    array = np.load(folder.path / "long.npy")
    array[99, 5] ^= 1
    np.save(folder.path / "bad.npy", array)
    folder.corpus("verify", "bad.npy", *words).failed(1, "a part of a longer document")


def test_a_source_that_is_read_once(folder, model, text):
    """A pipe is compared as a file is; where it differs, the window is named and no record."""
    folder.corpus("tokenize", "-m", model, "--eos", *BEST_FIT, text, "-f", "npy", "-o", "out.npy").ok()
    words = ["-m", model, "--eos", *BEST_FIT, "--source", "-"]
    folder.corpus("verify", "out.npy", *words, stdin=folder.read(text)).ok()
    lines = folder.read(text).split(b"\n")
    del lines[100]
    done = folder.corpus("verify", "out.npy", *words, stdin=b"\n".join(lines))
    done.failed(
        1,
        "has other documents than the source (1 documents or parts of long ones more",
        "from window ",
    )


def test_threads_and_lots_change_nothing(folder, model):
    """Several lots on one thread and on three: the same verdict, the same message."""
    lines = lines_of(60_000)
    source = folder.write("a.txt", "\n".join(lines).encode())
    folder.corpus("tokenize", "-m", model, source, "--eos", *BEST_FIT, "-f", "u16", "-o", "out").ok()
    words = ["-f", "u16", "-m", model, "--eos", *BEST_FIT, "--source", source]
    folder.corpus("verify", "out", "-j", 3, *words).ok()
    ids = np.fromfile(folder.path / "out", "<u2")
    ids[len(ids) // 2] ^= 1
    ids.tofile(folder.path / "out")
    said = {folder.corpus("verify", "out", "-j", workers, *words).failed(1).stderr for workers in (1, 3)}
    assert len(said) == 1


@settings(max_examples=60)
@given(
    texts=st.lists(st.text("abc d", max_size=14), max_size=12),
    change=st.none() | st.tuples(st.integers(0, 400), st.integers(1, 7)),
    form=st.sampled_from(["npy", "ids", "offsets"]),
    marks=st.sampled_from([(), ("eos",), ("bos", "eos"), ("bos",)]),
    small=st.booleans(),
)
def test_equal_windows_agree_and_no_others(tmp_path_factory, model, texts, change, form, marks, small):
    """Any change of an id is found, whatever the marks, and none where there is none; lots of a few ids too."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "a").write_bytes("".join(line + "\n" for line in texts).encode())
    given_ = dict.fromkeys(marks, True) | {"context": 9, "pack": "best-fit", "format": form}
    tokenizer = Tokenizer.load(model)
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(best_fit, "LOT_IDS", 12)
            patch.setattr(best_fit, "LOT_WINDOWS", 1)
        tokenize(tokenizer, folder / "a", folder / "out", **given_)
        if change is not None and not changed(folder, form, *change):
            change = None
        if change is None:
            assert verify(folder / "out", folder / "a", tokenizer, **given_).documents == len(texts)
            return
        with pytest.raises(Difference):
            verify(folder / "out", folder / "a", tokenizer, **given_)


def changed(folder, form, place, by):
    """Change an id of an output; return False where it has none."""
    path = folder / {"npy": "out", "ids": "out", "offsets": "out.bin"}[form]
    if form == "ids":
        words = path.read_text().replace("\n", " \n ").split(" ")
        numbers = [i for i, word in enumerate(words) if word.isdigit()]
        if not numbers:
            return False
        at = numbers[place % len(numbers)]
        words[at] = str(int(words[at]) ^ by)
        path.write_text(" ".join(words))
        return True
    head = 128 if form == "npy" else 0
    data = bytearray(path.read_bytes())
    if len(data) <= head:
        return False
    data[head + 2 * (place % ((len(data) - head) // 2))] ^= by
    path.write_bytes(bytes(data))
    return True


def test_options_that_cannot_be_meant(folder, model, text):
    """A sample of documents, a packing without windows, and samples without a seed are refused before any work."""
    write = folder.path / "out"
    tokenize(model, folder.path / text, write, format="npy", eos=True, context=SIZE, pack="best-fit")
    words = ["-m", model, "--eos", "--source", text]
    folder.corpus("verify", "out", *BEST_FIT, "--sample", 5, *words).failed(2, "a sample of documents in windows")
    folder.corpus("verify", "out", "--pack", "best-fit", *words).failed(2, "without a context")
    folder.corpus("verify", "out", *BEST_FIT, "--samples", 2, *words).failed(2, "2 samples in the model's own mode")
    with pytest.raises(UsageError, match="without a seed"):
        verify(write, folder.path / text, model, eos=True, context=SIZE, pack="best-fit", alpha=1)
    chance = random.Random(1)
    folder.write("shuffled", b"\n".join(chance.sample(folder.read(text).split(b"\n"), 300)))
    folder.corpus("verify", "shuffled", "--source", text, "--alpha", "1").failed(2, "samples without a model")


def test_a_fault_of_tokenization_is_not_made_twice(folder, model, text, monkeypatch):
    """Ids that do not spell their record are found although they are the same once more."""
    given_ = {"context": SIZE, "pack": "best-fit", "eos": True}
    right = Pipeline._segmented

    def wrong(self, *arguments):
        batch, owners = right(self, *arguments)
        batch.ids[batch.ends[17] - 3] ^= 1
        return batch, owners

    monkeypatch.setattr(Pipeline, "_segmented", wrong)
    tokenize(model, folder.path / text, folder.path / "out", format="npy", workers=1, **given_)
    with pytest.raises(Difference, match="the ids of record 18 of the source do not spell its text"):
        verify(folder.path / "out", folder.path / text, model, workers=1, **given_)
