"""What cannot be meant is refused before a model is loaded; what looks odd but can be meant is said in one line."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import socket
import struct
import termios
from pathlib import Path

import click
import pytest
from harness import Folder, is_plain

from corpustools.cli import tokenize
from corpustools.errors import UsageError
from corpustools.files.compression import REFUSED, output_codec
from corpustools.formats import FORMATS, SUFFIXES, refuse_suffix

MODEL = b"a\t-1.0\nb\t-1.5\nab\t-2.0\n \t-1.0\n"


@pytest.fixture
def small(folder: Folder) -> Folder:
    """A folder with a text and a model."""
    folder.write("in", b"ab ba\nabba\n")
    folder.write("model", MODEL)
    folder.write("empty", b"")
    return folder


# Options -> words of the error; the model does not exist, so whoever loads it first says something else.
EARLY = {
    "no samples": (["--samples", "0"], ["samples: 0", "1 to 2^32 - 1"]),
    "too many samples": (["--samples", 1 << 32, "--alpha", "1"], ["samples", "2^32 - 1"]),
    "a negative epoch": (["--epoch", "-1"], ["epoch: -1"]),
    "a negative alpha": (["--alpha", "-1"], ["alpha is -1", "from 0 on"]),
    "an alpha that is no number": (["--alpha", "nan"], ["alpha is nan"]),
    "a length weight of 0": (["--length-weight", "0"], ["weight of a token is 0"]),
    "samples of the best": (["--samples", "2"], ["2 samples in the model's own mode", "an alpha or mode sample"]),
    "unique without sampling": (["--unique"], ["unique samples in the model's own mode", "an alpha or mode sample"]),
    "unique by Su's algorithm": (["--unique", "--mode", "viterbi-sampling"], ["mode viterbi-sampling, which cannot"]),
    "the n best of samples": (["--nbest", "3", "--alpha", "1"], ["the 3 best are not drawn", "mode sample draws"]),
    "the n best and samples": (["--nbest", "3", "--samples", "2"], ["3 best and 2 samples exclude each other"]),
    "the n best, unique": (["--nbest", "3", "--unique"], ["3 best and unique samples exclude each other"]),
    "the n best with eos": (["--nbest", "3", "--eos"], ["the 3 best are written without bos and eos"]),
    "unique with bos": (["--unique", "--alpha", "1", "--bos"], ["unique samples are written without bos and eos"]),
    "no n best": (["--nbest", "0"], ["--nbest"]),
    "an unknown column": (["-f", "jsonl", "--with", "prob"], ["column 'prob'", "logprob"]),
    "a column without a place": (["--with", "score"], ["format 'ids' has no place for score", "jsonl"]),
    "a logprob of Su's algorithm": (
        ["--mode", "viterbi-sampling", "-f", "jsonl", "--with", "logprob"],
        ["no distribution"],
    ),
    "f32 samples": (["--scores", "f32", "--alpha", "1"], ["scores f32"]),
    "a part of samples without a seed": (["--part", "1/2", "--alpha", "1"], ["the same seed"]),
    "an output named as NumPy's": (["-o", "x.npy"], ["x.npy", ".npy", "use format npy"]),
    "an output in no folder's format": (["-o", "x.parquet"], ["x.parquet", "another format than format ids"]),
    "ids named as JSON lines": (["-f", "u16", "-o", "x.jsonl"], [".jsonl", "format u16", "use format jsonl"]),
    "compressed, and named wrongly": (["-o", "x.npy.gz"], [".npy"]),
    "an archive": (["-o", "x.tar.gz"], ["cannot be written", ".zst or .gz"]),
    "the model as output": (["-o", "no-model"], ["would replace the model"]),
    "the model as manifest": (["-o", "o", "--manifest", "no-model"], ["would replace the model"]),
    "standard input twice": (["-", "-"], ["twice"]),
}


@pytest.mark.parametrize("case", EARLY)
def test_options_are_refused_before_the_model_is_loaded(small: Folder, monkeypatch: pytest.MonkeyPatch, case: str):
    """A typing error costs no wait."""
    arguments, words = EARLY[case]
    monkeypatch.chdir(small.path)
    command = ["-m", "no-model", *map(str, arguments), *([] if "-" in arguments else ["in"])]
    with pytest.raises((UsageError, click.UsageError)) as caught:
        tokenize.command.main(command, prog_name="corpus tokenize", standalone_mode=False)
    said = str(caught.value) if isinstance(caught.value, UsageError) else caught.value.format_message()
    for word in words:
        assert word in said
    assert small.names() == ["empty", "in", "model", "tmp"]


def test_a_missing_input_is_found_before_the_model_is_loaded(small: Folder):
    """Its name is as often misspelt as that of the model."""
    small.corpus("tokenize", "-m", "no-model", "in", "--samples", "0").failed(2, "samples: 0")
    small.corpus("tokenize", "-m", "no-model", "missing").failed(1, "missing", "no such file")
    small.corpus("detokenize", "-m", "no-model", "missing").failed(1, "missing", "no such file")
    small.corpus("detokenize", "-m", "no-model", "in", "-o", "x.npy").failed(2, "x.npy", "than lines of text")
    small.corpus("explain", "-m", "no-model", "--alpha", "-1", "x").failed(2, "alpha is -1")
    small.corpus("tokenize", "-m", "no-model", "in").failed(1, "no-model", "no such file")


@pytest.mark.parametrize("name", ["x.npy", "x.parquet.zst"])
def test_lines_are_not_named_as_another_format(small: Folder, name: str):
    """Somebody would open them as that."""
    small.corpus("shuffle", "in", "-o", name).failed(2, name, "lines of text", "another name")
    assert name not in small.names()


def test_names_that_fit(small: Folder):
    """Text is text in a .jsonl; records of fixed size may be ids; each format may have its own suffix."""
    small.corpus("shuffle", "in", "-s", "1", "-o", "x.jsonl").ok()
    small.write("ids", b"\0\0\1\0")
    small.corpus("shuffle", "--record-bytes", "2", "ids", "-s", "1", "-o", "x.u16").ok()
    small.corpus("shuffle", "--record-bytes", "2", "ids", "-o", "x.npy").failed(2, ".npy", "records")
    for name in ("npy", "jsonl"):
        small.corpus("tokenize", "-m", "model", "in", "-f", name, "-o", f"x.{name}").ok()
    small.corpus("tokenize", "-m", "model", "in", "-f", "u16", "-o", "x.bin").ok()


def test_suffixes_belong_to_formats():
    """A format takes its own suffix and no other's; a compressed name is looked at without its last suffix."""
    for suffix, owners in SUFFIXES.items():
        for form in [*FORMATS, None, ""]:
            for path in (f"x{suffix}", f"x{suffix.upper()}.gz", f"{suffix}"):
                if form in owners:
                    refuse_suffix(path, form)
                else:
                    with pytest.raises(UsageError, match="another format"):
                        refuse_suffix(path, form)
    for form in FORMATS:
        for path in ("x", "x.txt", "x.bin", "x.gz", "-", "/dev/stdout", "npy", "x.npy/y", "x.npy.d"):
            refuse_suffix(path, form)


