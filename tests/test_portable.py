"""The loops over records as they run on a processor without AVX2: compiled so, they pass the same tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ["test_kernels_records.py", "test_kernels_bounds.py", "test_sift.py"]


def build(compiler: str, folder: Path) -> Path:
    """Compile the kernel without its loops for AVX2, into a copy of the package."""
    shutil.copytree(ROOT / "corpustools", folder / "corpustools", ignore=shutil.ignore_patterns("__pycache__"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    [kernel] = [one for one in project["tool"]["setuptools"]["ext-modules"] if ".records." in one["name"]]
    source = folder / kernel["sources"][0]
    made, library = source.with_suffix(".c"), source.with_suffix(".abi3.so")
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        pytest.skip(f"{made.name} is missing or older than its source: install the checkout first")
    library.unlink(missing_ok=True)
    macros = [f"-D{name}={value}" for name, value in kernel["define-macros"]]
    command = [compiler, "-shared", "-fPIC", "-w", "-O1", "-fno-strict-aliasing", "-DCORPUS_PORTABLE", *macros]
    command += [f"-I{sysconfig.get_paths()['include']}", f"-I{source.parent}", str(made), "-o", str(library)]
    subprocess.run(command, check=True)
    return library


def test_the_loops_for_any_processor_pass_the_same_tests(tmp_path: Path):
    """Kernel and twin are equal there too."""
    compiler = shutil.which("gcc")
    if compiler is None or not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        pytest.skip("no gcc, or no headers of Python")
    library = build(compiler, tmp_path)
    assert b"scatter_portable" in library.read_bytes()
    assert b"_avx2" not in library.read_bytes()
    for path in (ROOT / "tests").glob("*.py"):
        shutil.copy(path, tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CORPUS_", "PYTEST_"))}
    variables = kept | {"PYTHONPATH": str(tmp_path), "CORPUS_KERNELS": "compiled"}
    check = "import corpustools.kernels.records.compiled as k, sys; sys.exit(not k.__file__.startswith(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", check, str(tmp_path)], env=variables, cwd=tmp_path, check=True)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--examples", "0.3", *TESTS]
    made = subprocess.run(words, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-5000:]
    assert "passed" in made.stdout
