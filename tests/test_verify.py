"""The real `corpus verify` in fresh folders: what agrees, and every kind of damage, each named."""

import json
import os
import random
import signal
import struct
import subprocess

import numpy as np
import pytest
from harness import handles_signals, needs_speed
from spm_files import train
from test_huggingface import byte_level

from corpustools import Tokenizer, tokenize, verify
from corpustools.inspect.verify.difference import Difference

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "天地玄黄", "☃", "Ꮳ"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "t.model"
    path.write_bytes(train(model_type="unigram"))
    return path


def lines_of(count, seed=5):
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randrange(0, 12))) + f" {i}" for i in range(count)]


@pytest.fixture
def text(folder):
    return folder.write("a.txt", "\n".join(lines_of(300)).encode())


def documents_of(folder, name="a.ids"):
    return [list(map(int, line.split())) for line in folder.read(name).splitlines()]


def write_ids(folder, name, documents):
    return folder.write(name, "".join(" ".join(map(str, ids)) + "\n" for ids in documents).encode())


def write_megatron(folder, prefix, documents, dtype="<u2", code=8):
    flat = np.array([i for ids in documents for i in ids])
    folder.write(prefix + ".bin", flat.astype(dtype).tobytes())
    lengths = np.array([len(ids) for ids in documents], "<i4")
    places = (np.cumsum(lengths, dtype="<i8") - lengths) * np.dtype(dtype).itemsize
    head = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, code, len(documents), len(documents) + 1)
    marks = np.arange(len(documents) + 1, dtype="<i8")
    folder.write(prefix + ".idx", head + lengths.tobytes() + places.astype("<i8").tobytes() + marks.tobytes())
    return prefix


FORMATS = [
    "ids",
    "jsonl",
    "u16",
    "u32",
    "npy",
    "megatron",
    "datatrove",
    "offsets",
    "llmc",
    "olmo",
    "parquet",
    "arrow",
    "mds",
    "litdata",
    "arrayrecord",
]


@pytest.mark.parametrize("form", FORMATS)
def test_what_tokenize_writes_agrees(folder, model, text, form):
    """Best segmentations in every format, with marks and without; the format is recognised."""
    marks = [[], ["--eos"], ["--bos", "--eos"]][FORMATS.index(form) % 3]
    folder.corpus("tokenize", "-m", model, text, "-f", form, "-o", "out", *marks).ok()
    done = folder.corpus("verify", "out", "-m", model, *marks, "--source", text).ok()
    assert f"300 documents agree, {sum(map(len, made(folder, model, text, marks)))} tokens, " in done.stderr
    assert done.stdout == b""


def made(folder, model, text, marks=()):
    """Return the documents that tokenize makes of the lines of a text."""
    tokenizer = Tokenizer.load(model)
    bos, eos = [tokenizer.bos_id] * ("--bos" in marks), [tokenizer.eos_id] * ("--eos" in marks)
    lines = folder.read(text).split(b"\n")
    return [bos + tokenizer.encode(line) + eos for line in lines[: len(lines) - (not lines[-1])]]


@pytest.mark.parametrize(
    "options",
    [["--alpha", "0.2", "-s", "7"], ["--alpha", "0", "-s", "1", "--samples", "3"], ["--mode", "viterbi-sampling"]],
)
def test_samples_agree_too(folder, model, text, options):
    """A sample spells its text as a best segmentation does; several samples stand one after another."""
    folder.corpus("tokenize", "-m", model, text, "-o", "out", *options).ok()
    behind = ["--samples", "3"] if "--samples" in options else []
    folder.corpus("verify", "out", "-m", model, *behind, "--source", text).ok()
    if behind:
        folder.corpus("verify", "out", "-m", model, "--source", text).failed(1, "document 2 ")


def changed(documents, change):
    done = [list(ids) for ids in documents]
    change(done)
    return done


