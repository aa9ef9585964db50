"""Fewer threads than asked for, or none: the same bytes, or one line."""

from __future__ import annotations

import itertools
import subprocess
import threading

import pytest
from harness import Folder

from corpustools.files.ordered import OrderedTasks
from corpustools.stages.shuffle.threads import ThreadGroup

MODEL = b"a\t-1.0\nb\t-1.5\nab\t-2.0\n \t-1.0\n"
TEXT = b"".join(b"ab ba %s\n" % (b"ab" * (i % 40)) for i in range(40000))

# Loaded by every interpreter that finds it on its path: as under a limit on processes, from some thread on none starts.
LIMIT = """
import os, threading
left = int(os.environ["THREADS_LEFT"])
start = threading.Thread.start
def limited(self):
    global left
    if not left:
        raise RuntimeError("can't start new thread")
    left -= 1
    start(self)
threading.Thread.start = limited
"""

COMMANDS = {
    "shuffle": ["shuffle", "-s", "1", "in"],
    "shuffle zst": ["shuffle", "-s", "1", "in", "-o", "out.zst"],
    "shuffle spilled": ["shuffle", "-s", "1", "-m", "64MiB", "in", "--spill", "raw"],
    "shuffle without temporary space": ["shuffle", "-s", "1", "in", "--no-temp", "-m", "64MiB"],
    "head": ["shuffle", "-s", "1", "-n", "100", "in"],
    "tokenize": ["tokenize", "-m", "model", "in"],
    "tokenize gz": ["tokenize", "-m", "model", "in", "-f", "u16", "-o", "out.gz"],
    "detokenize": ["detokenize", "-m", "model", "ids"],
    "nabc": ["nabc", "--range", "0:50000"],
    "explain": ["explain", "-m", "model", "abba"],
}


@pytest.fixture
def small(folder: Folder) -> Folder:
    """A folder with a text, ids and a model."""
    folder.write("in", TEXT)
    folder.write("ids", b"0 1 2\n" * 100)
    folder.write("model", MODEL)
    (folder.path / "limit").mkdir()
    folder.write("limit/sitecustomize.py", LIMIT.encode())
    return folder


@pytest.mark.parametrize("left", [0, 1, 2])
@pytest.mark.parametrize("name", COMMANDS)
def test_with_few_threads_the_output_is_the_same(small: Folder, name: str, left: int):
    """Those that start do the work of all; the summary says nothing of it, and no line says 'internal error'."""
    command = COMMANDS[name]
    workers = ["-j", "4"] if command[0] in ("shuffle", "tokenize") else []
    expected = small.corpus(*command, *workers).ok().stdout
    written = small.read(command[-1]) if "-o" in command else b""
    limited = {"PYTHONPATH": str(small.path / "limit"), "THREADS_LEFT": str(left)}
    outcome = small.corpus(*command, *workers, env=limited).ok()
    assert outcome.stdout == expected
    assert len(outcome.stderr.splitlines()) <= 1, str(outcome)
    assert not written or small.read(command[-1]) == written


@pytest.mark.parametrize("name", ["shuffle", "tokenize"])
def test_a_limit_on_processes(small: Folder, name: str):
    """The system's own limit: no thread beside the first. numpy's threads are not asked for either."""
    expected = small.corpus(*COMMANDS[name], "-j", "4").ok().stdout
    # Root is not bound by the limit, so another user's process has to be made that may read what root may.
    kept = "-all,+dac_override,+dac_read_search"
    other = ["setpriv", "--reuid=54321", "--clear-groups", f"--inh-caps={kept}", f"--ambient-caps={kept}"]
    limited = [*other, "prlimit", "--nproc=1"]
    if subprocess.run([*limited, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no other user's process with a limit can be made here")
    command = [*limited, *small.command(*COMMANDS[name], "-j", "4")]
    done = subprocess.run(command, cwd=small.path, env=small.variables, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr


def refuse(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """Let the system give so many threads and no more."""
    start, given = threading.Thread.start, []

    def limited(self: threading.Thread) -> None:
        if len(given) == left:
            raise RuntimeError("can't start new thread")
        given.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_tasks_keep_their_order(monkeypatch: pytest.MonkeyPatch, left: int):
    """And each runs once."""
    refuse(monkeypatch, left)
    ran, delivered = [], []
    with OrderedTasks(3, delivered.append) as tasks:
        for number in range(50):
            tasks.submit(lambda number=number: ran.append(number) or number)
    assert sorted(ran) == delivered == list(range(50))


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_task_that_fails_without_a_thread(monkeypatch: pytest.MonkeyPatch, left: int):
    """The failure comes at its place."""
    refuse(monkeypatch, left)
    delivered: list[int] = []

    def task(number: int) -> int:
        return 1 // (4 - number) or number

    def own() -> None:
        with OrderedTasks(2, delivered.append) as tasks:
            for number in range(9):
                tasks.submit(task, number)

    with pytest.raises(ZeroDivisionError):
        own()
    assert len(delivered) == 4


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_a_group_does_all_its_work(monkeypatch: pytest.MonkeyPatch, left: int):
    """Jobs without a thread run last; a failure of one of them is the group's."""
    refuse(monkeypatch, left)
    work = iter(range(1000))
    jobs = [lambda: list(work)] * 3
    assert sorted(itertools.chain(*ThreadGroup().run(jobs, lambda: None, lambda: None))) == list(range(1000))
    with pytest.raises(ZeroDivisionError):
        ThreadGroup().run([lambda: 1 // 0] * 3, lambda: None, lambda: None)
