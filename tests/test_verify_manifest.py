"""`corpus verify` with the manifest of the run that made the output: nothing need be said twice."""

import json

import pytest
from spm_files import train
from test_verify import lines_of

from corpustools import UsageError, verify
from corpustools.inspect.verify.made_by import find_manifest, read_manifest


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "t.model"
    path.write_bytes(train(model_type="unigram"))
    return path


@pytest.fixture
def source(folder):
    """Objects with a text each, one of them bad."""
    lines = [json.dumps({"text": line}) for line in lines_of(200)]
    lines[7] = '{"text": null}'
    return folder.write("a.jsonl", "\n".join(lines).encode())


OPTIONS = {
    "samples": "--field text --skip-bad --alpha 0.3 -s 5 --epoch 2 --samples 2 --eos -f megatron",
    "best fit of samples": "--field text --skip-bad --alpha 0.3 -s 5 --bos --context 64 --pack best-fit -f parquet",
    "windows": "--field text --skip-bad --eos --context 32 -f npy --special text",
    "a fresh seed": "--field text --skip-bad --alpha 0.3 --eos --context 64 --pack best-fit -f u16",
    "the n best": "--field text --skip-bad --nbest 2 --context 64 --pack best-fit -f jsonl",
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_manifest_beside_the_output_says_it_all(folder, model, source, options):
    """Model, source, marks, windows, seed and format; or it is named, wherever it lies."""
    folder.corpus("tokenize", "-m", model, source, *options.split(), "-o", "out", "--manifest", "run.json")
    done = folder.corpus("verify", "out").ok()
    assert "as run.json tells" in done.stderr
    assert "documents agree" in done.stderr
    (folder.path / "elsewhere").mkdir()
    folder.write("elsewhere/kept", folder.read("run.json"))
    (folder.path / "run.json").unlink()
    folder.corpus("verify", "out").failed(2, "--source")
    folder.corpus("verify", "out", "--made-by", "elsewhere/kept").ok()
    lines = folder.read(source).splitlines(keepends=True)
    folder.write("b.jsonl", b"".join(lines[:50] + lines[51:]))
    folder.corpus("verify", "out", "--made-by", "elsewhere/kept", "-q", "--source", "b.jsonl").failed(1, "out: ")
    assert verify(folder.path / "out", folder.path / source, made_by=folder.path / "elsewhere/kept").skipped == 1


def test_what_contradicts_is_refused(folder, model, source):
    """An option that says otherwise than the manifest is named, with both values."""
    given = ["--field", "text", "--skip-bad", "--eos", "--context", 32, "-f", "npy"]
    folder.corpus("tokenize", "-m", model, source, *given, "-o", "out.npy", "--manifest", "run.json")
    folder.corpus("verify", "out.npy", "--context", 32, "--eos").ok()
    folder.corpus("verify", "out.npy", "--context", 64).failed(2, "context 64, and run.json says 32")
    folder.corpus("verify", "out.npy", "--bos").failed(2, "bos True, and run.json says False")
    folder.corpus("verify", "out.npy", "--field", "body").failed(2, "field body, and run.json says text")
    folder.corpus("verify", "out.npy", "-f", "u16").failed(2, "format u16, and run.json says npy")
    folder.corpus("verify", "out.npy", "--special", "text").failed(2, "special text, and run.json says library")
    with pytest.raises(UsageError, match=r"samples 3, and .* says 1"):
        verify(folder.path / "out.npy", folder.path / source, model, made_by=folder.path / "run.json", samples=3)


def test_other_files_beside_an_output_are_none_of_it(folder, model, source):
    """JSON of other kinds, manifests of other outputs; two that differ are named; a part is refused."""
    given = ["--field", "text", "--skip-bad", "--eos", "-m", model, source]
    folder.corpus("tokenize", *given, "-o", "out", "--manifest", "run.json")
    told = json.loads(folder.read("run.json"))
    for name, content in (
        ("list.json", b"[1, 2]"),
        ("torn.json", b'{"command": "tokenize", "requ'),
        ("deep.json", b"[" * 100_000),
        ("other.json", json.dumps(told | {"output": "elsewhere"}).encode()),
        ("shuffled.json", json.dumps(told | {"command": "shuffle"}).encode()),
        ("odd.json", json.dumps(told | {"request": told["request"] | {"bos": "yes"}}).encode()),
        ("old.json", json.dumps({name: value for name, value in told.items() if name != "request"}).encode()),
        ("same.json", folder.read("run.json")),
    ):
        folder.write(name, content)
    assert find_manifest(str(folder.path / "out")).options["eos"] is True
    folder.corpus("verify", "out").ok()
    folder.write("two.json", json.dumps(told | {"request": told["request"] | {"eos": False}}).encode())
    folder.corpus("verify", "out").failed(2, "run.json and two.json tell of 'out' in different ways")
    folder.corpus("verify", "out", "--made-by", "run.json").ok()
    folder.corpus("verify", "out", "--made-by", "list.json").failed(1, "list.json: is no manifest of corpus tokenize")
    folder.corpus("verify", "out", "--made-by", "none.json").failed(1, "none.json")
    folder.write("two.json", json.dumps(told | {"request": told["request"] | {"part": [1, 2]}}).encode())
    folder.corpus("verify", "out").failed(1, "tells of part")
    assert read_manifest(str(folder.path / "run.json")).inputs == ["a.jsonl"]


def test_a_source_on_standard_input_has_to_be_given(folder, model, source):
    """It is there no more."""
    folder.corpus("tokenize", "-m", model, "--field", "text", "--skip-bad", "-o", "out", "--manifest", "run.json",
                  stdin=folder.read(source))  # fmt: skip
    folder.corpus("verify", "out").failed(2, "standard input")
    folder.corpus("verify", "out", "--source", source).ok()


def test_a_shuffled_file_needs_no_manifest(folder):
    """Without a model and a manifest the output is a shuffled file, as ever."""
    folder.write("a", b"1\n2\n")
    folder.write("out", b"2\n1\n")
    folder.write("run.json", b"{}")
    folder.corpus("verify", "out", "--source", "a").ok()
