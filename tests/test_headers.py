"""The kernels' headers: each compiles alone, none is forgotten by the build, none is longer than a reader bears."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "corpustools" / "kernels"
HEADERS = sorted(KERNELS.rglob("*.h"))
SOURCES = sorted([*HEADERS, *KERNELS.rglob("*.pyx"), *KERNELS.rglob("*.pxi")])


def name_of(path: Path) -> str:
    return str(path.relative_to(KERNELS))


def is_template(path: Path) -> bool:
    """Whether a header is included once for each kind of processor, with names that its includer defines."""
    return path.name.endswith("loops.h")


def includes(path: Path) -> set[Path]:
    """Return the files of this project that a source includes, however deep."""
    found: set[Path] = set()
    for name in re.findall(r'(?:#include|\binclude|cdef extern from) "([^"]+)"', path.read_text("utf-8")):
        file = Path(os.path.normpath(path.parent / name))
        if file.exists():
            found |= {file} | includes(file)
    return found


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
@pytest.mark.parametrize("header", [header for header in HEADERS if not is_template(header)], ids=name_of)
def test_a_header_includes_what_it_uses(header: Path):
    """A reader, an editor and a compiler that open it need no other file before it."""
    command = ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fsyntax-only", "-x", "c"]
    made = subprocess.run([*command, str(header)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def test_the_build_knows_what_each_kernel_includes():
    """A kernel is compiled again when any of its headers changes: setuptools has no other way to know."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for extension in project["tool"]["setuptools"]["ext-modules"]:
        wanted = {str(file.relative_to(ROOT)) for file in includes(ROOT / extension["sources"][0])}
        assert set(extension.get("depends", [])) == wanted, extension["name"]


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_sources_are_as_long_as_a_reader_bears(source: Path):
    """At most 300 lines of at most 120 characters."""
    lines = source.read_text("utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > 120] == []
    assert len(lines) <= 300
