"""A stage that died in front of another one: its output is no whole input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpustools.errors import DataError
from corpustools.files import pipes
from tests.harness import COMMAND, SECONDS, Folder, start, variables

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="marks are set on pipes of Linux only")

READERS = [
    ["shuffle", "-q", "-s", "1", "-o", "out"],
    ["tokenize", "-q", "-m", "letters.vocab", "-f", "u16", "-o", "out"],
    ["tokenize", "-q", "-m", "letters.vocab", "-f", "megatron", "-o", "out"],
]


@pytest.fixture
def model(folder: Folder) -> Folder:
    """A folder with a small vocabulary."""
    folder.write("letters.vocab", b"a\t-1\nb\t-2\n")
    return folder


def command_line(*arguments: str) -> str:
    """Return `corpus` with arguments as a shell takes it."""
    return " ".join([*COMMAND, *arguments])


def in_shell(folder: Folder, line: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in a folder."""
    return subprocess.run(
        ["bash", "-c", line], cwd=folder.path, env=variables(), capture_output=True, timeout=SECONDS, check=False
    )


@pytest.mark.parametrize("reader", READERS, ids=["shuffle", "u16", "megatron"])
def test_nothing_is_published_behind_a_stage_that_was_killed(model: Folder, reader: list[str]):
    """The writer is killed when it has written some records; the reader writes no file and says why."""
    ends, starts = os.pipe()
    writer = start("shuffle", "-q", "-s", "1", "-", stdin=subprocess.PIPE, stdout=starts, cwd=model.path)
    following = start(*reader, stdin=ends, cwd=model.path)
    os.close(ends)
    os.close(starts)
    assert writer.stdin is not None
    writer.stdin.write(b"ab\n" * 1000)
    writer.stdin.flush()
    wait_for_mark(writer)
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=SECONDS)
    _, said = following.communicate(timeout=SECONDS)
    assert following.returncode == 1
    assert said.startswith(b"corpus: standard input: the corpus command that writes it")
    assert {path.name for path in model.path.iterdir()} == {"letters.vocab", "tmp"}


def wait_for_mark(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has begun; before that its death leaves no mark."""
    out = f"/proc/{process.pid}/fd/1"
    deadline = time.monotonic() + SECONDS
    while not os.stat(out).st_mode & pipes.UNFINISHED:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("reader", READERS, ids=["shuffle", "u16", "megatron"])
@pytest.mark.parametrize("writer", ["shuffle nothing-here", "shuffle --no-such-option", "nabc 12 x"])
def test_nothing_is_published_behind_a_stage_that_failed(model: Folder, reader: list[str], writer: str):
    """An error of the stage before is this stage's too, whatever the first one has written."""
    model.write("out", b"old")
    found = in_shell(model, f"{command_line(writer)} | {command_line(*reader)}")
    assert found.returncode == 1
    assert b"see what that command says" in found.stderr
    assert model.read("out") == b"old"


def test_a_failure_goes_through_a_whole_pipe(model: Folder):
    """The last of three stages learns of the first one's end, and the old output stays."""
    model.write("out", b"old")
    stages = ["shuffle nothing-here", "shuffle -q -s 1", "tokenize -q -m letters.vocab -f u16 -o out"]
    assert in_shell(model, " | ".join(map(command_line, stages))).returncode == 1
    assert model.read("out") == b"old"


def test_stages_that_are_done_leave_no_mark(model: Folder):
    """Whole pipes are published: with records skipped, empty ones, one after another, through foreign commands."""
    model.write("text", b"ab\nb\n")
    model.write("rows.jsonl", b'{"t": "ab"}\n{"t": null}\n')
    last = command_line("tokenize -q -m letters.vocab -o out")
    shuffle = command_line("shuffle -q -s 1 text")
    skipping = command_line("tokenize -q -m letters.vocab --field t --skip-bad -f pieces rows.jsonl")
    steps = command_line("nabc --max-steps 1 100000000000000000039")
    for line in (
        f"{shuffle} | {last}",
        f"{skipping} | {last}",
        f"{steps} | {command_line('shuffle -q -s 1 -o out')}",
        f"{command_line('shuffle -q -s 1 /dev/null')} | {last}",
        f"({shuffle}; {shuffle}) | {last}",
        f"{shuffle} | cat | {last}",
        f"{command_line('tokenize -q -m letters.vocab -o out')} < <({shuffle})",
        f"{last} <({shuffle})",
        f"{command_line('--help')} | {last.replace('-o', '--special text -o')} || true",
    ):
        found = in_shell(model, line)
        assert found.returncode == 0, (line, found.stderr)


def test_a_failure_before_a_stage_that_is_done(model: Folder):
    """Two stages write into one pipe one after another: the second cannot take the first one's mark away."""
    shuffle, bad = command_line("shuffle -q -s 1 text"), command_line("shuffle -q nothing-here")
    model.write("text", b"ab\nb\n")
    found = in_shell(model, f"({bad}; {shuffle}) | {command_line('tokenize -q -m letters.vocab -o out')}")
    assert found.returncode == 1
    assert not model.path.joinpath("out").exists()


@pytest.mark.parametrize("reader", ["nabc", "explain -m letters.vocab", "detokenize -m letters.vocab"])
def test_stages_that_write_as_they_read_end_with_the_error(model: Folder, reader: str):
    """What is printed line by line stands, and the status tells that more was to come."""
    found = in_shell(model, f"{command_line('shuffle nothing-here')} | {command_line(reader)}")
    assert found.returncode == 1
    assert b"see what that command says" in found.stderr


def test_pipes_with_a_name_bear_no_marks(folder: Folder):
    """A mark on a file would outlive the stages that it speaks of."""
    path = folder.path / "named"
    os.mkfifo(path)
    both = os.open(path, os.O_RDWR)
    assert not pipes.mark_unfinished(both)
    assert not path.stat().st_mode & pipes.UNFINISHED
    os.close(both)


def test_the_mark_of_another_stays(tmp_path: Path):
    """Only the pipe's first stage at work marks it; files and what is closed are no pipes."""
    ends, starts = os.pipe()
    pipes.require_finished(ends, "a pipe")
    assert pipes.mark_unfinished(starts)
    assert not pipes.mark_unfinished(starts)
    with pytest.raises(DataError, match=r"^a pipe: the corpus command"):
        pipes.require_finished(ends, "a pipe")
    pipes.mark_finished(starts)
    pipes.require_finished(ends, "a pipe")
    os.close(starts)
    assert not pipes.mark_unfinished(starts)
    os.close(ends)
    with (tmp_path / "file").open("wb") as file:
        assert not pipes.mark_unfinished(file.fileno())
