"""The tour and the glossary are true: what they name is there.

In the tour, `path`: `name`, `Class.method` says that the file defines the names. Any other name in backticks is that of
a command, an option, or something that the package defines.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOUR = (ROOT / "docs" / "tour.md").read_text("utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
SOURCES = sorted(one for one in (ROOT / "corpustools").rglob("*") if one.suffix in (".py", ".pyx", ".pxi", ".h"))
# A path, and behind a colon the names that are to be found there; text may be broken between them.
BOUND = re.compile(r"`([\w.-]*/[\w./-]*)`(?::\s((?:`[\w.]+`(?:,\s)?)+))?")
# How many files a walk may lead through.
WALKS = {"How a line gets to its place": 12, "How a text becomes ids": 16}
# Words in backticks that are no names of this code.
OF_THE_TOUR = {
    *("big.txt", "-n", "-f", ".venv", "compiled.pyx", "compiled.pyi", "plain.py", "pyproject.toml"),
    *("corpus shuffle -s 42 big.txt -o out.txt", "corpus tokenize -m t.model --alpha 0.2 -s 7 words.txt"),
    *("corpus explain", "tokenizer.json"),
}
OF_THE_GLOSSARY = {
    *("code", "tokenizer.json", "<|user|>", "plain.py", "newest st", "est", "west", "s", "t", "▁", "▁newest▁st"),
    *("▁new est west ▁ n e w s t", "bos", "eos", "ids", "npy"),
}


def defined_in_python(path: Path) -> set[str]:
    """Return the functions, classes, `Class.method` and constants that a file defines."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id for one in targets if isinstance(one, ast.Name)}
    return found


def defined_in_c(path: Path) -> set[str]:
    """Return the functions, types and macros that a header or a Cython source defines."""
    text = re.sub(r"__attribute__\(\(\w+\)\) ", "", path.read_text("utf-8"))
    functions = re.findall(r"^(?:static|cdef|cpdef|def)\b[^;={}\n]*?(\w+)\(", text, re.M)
    templates = re.findall(r"^static\b.*\bNAME\((\w+)\)\(", text, re.M)
    types = re.findall(r"^(?:\} |typedef struct |cdef class |cdef struct )(\w+)", text, re.M)
    return {*functions, *templates, *types, *re.findall(r"^#define (\w+)", text, re.M)}


@cache
def defined(path: Path) -> set[str]:
    """Return what a file defines."""
    return defined_in_python(path) if path.suffix == ".py" else defined_in_c(path)


@cache
def defined_anywhere() -> set[str]:
    """Return what the package defines, and the names of its stages and commands."""
    stages = {one.name for one in (ROOT / "corpustools" / "stages").iterdir() if one.is_dir()}
    return stages.union(*(defined(path) for path in SOURCES))


def section(heading: str) -> str:
    """Return the text of the tour under a heading."""
    return TOUR.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def stops(heading: str) -> list[str]:
    """Return the numbered stops of a walk."""
    return re.findall(r"^\d+\. .*(?:\n    ?.+)*", section(heading).split("\nSide branches:\n")[0], re.M)


def test_every_path_of_the_tour_is_there_and_defines_what_is_said():
    """A reader who opens a file finds the names that the tour has promised."""
    wrong = []
    for path, names in BOUND.findall(TOUR):
        if not (ROOT / path).exists():
            wrong.append(path)
        elif names:
            wrong += [f"{path}: {one}" for one in re.findall(r"`(.+?)`", names) if one not in defined(ROOT / path)]
    assert wrong == []
    assert len(BOUND.findall(TOUR)) > 70


@pytest.mark.parametrize(
    ("text", "other"), [(TOUR, OF_THE_TOUR), (GLOSSARY, OF_THE_GLOSSARY)], ids=["tour", "glossary"]
)
def test_every_other_name_is_defined_by_the_package(text: str, other: set[str]):
    """No name outlives what it stood for, and no exception its use."""
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    free = {" ".join(one.split()) for one in re.findall(r"`([^`]+)`", BOUND.sub("", prose))}
    names = {one for one in free if not one.startswith("--") and not re.match(r"(?:\w+=\w+ )?\.?\w+/", one)}
    assert names - defined_anywhere() == other


def test_every_command_of_the_tour_is_there():
    """Programs of the project that are named with arguments exist."""
    programs = set(re.findall(r"`(?:\w+=\w+ )?((?:bin|\.ci)/[\w.-]+)", TOUR))
    assert len(programs) >= 7
    assert [one for one in programs if not (ROOT / one).exists()] == []


@pytest.mark.parametrize("heading", WALKS)
def test_a_walk_is_short_and_every_stop_is_a_file(heading: str):
    """A stop begins with its file and what to look at, and a walk leads through no other files."""
    walk = stops(heading)
    files = {path for stop in walk for path, _ in BOUND.findall(stop)}
    assert all(re.match(r"\d+\. `[\w./]+`:\s`", stop) for stop in walk)
    assert 8 <= len(walk) <= WALKS[heading]
    assert len(files) == len(walk)


def test_definitions_are_found_in_all_languages():
    """The readers of sources see methods, constants, C functions, templates, types and macros."""
    records = ROOT / "corpustools" / "kernels" / "records"
    assert {"BucketSet", "BucketSet.make_room", "RangeTooFull"} <= defined(
        ROOT / "corpustools" / "stages" / "shuffle" / "buckets.py"
    )
    assert {"take", "cut_batch", "scatter"} <= defined(records / "scatter_loops.h")
    assert {"Scatter"} <= defined(records / "scatter.pxi")
    assert "no_such_function" not in defined_anywhere()
