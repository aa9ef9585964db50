"""The kernels under AddressSanitizer and UndefinedBehaviorSanitizer: no byte outside a buffer, no undefined step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = {
    "records": ["test_kernels_records.py", "test_kernels_bounds.py", "test_sift.py", "test_order.py"],
    "verify": ["test_verify_kernel.py"],
    "lattice": [
        "test_lattice.py",
        "test_lattice_words.py",
        "test_automaton.py",
        "test_running_sum.py",
        "test_mixture.py",
    ],
    "bpe": ["test_bpe_kernel.py", "test_dropout.py", "test_merges_kernel.py"],
    "text": [
        "test_vocabulary.py",
        "test_normalize.py",
        "test_json_kernel.py",
        "test_kernels_rows.py",
        "test_packing.py",
        "test_lz4.py",
    ],
    "split": ["test_split_kernel.py"],
}
# Watched code takes ten times as long; each example is still there in the ordinary run.
EXAMPLES = "0.2"
FLAGS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]


def runtime(compiler: str) -> str:
    """The path of the sanitizer's library, which has to be loaded before the interpreter."""
    found = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
    path = found.stdout.strip()
    if not os.path.isabs(path):
        pytest.skip("the compiler has no libasan")
    return os.path.realpath(path)


def build(compiler: str, folder: Path) -> None:
    """Compile each kernel from the C that Cython made of it, with sanitizers, into a copy of the package."""
    shutil.copytree(ROOT / "corpustools", folder / "corpustools", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    commands = []
    for extension in project["tool"]["setuptools"]["ext-modules"]:
        source = folder / extension["sources"][0]
        made = source.with_suffix(".c")
        # The build leaves the C beside its source; copies keep their times.
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            pytest.skip(f"{made.name} is missing or older than its source: install the checkout first")
        macros = [f"-D{name}={value}" for name, value in extension["define-macros"]]
        command = [compiler, "-shared", "-fPIC", "-w", *FLAGS, "-fno-strict-aliasing", *macros]
        command += [f"-I{sysconfig.get_paths()['include']}", f"-I{source.parent}", str(made)]
        commands.append([*command, "-o", str(source.with_suffix(".abi3.so"))])
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(lambda command: subprocess.run(command, check=True), commands))


def variables_of(library: str, folder: Path) -> dict[str, str]:
    """The environment of an interpreter that watches memory and takes the package from the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CORPUS_", "PYTEST_"))}
    return kept | {
        "LD_PRELOAD": library,
        # The interpreter keeps what it allocates; stacks that are used after return are not this code's style.
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(folder),
        "CORPUS_KERNELS": "compiled",
    }


@pytest.mark.heavy
@pytest.mark.timeout(1500)
def test_the_kernels_are_clean_under_the_sanitizers(tmp_path: Path):
    """Their own tests pass in interpreters that watch every access of the kernels: all groups at once, built once."""
    compiler = shutil.which("gcc")
    if compiler is None or not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        pytest.skip("no gcc, or no headers of Python")
    variables = variables_of(runtime(compiler), tmp_path)
    build(compiler, tmp_path)
    for path in (ROOT / "tests").glob("*.py"):
        shutil.copy(path, tmp_path)
    check = "import corpustools.kernels.records.compiled as k, sys; sys.exit(not k.__file__.startswith(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", check, str(tmp_path)], env=variables, cwd=tmp_path, check=True)
    options = ["-q", "-s", "-p", "no:cacheprovider", "--examples", EXAMPLES, "--durations", "5", "-k", "not plain"]
    running = {}
    try:
        for group, tests in TESTS.items():
            words = [sys.executable, "-m", "pytest", *options, *tests]
            with (tmp_path / f"{group}.log").open("wb") as log:
                running[group] = subprocess.Popen(words, env=variables, cwd=tmp_path, stdout=log, stderr=log)
        for group, process in running.items():
            status = process.wait()
            said = (tmp_path / f"{group}.log").read_text("utf-8", "replace")
            report = max(said.find("ERROR: AddressSanitizer"), said.find("runtime error: ") - 200, 0)
            assert status == 0, f"{group}:\n{said[report : report + 4000]}\n{said[-3000:]}"
            assert "passed" in said
            assert "skipped" not in said
    finally:
        for process in running.values():
            process.kill()
            process.wait()