def test_compressions_by_suffix():
    """What cannot be written is refused, whatever the case of the letters; nothing else is guessed."""
    for suffix in REFUSED:
        with pytest.raises(UsageError, match="cannot be written"):
            output_codec(f"x{suffix.upper()}")
    assert [output_codec(name) for name in ("x.gz", "x.ZST", "x.txt", "gz", "-")] == ["gz", "zst", None, None, None]


def test_a_shouting_suffix_compresses(small: Folder):
    """x.GZ would not be opened as text by anybody."""
    small.corpus("shuffle", "in", "-s", "1", "-o", "x.GZ").ok()
    assert not is_plain(small.read("x.GZ"))


UNUSED = {
    "seed": (["-s", "7"], "--seed"),
    "epoch": (["--epoch", "1"], "--epoch"),
    "alpha": (["--mode", "viterbi", "--alpha", "0.2"], "--alpha"),
    "length weight": (["--length-weight", "0.5"], "--length-weight"),
    "several": (["-s", "7", "--epoch", "1"], "--seed and --epoch"),
}


@pytest.mark.parametrize("case", UNUSED)
def test_what_changes_nothing_is_said(small: Folder, case: str):
    """A seed without an alpha looks like samples and gives none."""
    arguments, flags = UNUSED[case]
    command = ["tokenize", "-m", "model", "in", *arguments]
    outcome = small.corpus(*command).ok()
    note, summary = outcome.stderr.splitlines()
    assert note.startswith(f"note: {flags} change nothing"), str(outcome)
    assert "records" in summary
    assert outcome.stdout == b"2 3 1 0\n2 1 0\n"
    if case != "several":
        return
    assert small.corpus(*command, "-q").ok().stderr == ""
    said = [json.loads(line) for line in small.corpus(*command, "--progress", "json").ok().stderr.splitlines()]
    assert [one["event"] for one in said] == ["note", "done"]


