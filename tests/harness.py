"""Runs the real `corpus` in a folder of its own, and shows everything when a promise is broken."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from corpustools import kernels
from corpustools.files.compression import detect
from corpustools.files.foreign import foreign_format

# Without compiled kernels everything runs on the slow twins: the same promises on smaller inputs.
COMPILED = "plain" not in kernels.in_use().values()
MIB = 1 << 20
# For calls inside the test process, which holds much itself.
PLENTY = 2048 * MIB
SECONDS = 240

COMMAND = [sys.executable, "-m", "corpustools"]

needs_speed = pytest.mark.skipif(not COMPILED, reason="the plain kernels are too slow for this much data")


def is_plain(data: bytes) -> bool:
    """Whether bytes are taken as they are: not decoded, and not refused as another format."""
    return detect(data) is None and foreign_format(data, data[-4:]) is None


def give_children_default_signals() -> None:
    """Undo for the children of this process what its caller ignores (`nohup`, `&` in a script, some runners of CI).

    What is ignored stays ignored through exec, and a test that interrupts `corpus` would wait for ever. What has a
    handler falls back to the default in a child; here the handler does nothing, so this process goes on ignoring.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def variables() -> dict[str, str]:
    """Return this process's environment variables without the user's settings of `corpus`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CORPUS_")}
    if "CORPUS_KERNELS" in os.environ:
        kept["CORPUS_KERNELS"] = os.environ["CORPUS_KERNELS"]
    return kept


def start(*arguments: object, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start `corpus` with pipes on stdout and stderr unless told otherwise; `env` adds to the environment."""
    chosen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=variables() | (env or {}), **chosen)


def run(
    *arguments: object, stdin: bytes | BinaryIO | None = b"", env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run `corpus` to its end where no folder is needed; bytes for its standard input are given through a pipe."""
    data = stdin if isinstance(stdin, bytes) else None
    options["stdin"] = subprocess.PIPE if data is not None else stdin or subprocess.DEVNULL
    with start(*arguments, env=env, **options) as process:
        try:
            stdout, stderr = process.communicate(data, timeout=SECONDS)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@dataclass
class Outcome:
    """What a run of `corpus` left behind."""

    command: str
    folder: Path
    status: int
    stdout: bytes
    stderr: str
    peak: int = 0

    def __str__(self) -> str:
        return (
            f"$ {self.command}\nin {self.folder}: {sorted(os.listdir(self.folder))}\nstatus {self.status}, "
            f"peak {self.peak / MIB:.1f} MiB\nstdout ({len(self.stdout)} bytes): {self.stdout[:500]!r}\n"
            f"stderr:\n{self.stderr}"
        )

    def ok(self) -> Outcome:
        """Fail with everything that is known unless the run succeeded."""
        assert self.status == 0, str(self)
        return self

    def failed(self, status: int, *words: str) -> Outcome:
        """Fail unless the run ended with this status and one line on stderr that holds the words."""
        assert self.status == status, str(self)
        lines = self.stderr.splitlines()
        assert len(lines) == 1, str(self)
        assert lines[0].startswith("corpus: "), str(self)
        assert "internal error" not in lines[0], str(self)
        for word in words:
            assert word.lower() in lines[0].lower(), f"{word!r} is not said:\n{self}"
        return self


class Folder:
    """A fresh folder with the `corpus` command in it.

    Args:
        path: the folder.
        **added: environment variables for every run.
    """

    def __init__(self, path: Path, **added: str) -> None:
        self.path = path
        self.temporary = path / "tmp"
        self.temporary.mkdir()
        self.added = {"TMPDIR": str(self.temporary), "COLUMNS": "120"} | added

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of every run."""
        return variables() | self.added

    def write(self, name: str, data: bytes) -> str:
        """Make a file and return its name."""
        (self.path / name).write_bytes(data)
        return name

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        return (self.path / name).read_bytes()

    def names(self) -> list[str]:
        """Return what is in the folder and its folder for temporary files, hidden names included."""
        return sorted(os.listdir(self.path)) + sorted(os.listdir(self.temporary))

    def command(self, *arguments: object) -> list[str]:
        """Return the words that run `corpus`."""
        return [*COMMAND, *map(str, arguments)]

    def start(self, *arguments: object, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        """Start `corpus` with pipes on stdout and stderr unless told otherwise."""
        return start(*arguments, cwd=self.path, env=self.added | (env or {}), **options)

    def outcome(self, process: subprocess.Popen[bytes], stdin: bytes | None = None, peak: int = 0) -> Outcome:
        """Wait for a process and return what it left."""
        try:
            stdout, stderr = process.communicate(stdin, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            stderr = (stderr or b"") + b"\n(killed: it did not end)"
        words = process.args if isinstance(process.args, list) else [str(process.args)]
        return Outcome(
            shlex.join(map(str, words)), self.path, process.returncode, stdout or b"",
            (stderr or b"").decode("utf-8", "replace"), peak,
        )  # fmt: skip

    def corpus(self, *arguments: object, stdin: bytes | BinaryIO | None = None, **options: Any) -> Outcome:
        """Run `corpus` to its end; bytes for its standard input are given through a pipe, a file is the file."""
        data = stdin if isinstance(stdin, bytes) else None
        if stdin is not None:
            options["stdin"] = stdin if data is None else subprocess.PIPE
        return self.outcome(self.start(*arguments, **options), data)

    def shell(self, script: str, **added: str) -> Outcome:
        """Run a shell script in which `$corpus` is the command."""
        corpus = shlex.join(self.command())
        process = subprocess.Popen(
            ["/bin/bash", "-c", script.replace("$corpus", corpus)], cwd=self.path,
            env=self.variables | added, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        return self.outcome(process)

    def measured(self, *arguments: object, **options: Any) -> Outcome:
        """Run `corpus` with its output thrown away and measure the peak of its resident memory."""
        options.setdefault("stdout", subprocess.DEVNULL)
        process = self.start(*arguments, **options)
        peak = 0
        deadline = time.monotonic() + SECONDS
        # The kernel keeps the high-water mark, but only while the process lives: the last look must come late, so it
        # is looked at often. (ru_maxrss would hold the parent's pages from before exec.)
        while process.poll() is None and time.monotonic() < deadline:
            peak = max(peak, high_water_mark(process.pid))
            time.sleep(0.002)
        return self.outcome(process, peak=peak)

    def interrupt(
        self, number: int, when: Callable[[subprocess.Popen[bytes]], bool], *arguments: object, **options: Any
    ) -> Outcome:
        """Start `corpus` and send it a signal as soon as `when` holds."""
        process = self.start(*arguments, **options)
        deadline = time.monotonic() + 60
        while process.poll() is None and not when(process) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert process.poll() is None, f"it ended before the signal could be sent:\n{self.outcome(process)}"
        process.send_signal(number)
        return self.outcome(process)


def high_water_mark(pid: int) -> int:
    """Return the peak resident bytes of a process so far (VmHWM), 0 when it has gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def handles_signals(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has installed its handlers and loaded its kernels."""
    try:
        caught = next(
            line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("SigCgt:")
        )
    except (OSError, StopIteration):
        return False
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


class SmallDisk:
    """A file system of a few MiB, mounted on a folder; skips the test where none can be mounted."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def __enter__(self) -> Path:
        self.path.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"size={self.size}".encode()
        if libc.mount(b"tmpfs", os.fsencode(self.path), b"tmpfs", 0, options):
            pytest.skip(f"no tmpfs can be mounted here: {os.strerror(ctypes.get_errno())}")
        return self.path

    def __exit__(self, *error: object) -> None:
        ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(self.path), 2)