DAMAGE = {
    "a dropped document": (lambda d: d.pop(17), "record 18 is missing", "document 18"),
    "the first one dropped": (lambda d: d.pop(0), "record 1 is missing", "document 1 "),
    "the last one dropped": (lambda d: d.pop(), "ends after 299 documents", "record 300"),
    "several dropped": (lambda d: d.__delitem__(slice(17, 21)), "4 records from a.txt: record 18", "document 18"),
    "a doubled document": (lambda d: d.insert(17, d[16]), "document 18 is document 17 once more", "record 18"),
    "the last one doubled": (lambda d: d.append(d[-1]), "goes on with document 301", ""),
    "two swapped": (lambda d: d.__setitem__(slice(17, 19), d[18:16:-1]), "swapped", "document 18"),
    "two far ones swapped": (
        lambda d: d.__setitem__(slice(17, 41, 23), [d[40], d[17]]),
        "document 18 is a.txt: record 41",
        "swapped",
    ),
    "a missing eos": (lambda d: d[17].pop(), "document 18 (a.txt: record 18) has no eos", ""),
    "a missing bos": (lambda d: d[17].pop(0), "document 18 (a.txt: record 18) does not begin with the bos", ""),
    "one wrong id": (lambda d: d[17].__setitem__(2, 5 if d[17][2] != 5 else 6), "document 18 differs", "at byte"),
    "an id too many": (lambda d: d[17].insert(2, 5), "document 18 differs", "at byte"),
    "an id too few": (lambda d: d[17].pop(2), "document 18 ", ""),
    "an id outside": (lambda d: d[17].__setitem__(2, 60000), "document 18 has id 60000", "vocabulary"),
    "a foreign document": (lambda d: d.insert(17, [1, 5, 6, 2]), "document 18 is not in the source", "document 19"),
    "two joined": (lambda d: d[17].extend(d.pop(18)), "boundary", "document 18"),
    "one cut in two": (lambda d: d.insert(18, [d[17].pop()]), "document 18 ", ""),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(folder, model, text, damage):
    """Each kind ends with status 1 and one line that names the document, the record and both versions."""
    change, *words = DAMAGE[damage]
    documents = changed(made(folder, model, text, ["--bos", "--eos"]), change)
    done = folder.corpus("verify", write_ids(folder, "out", documents), "-m", model, "--bos", "--eos", "--source", text)
    done.failed(1, "out: ", *filter(None, words))
    assert "the source has '" in done.stderr or "it has '" in done.stderr


@pytest.mark.parametrize("form", ["megatron", "u16", "u32"])
def test_damage_is_found_in_other_formats(folder, model, text, form):
    """The same damage where boundaries stand in another file, and where nothing but source and marks tells them."""
    whole = made(folder, model, text, ["--bos", "--eos"])
    tokenizer = Tokenizer.load(model)
    for damage, (change, *words) in DAMAGE.items():
        documents = changed(whole, change)
        if form == "megatron":
            write_megatron(folder, "out", documents)
        else:
            folder.write("out", np.array([i for ids in documents for i in ids], f"<u{int(form[1:]) // 8}").tobytes())
            if "joined" in damage or "cut" in damage:
                continue
        with pytest.raises(Difference) as caught:
            verify(folder.path / "out", folder.path / text, tokenizer, format=form, bos=True, eos=True, workers=1)
        if form == "megatron" or damage in ("a dropped document", "a doubled document", "two swapped", "one wrong id"):
            for word in filter(None, words):
                assert word in str(caught.value).replace(f"{folder.path}/", "")


def test_a_text_that_the_vocabulary_cannot_write(folder, model):
    """Unknown ids stand for unknown characters; for a character that is known they are wrong."""
    text = folder.write("u.txt", "the ☃☃ fox ꙮ\nthe ☃ fox\n".encode())
    documents = made(folder, model, text)
    unknown = Tokenizer.load(model).unk_id
    assert sum(ids.count(unknown) for ids in documents) == 3
    folder.corpus("verify", write_ids(folder, "out", documents), "-m", model, "--source", text).ok()
    documents[1][0] = unknown
    folder.corpus("verify", write_ids(folder, "out", documents), "-m", model, "--source", text).failed(1, "document 2")


def test_a_wrong_width_is_found(folder, model, text):
    """Ids of two bytes read as four are outside the vocabulary, those of four read as two spell nothing."""
    folder.corpus("tokenize", "-m", model, text, "-f", "u16", "-o", "a.u16").ok()
    folder.corpus("tokenize", "-m", model, text, "-f", "u32", "-o", "a.u32").ok()
    words = ["-m", model, "--source", text]
    folder.corpus("verify", "a.u16", "-f", "u16", *words).ok()
    folder.corpus("verify", "a.u32", "-f", "u32", *words).ok()
    folder.write("a.u16", folder.read("a.u16")[: len(folder.read("a.u16")) // 4 * 4])
    folder.corpus("verify", "a.u16", "-f", "u32", *words).failed(1, "width", "document 1 has id")
    folder.corpus("verify", "a.u32", "-f", "u16", *words).failed(1, "document 1 ")
    folder.write("odd", b"abc")
    folder.corpus("verify", "odd", "-f", "u16", *words).failed(1, "3 bytes of ids", "width")


def test_files_of_one_output_are_held_against_each_other(folder, model, text):
    """A torn .bin, an .idx of another run, and one whose ids have another type."""
    documents = made(folder, model, text)
    words = ["-m", model, "--source", text]
    write_megatron(folder, "out", documents)
    folder.corpus("verify", "out", *words).ok()
    folder.corpus("verify", "out.idx", *words).ok()
    whole, index = folder.read("out.bin"), folder.read("out.idx")
    for size in (0, 1, len(whole) - 2, len(whole) + 2):
        folder.write("out.bin", (whole + bytes(2))[:size])
        folder.corpus("verify", "out", *words).failed(1, "out.idx", "out.bin", f"has {size}", "torn or of another run")
    folder.write("out.bin", whole)
    for size in (0, 8, 33, 34, 600, len(index) - 1):
        folder.write("out.idx", index[:size])
        folder.corpus("verify", "out", "-f", "megatron", *words).failed(1, "out.idx")
    write_megatron(folder, "other", documents[1:])
    folder.write("out.idx", folder.read("other.idx"))
    folder.corpus("verify", "out", *words).failed(1, "of another run")
    # Another order of the same documents: the sizes agree, the boundaries do not.
    write_megatron(folder, "other", documents[::-1])
    folder.write("out.idx", folder.read("other.idx"))
    folder.corpus("verify", "out", *words).failed(1, "document 1 ")
    folder.write("out.idx", index.replace(b"\x08", b"\x04", 1))
    folder.corpus("verify", "out", *words).failed(1, "out.idx")
    os.unlink(folder.path / "out.bin")
    folder.corpus("verify", "out", *words).failed(1, "out.bin")


def test_the_field_of_json_objects(folder, model):
    """Blank lines have no document; a text with line breaks is one."""
    texts = ["the quick fox", "brown\nlazy dog", "", "over the dog"]
    lines = [json.dumps({"meta": {"text": text}}) for text in texts]
    source = folder.write("a.jsonl", "\n\n".join(lines).encode())
    folder.corpus("tokenize", "-m", model, "--field", "meta.text", source, "--eos", "-o", "out").ok()
    words = ["-m", model, "--field", "meta.text", "--eos", "--source", source]
    assert "4 documents agree" in folder.corpus("verify", "out", *words).ok().stderr
    documents = documents_of(folder, "out")
    write_ids(folder, "out", documents[:1] + documents[2:])
    folder.corpus("verify", "out", *words).failed(1, "a.jsonl: record 3 is missing")
    folder.write("a.jsonl", b'{"meta": {"text": "the"}}\n{"meta": null}\n{"meta": {"text": "dog"}}\n')
    folder.corpus("tokenize", "-m", model, "--field", "meta.text", source, "--skip-bad", "-o", "out")
    folder.corpus("verify", "out", "-m", model, "--field", "meta.text", "--source", source).failed(1, "record 2")
    done = folder.corpus("verify", "out", "-m", model, "--field", "meta.text", "--skip-bad", "--source", source).ok()
    assert "2 documents agree" in done.stderr


def test_a_sample_of_documents(folder, model, text):
    """Texts between the chosen ones are not compared; numbers, marks and the range of ids are, in all of them."""
    documents = made(folder, model, text, ["--eos"])
    words = ["-m", model, "--eos", "--sample", "30", "--source", text]
    assert "(text of 30)" in folder.corpus("verify", write_ids(folder, "out", documents), *words).ok().stderr
    for number, status in ((10, 1), (11, 0)):
        write_ids(folder, "out", changed(documents, lambda d, i=number: d[i].__setitem__(0, 7)))
        assert folder.corpus("verify", "out", *words).status == status
    for change in (
        lambda d: d.pop(11),
        lambda d: d[11].pop(),
        lambda d: d[11].__setitem__(0, 60000),
        lambda d: d.append(d[-1]),
    ):
        folder.corpus("verify", write_ids(folder, "out", changed(documents, change)), *words).failed(1)


def test_windows_are_one_stream(folder, model, text):
    """Documents go on over the ends of windows; what the last window lacks is told, and no more may lack."""
    folder.corpus("tokenize", "-m", model, text, "--eos", "-f", "npy", "--context", "64", "-o", "out").ok()
    words = ["-m", model, "--eos", "--context", "64", "--source", text]
    assert "are in no window" in folder.corpus("verify", "out", *words).ok().stderr
    array = np.load(folder.path / "out")
    np.save(folder.path / "short.npy", array[:-9])
    folder.corpus("verify", "short.npy", *words).failed(1, "lacks the last")
    np.save(folder.path / "odd.npy", array.ravel()[:-3])
    folder.corpus("verify", "odd.npy", *words).failed(1, "no whole number of windows")
    array[3, 5] = 60000
    np.save(folder.path / "wrong.npy", array)
    folder.corpus("verify", "wrong.npy", *words).failed(1, "id 60000")


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "npy"])
def test_windows_of_every_format(folder, model, text, form):
    """Rows are windows there, whatever pieces of documents the format tells of; a wrong id in one is found."""
    tokenizer = Tokenizer.load(model)
    out, source = folder.path / "out", folder.path / text
    tokenize(tokenizer, source, out, format=form, eos=True, context=64)
    result = verify(out, source, tokenizer, eos=True, context=64)
    assert result.tokens % 64 == 0
    assert result.documents + result.unwritten == 300
    lines = folder.read(text).split(b"\n")
    lines[100] = b"the the the"
    folder.write("b.txt", b"\n".join(lines))
    with pytest.raises(Difference) as caught:
        verify(out, folder.path / "b.txt", tokenizer, eos=True, context=64)
    assert (caught.value.document, caught.value.kind) == (101, "text")


def test_an_interrupt_ends_it(folder, model, text):
    """Ctrl-C while the source is waited for: the process ends by the signal, and nothing is left."""
    write_ids(folder, "out", made(folder, model, text))
    words = ["verify", "out", "-m", model, "--manifest", "m", "--source", "-"]
    done = folder.interrupt(signal.SIGINT, handles_signals, *words, stdin=subprocess.PIPE)
    assert done.status == -signal.SIGINT
    assert done.stderr == ""
    assert folder.names() == ["a.txt", "out", "tmp"]


def test_shards_are_taken_in_order(folder, model, text):
    """A pattern stands for all shards by number; a missing one is named."""
    documents = made(folder, model, text)
    for number in range(12):
        write_megatron(folder, f"s-{number}", documents[number * 25 : number * 25 + 25])
    words = ["-m", model, "--source", text]
    assert "300 documents agree" in folder.corpus("verify", "s-{shard}", *words).ok().stderr
    folder.corpus("verify", "s-{shard}.idx", *words).ok()
    folder.corpus("verify", *(f"s-{number}" for number in range(12)), *words).ok()
    folder.corpus("verify", "s-0", "s-2", "s-1", *words).failed(1, "document 26 ")
    os.unlink(folder.path / "s-3.idx")
    os.unlink(folder.path / "s-3.bin")
    folder.corpus("verify", "s-{shard}", *words).failed(1, "shard 3 is missing")
    folder.corpus("verify", "t-{shard}", *words).failed(1, "no shards")


def test_a_source_of_several_files_and_a_pipe(folder, model, text):
    """Names behind --source are the source, up to the next option; '-' is standard input."""
    lines = folder.read(text).split(b"\n")
    folder.write("b.txt", b"\n".join(lines[:100]))
    folder.write("c.txt", b"\n".join(lines[100:]))
    write_ids(folder, "out", made(folder, model, text))
    folder.corpus("verify", "out", "--source", "b.txt", "c.txt", "-m", model).ok()
    folder.corpus("verify", "--source", "b.txt", "c.txt", "-m", model, "out").ok()
    folder.corpus("verify", "out", "--source", "b.txt", "--source", "c.txt", "-m", model).ok()
    folder.corpus("verify", "out", "-m", model, "--source", "-", stdin=folder.read(text)).ok()
    folder.corpus("verify", "out", "-m", model, "--source", "c.txt", "b.txt").failed(1, "c.txt: record 1")
    folder.corpus("verify", "-m", model, "--source", "b.txt", "out").failed(2, "no OUTPUT")
    folder.corpus("verify", "out", "-m", model, "--source").failed(2, "--source without a name")
    folder.corpus("verify", "out", "-m", model).failed(2, "--source")


def test_threads_change_nothing(folder, model):
    """Large inputs on several threads, with records longer than a buffer."""
    lines = lines_of(20000)
    lines[500] = "the quick ☃ fox " * 200_000
    source = folder.write("a.txt", "\n".join(lines).encode())
    folder.corpus("tokenize", "-m", model, source, "-f", "u32", "-o", "a.u32").ok()
    folder.corpus("tokenize", "-m", model, source, "-f", "ids", "-o", "a.ids").ok()
    for workers in (1, 3):
        for name in ("a.u32", "a.ids"):
            form = name[2:]
            done = folder.corpus("verify", name, "-f", form, "-m", model, "-j", workers, "--source", source).ok()
            assert "20000 documents agree" in done.stderr
    ids = np.fromfile(folder.path / "a.u32", "<u4")
    ids[len(ids) // 3] ^= 1
    ids.tofile(folder.path / "a.u32")
    said = {
        folder.corpus("verify", "a.u32", "-f", "u32", "-m", model, "-j", workers, "--source", source).failed(1).stderr
        for workers in (1, 3)
    }
    assert len(said) == 1


@needs_speed
def test_memory_stays_bounded(folder, model):
    """A record of 60 MB takes no more than one of a line."""
    folder.write("small.txt", b"the quick fox\n")
    folder.write("large.txt", b"the quick brown fox jumps over the lazy dog " * 1_400_000)
    peaks = []
    for name in ("small", "large"):
        folder.corpus("tokenize", "-m", model, f"{name}.txt", "-f", "u16", "-o", name).ok()
        done = folder.measured("verify", name, "-f", "u16", "-m", model, "-j", 1, "--source", f"{name}.txt").ok()
        peaks.append(done.peak)
    assert peaks[1] < peaks[0] + (48 << 20), peaks


@pytest.mark.parametrize("kind", ["hf", "bytes"])
def test_other_models_agree(folder, kind):
    """A tokenizer.json with added tokens and odd bytes, and a vocabulary of counts."""
    source = folder.write("a.txt", b"the dog <|user|> \xff\xfe caf\xc3\xa9\n\n  two  spaces\nthe\n")
    if kind == "hf":
        name = folder.write("tokenizer.json", json.dumps(byte_level("GPT-2")).encode())
    else:
        name = folder.write("words.txt", b"the 10\ndog 5\nt 1\nh 1\ne 1\n")
    options = ["--alpha", "0", "-s", "1"] if kind == "hf" else []
    folder.corpus("tokenize", "-m", name, source, "-o", "out", *options).ok()
    folder.corpus("verify", "out", "-m", name, "--source", source).ok()
    lines = folder.read("out").splitlines(True)
    folder.write("out", b"".join(lines[:2] + lines[3:]))
    folder.corpus("verify", "out", "-m", name, "--source", source).failed(1, "record 3 is missing")


def test_the_manifest_and_the_python_call(tmp_path, folder, model, text):
    """What was found is told as data; a difference is an error with both versions."""
    tokenize(model, folder.path / text, folder.path / "out", eos=True)
    result = verify(folder.path / "out", folder.path / text, model, eos=True, workers=1)
    assert (result.documents, result.records, result.eos, result.bos, result.format) == (300, 300, 300, None, "ids")
    assert (result.compared, result.exact, result.unwritten) == (300, True, 0)
    folder.corpus("verify", "out", "-m", model, "--eos", "--manifest", "m.json", "--source", text).ok()
    told = json.loads(folder.read("m.json"))
    assert (told["command"], told["documents"], told["eos"]) == ("verify", 300, 300)
    documents = documents_of(folder, "out")
    assert result.duplicates == 300 - len(set(map(tuple, documents)))
    write_ids(folder, "out", documents[:7] + documents[8:])
    with pytest.raises(Difference) as caught:
        verify(folder.path / "out", folder.path / text, Tokenizer.load(model), eos=True)
    found = caught.value
    assert (found.kind, found.document) == ("missing", 8)
    assert found.record.endswith("a.txt: record 8")
    assert found.expected
    assert found.written
    folder.corpus("verify", "out", "-m", model, "--eos", "--manifest", "n.json", "--source", text).failed(1)
    assert "n.json" not in folder.names()


def test_options_that_cannot_be_meant(folder, model, text):
    """Refused by name, as usage errors."""
    write_ids(folder, "out", made(folder, model, text))
    folder.corpus("verify", "out", "-m", model, "-f", "pieces", "--source", text).failed(2, "pieces")
    folder.corpus("verify", "out", "--eos", "--source", text).failed(2, "without a model")
    folder.corpus("verify", "out", "--field", "a", "--source", text).failed(2, "without a model")
    folder.corpus("verify", "out", "-m", model, "--source", "nothing").failed(1, "nothing")
    folder.corpus("verify", "nothing", "-m", model, "--source", text).failed(1, "no such output")
    folder.corpus("verify", "out", "-m", model, "--manifest", "out", "--source", text).failed(2, "manifest")