def test_alpha_of_measures_is_used(small: Folder):
    """Beside a best segmentation it says of which distribution the numbers are."""
    command = ["tokenize", "-m", "model", "in", "--mode", "viterbi", "-f", "jsonl", "--with", "entropy"]
    outcome = small.corpus(*command, "--alpha", "0.2").ok()
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stdout != small.corpus(*command).ok().stdout
    assert len(small.corpus("tokenize", "-m", "model", "in", "--alpha", "1", "-s", "1").ok().stderr.splitlines()) == 1


COMMANDS = {
    "shuffle": ["shuffle", "-s", "1"],
    "shuffle with a header": ["shuffle", "-s", "1", "--header", "1"],
    "shuffle spilled": ["shuffle", "-s", "1", "-m", "64MiB", "--spill", "raw"],
    "shuffle --no-temp": ["shuffle", "-s", "1", "--no-temp"],
    "tokenize": ["tokenize", "-m", "model"],
    "tokenize npy": ["tokenize", "-m", "model", "-f", "npy", "-o", "x.npy"],
    "tokenize --field": ["tokenize", "-m", "model", "--field", "text"],
    "detokenize": ["detokenize", "-m", "model"],
    "nabc": ["nabc"],
    "explain": ["explain", "-m", "model"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_input_is_said(small: Folder, name: str):
    """Nobody means to read nothing: a wrong glob, a job that failed before. The status is 0 all the same."""
    command = COMMANDS[name]
    takes_files = command[0] not in ("nabc", "explain")
    outcome = small.corpus(*command, *(["empty", "empty"] if takes_files else []), stdin=b"").ok()
    assert outcome.stderr.splitlines()[0] == "warning: the input has no records", str(outcome)
    assert outcome.stderr.count("warning") == 1
    assert outcome.stdout == b""


def test_an_empty_pipe_and_silence(small: Folder):
    """-q says nothing, and JSON says it as JSON."""
    assert "warning" in small.corpus("shuffle", "-s", "1", stdin=b"").ok().stderr
    for command in (["shuffle", "-s", "1"], ["tokenize", "-m", "model"], ["detokenize", "-m", "model"], ["nabc"]):
        assert small.corpus(*command, "-q", stdin=b"").ok().stderr == ""
    said = small.corpus("nabc", "--progress", "json", stdin=b"").ok().stderr.splitlines()
    assert json.loads(said[0]) == {"event": "warning", "text": "the input has no records"}


def test_some_records_are_no_empty_input(small: Folder):
    """An empty line is a record, and a part or a head without records is what was asked for."""
    small.write("line", b"\n")
    for arguments in (["shuffle", "-s", "1", "line"], ["shuffle", "-s", "1", "-n", "0", "in"],
                      ["tokenize", "-m", "model", "line"], ["tokenize", "-m", "model", "line", "--part", "1/2"],
                      ["shuffle", "-s", "1", "line", "--part", "1/9"]):  # fmt: skip
        assert "warning" not in small.corpus(*arguments).ok().stderr


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "tmp", "socket"])
def test_a_model_that_is_no_file(small: Folder, path: str):
    """A device may have no end, and would be read until the memory is full."""
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(small.path)
        one.bind("socket")
        os.chdir(here)
        outcome = small.corpus("tokenize", "-m", path, "in")
        outcome.failed(1, f"the model {path} is a", "name the model's file")


def test_a_model_larger_than_any(small: Folder):
    """Told by its size, not by reading it; one through a pipe is read to its end."""
    with open(small.path / "huge", "wb") as file:
        file.truncate((2 << 30) + 1)
    small.corpus("tokenize", "-m", "huge", "in").failed(1, "huge", "larger than 2 GiB")
    assert small.shell("$corpus tokenize -q -m <(cat model) in").ok().stdout == b"2 3 1 0\n2 1 0\n"


@pytest.mark.parametrize("size", [(0, 0), (24, 1)])
def test_a_terminal_without_rows_or_columns(small: Folder, size: tuple[int, int]):
    """Some containers and serial lines have such: the bar, the help and the errors work there."""
    small.write("big", b"some words of a line\n" * 200_000)
    own, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        for arguments, status in (
            (["shuffle", "-s", "1", "big", "-o", "out", "--progress", "bar"], 0),
            (["shuffle", "--help"], 0),
            (["shuffle", "missing"], 1),
        ):
            process = small.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env={"COLUMNS": ""})
            while process.poll() is None:
                read_some(own)
            assert process.returncode == status
            assert b"Traceback" not in read_some(own)
    finally:
        os.close(own)
        os.close(theirs)
    assert len((Path(small.path) / "out").read_bytes()) == 21 * 200_000


def read_some(descriptor: int) -> bytes:
    """Take what a terminal holds, without waiting for more."""
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return b""
