"""The project keeps the rules it has for itself."""

import ast
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
# How long a file and a function may be that a reader takes in at once; the docstring of a function is not counted.
FILE_LINES, FUNCTION_LINES = 300, 50
# What is longer all the same, and why.
LONGER = {
    "corpustools/stages/tokenize/api.py: tokenize": "every option stands in the signature",
    "tests/tokenizer_fuzz.py": "lists of awkward texts, and a small function for each part of a pipeline",
    "corpustools/stages/tokenize/tokenizer.py": "one class, all of it public, and four lines of five document it",
}
# A file of tests is a list of promises that are read one at a time.
TEST_FILE_LINES = 600
# A dependency that nothing imports yet, and why it stands there all the same.
NOT_IMPORTED: dict[str, str] = {}

# Tests that interrupt `corpus`.
QUIET = "test_quiet_leaves_out_the_announcement"
READING = f"test_a_signal_while_reading[file-{int(signal.SIGHUP)}]"


def imported_names() -> set[str]:
    """The first names of all imports under corpustools/, wherever in a file they stand."""
    found = set()
    for path in (ROOT / "corpustools").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    return found


def test_every_dependency_is_imported_or_explained():
    """What a user has to install is used, or stands above with its reason; no reason outlives its cause."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.match(r"[\w-]+", wanted).group().replace("-", "_") for wanted in project["dependencies"]}
    assert names - imported_names() == set(NOT_IMPORTED)


def test_signals_arrive_where_the_caller_ignores_them():
    """`nohup bin/check &` ignores SIGHUP and SIGINT; `corpus` in the tests gets them all the same."""
    ignoring = ["/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "sh"]
    tests = [f"tests/test_cli_nabc.py::{QUIET}", f"tests/test_shuffle_faults.py::{READING}"]
    words = [*ignoring, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "120", *tests]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_every_test_says_its_promise():
    """A test without a docstring is a test whose failure nobody can judge."""
    silent = [
        f"{path.name}::{node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def functions_of(path: Path) -> list[tuple[str, int]]:
    """Return every function of a source in Python, Cython or C, and its lines without the docstring."""
    if path.suffix == ".py":
        found = []
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                told = node.body[0] if ast.get_docstring(node) else None
                docstring = told.end_lineno - told.lineno + 1 if told else 0
                found.append((node.name, node.end_lineno - node.lineno + 1 - docstring))
        return found
    lines = path.read_text("utf-8").splitlines()
    # In C what begins with `static` ends with a brace at the margin, in Cython what is indented is the body.
    starts = r"static\b.*\(" if path.suffix == ".h" else r"\s*(?:def|cp?def(?! class| struct| extern| enum)) .*\("
    found = []
    for first, line in enumerate(lines):
        if not re.match(starts, line):
            continue
        margin = len(line) - len(line.lstrip())
        last = first
        for number in range(first + 1, len(lines)):
            inside = not lines[number].strip() or len(lines[number]) - len(lines[number].lstrip()) > margin
            if not inside and path.suffix != ".h":
                break
            last = number if lines[number].strip() else last
            if path.suffix == ".h" and lines[number] == "}":
                break
        found.append((line.strip(), last - first + 1))
    return found


def test_files_and_functions_are_as_long_as_a_reader_bears():
    """What is longer stands in LONGER with its reason, and no reason outlives its cause."""
    folders = [ROOT / name for name in ("corpustools", "bin", "tests")]
    endings = (".py", ".pyx", ".pxi", ".h")
    longer = set()
    for path in [ROOT / "setup.py", *(one for folder in folders for one in folder.rglob("*") if one.suffix in endings)]:
        name = str(path.relative_to(ROOT))
        most = TEST_FILE_LINES if name.startswith("tests/test_") else FILE_LINES
        if len(path.read_text("utf-8").splitlines()) > most:
            longer.add(name)
        longer |= {f"{name}: {one}" for one, lines in functions_of(path) if lines > FUNCTION_LINES}
    assert longer == set(LONGER)


def test_the_lengths_of_functions_are_found():
    """The counter sees functions in all three languages."""
    kernels = ROOT / "corpustools" / "kernels"
    c = dict(functions_of(kernels / "philox.h"))
    assert next(lines for start, lines in c.items() if " philox_key(" in start) == 5
    cython = dict(functions_of(kernels / "buffers.pxi"))
    assert next(lines for start, lines in cython.items() if " release(" in start) == 4
    python = dict(functions_of(ROOT / "corpustools" / "seeds.py"))
    assert python["seed_words"] == 3
