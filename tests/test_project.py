"""The project keeps the rules it has for itself."""

import ast
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A dependency that nothing imports yet, and why it stands there all the same.
NOT_IMPORTED = {"sentencepiece": "a user asked for it; canonical ids of BPE models will come from it"}

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
        for path in sorted((ROOT / "tests").glob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
