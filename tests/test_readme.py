"""The README is true: every session and every snippet prints what is shown there.

A block marked `console` is a session: a line that begins with `$ ` is run, the lines up to the next are what it prints,
on both standard output and standard error. A block marked `python` is a doctest. In both, `...` stands for the rest of
a line, and alone on a line for any lines. Indented blocks are set-up commands. All sessions run in one fresh folder,
from top to bottom, as a reader would type them.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import Folder, needs_speed

README = Path(__file__).parent.parent / "README.md"

# Set-up commands are not run, or not as they are: each with the reason.
RUN_WITH_A_STAND_IN = {
    "seq 1000000 | bin/corpus shuffle --seed 42 -o shuffled.txt": "bin/corpus would make an environment here",
}
NOT_RUN = {
    "bin/check": "it runs this test",
    "pipx install .": "it changes the user's machine",
    "uv tool install .": "it changes the user's machine",
    "pip install .": "it changes the environment that the tests run in",
}
_END = "--- end of a command ---"


@dataclass
class Command:
    """A command of a session, the line of the README it stands on, and what it prints there."""

    line: int
    text: str
    output: str = ""


@dataclass
class Readme:
    """The code of the README."""

    commands: list[Command]
    python: str
    setup: list[str]
    other: list[str]


def read(text: str) -> Readme:
    """Return the code in the text, `other` being fences of any other kind."""
    found = Readme([], "", [], [])
    fence = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            fence = line[3:] if fence is None else None
            if fence is not None and fence not in ("console", "python"):
                found.other.append(line)
        elif fence == "console" and line.startswith("$ "):
            found.commands.append(Command(number, line[2:]))
        elif fence == "console":
            found.commands[-1].output += line + "\n"
        elif fence == "python":
            found.python += line + "\n"
        elif fence is None and line.startswith("    "):
            found.setup.append(line.strip())
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether the output is the one that is shown, `...` standing for anything."""
    lines = (
        r"(?:.*\n)*" if line == "...\n" else re.escape(line).replace(re.escape("..."), ".*")
        for line in shown.splitlines(keepends=True)
    )
    return re.fullmatch("".join(lines), printed) is not None


def prepare(folder: Folder) -> None:
    """Put `corpus`, `python` and a stand-in for bin/corpus into the folder."""
    python = f"exec {sys.executable}"
    for name, words in (("tools/corpus", "-m corpustools"), ("tools/python", ""), ("bin/corpus", "-m corpustools")):
        path = folder.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\n{python} {words} "$@"\n')
        path.chmod(0o755)
    folder.added["PATH"] = f"{folder.path / 'tools'}{os.pathsep}{folder.variables['PATH']}"


@needs_speed
def test_every_session_and_snippet_prints_what_the_readme_shows(folder):
    """The commands of all sessions, and after them the Python snippets, run as printed."""
    readme = read(README.read_text())
    prepare(folder)
    script = "exec 2>&1\n" + "".join(f"{one.text}\necho '{_END}'\n" for one in readme.commands)
    printed = folder.shell(script).ok().stdout.decode().split(f"{_END}\n")
    assert len(printed) == len(readme.commands) + 1
    wrong = [
        f"README.md:{one.line}: $ {one.text}\nshown:\n{one.output}printed:\n{output}"
        for one, output in zip(readme.commands, printed, strict=False)
        if not matches(one.output, output)
    ]
    assert not wrong, "\n".join(wrong)
    folder.write("snippets.txt", readme.python.encode())
    outcome = folder.shell("python -m doctest -o ELLIPSIS -o NORMALIZE_WHITESPACE snippets.txt")
    assert outcome.status == 0, outcome.stdout.decode()


@needs_speed
def test_the_first_command_of_the_readme_shuffles_a_million_lines(folder):
    """The command that is run first gives the same bytes everywhere."""
    prepare(folder)
    for command in RUN_WITH_A_STAND_IN:
        folder.shell(command).ok()
    lines = folder.read("shuffled.txt").splitlines()
    assert lines[:3] == [b"469940", b"680320", b"990231"]
    assert sorted(map(int, lines)) == list(range(1, 1000001))


def test_no_code_of_the_readme_escapes_this_test():
    """Every block is a session, a snippet, or a set-up command with a reason for not being run."""
    readme = read(README.read_text())
    assert not readme.other
    assert len(readme.commands) > 30
    assert readme.python.count(">>> ") > 10
    assert sorted(readme.setup) == sorted([*RUN_WITH_A_STAND_IN, *NOT_RUN])


def test_dots_stand_for_the_rest_of_a_line_or_for_lines():
    """The comparison forgives what is elided, and nothing else."""
    assert matches("a ... c\n", "a b c\n")
    assert not matches("a ... c\n", "a b\nc\n")
    assert matches("a\n...\nd\n", "a\nb\nc\nd\n")
    assert matches("a\n...\nd\n", "a\nd\n")
    assert not matches("a\n", "a\nb\n")
    assert not matches("", "a\n")
