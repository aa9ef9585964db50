"""Runs the sessions of docs/formats.md, one for each reader.

A session is a page in tests/readers/sessions. Its `console` blocks are commands and what they print, `...` standing
for anything in a line; its `python` blocks are doctests that run afterwards in this process, in the same folder.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import subprocess
from pathlib import Path

from readers.documents import Corpus

PAGES = Path(__file__).parent / "sessions"
TEXT = "the newest tests\nwest\n"
MODEL = "<unk>\t0\n<s>\t0\n</s>\t0\nthe\t-2\nnew\t-2\nest\t-2\ntest\t-3\nwest\t-4\ns\t-5\nw\t-6\n \t-1\n"


def blocks(page: str, kind: str) -> list[str]:
    """Return the text of a page's fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.M | re.S)


def run_session(name: str, folder: Path) -> None:
    """Run a session in a folder that holds a model and a text.

    Args:
        name: the page.
        folder: an empty folder.
    """
    page = (PAGES / f"{name}.md").read_text("utf-8")
    (folder / "t.vocab").write_text(MODEL)
    (folder / "words.txt").write_text(TEXT)
    (folder / "bin").mkdir()
    corpus = Corpus(folder)
    command = folder / "bin" / "corpus"
    command.write_text(f'#!/bin/sh\nexec {" ".join(corpus.command)} "$@"\n')
    command.chmod(0o755)
    variables = corpus.variables | {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}
    commands = blocks(page, "console")
    assert commands, f"{name}.md shows no command"
    for block in commands:
        for shown in re.findall(r"^\$ .*\n(?:(?!\$ ).*\n)*", block, re.M):
            line, _, expected = shown.removeprefix("$ ").partition("\n")
            done = subprocess.run(
                ["/bin/sh", "-c", f"exec 2>&1; {line}"], cwd=folder, env=variables, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            printed = done.stdout if done.stdout.endswith("\n") or not done.stdout else f"{done.stdout}\n"
            pattern = re.escape(expected).replace(re.escape("..."), ".*")
            assert re.fullmatch(pattern, printed), f"$ {line}\nshown:\n{expected}printed:\n{printed}"
    source = "\n".join(blocks(page, "python"))
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    test = doctest.DocTestParser().get_doctest(source, {}, name, f"{name}.md", 0)
    told: list[str] = []
    with contextlib.chdir(folder):
        result = doctest.DocTestRunner(optionflags=options, verbose=False).run(test, out=told.append)
    assert not result.failed, "".join(told)
