"""What bin/readers stands on: a reader that nobody runs tells nothing."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
HERE = ROOT / "tests" / "readers"
READERS = tomllib.loads((HERE / "readers.toml").read_text("utf-8"))


def test_every_reader_has_tests_and_a_result():
    """docs/formats.md names no reader that was not tried, and no tests are left out by bin/readers."""
    assert {f"test_{name}.py" for name in READERS} == {path.name for path in HERE.glob("test_*.py")}
    results = json.loads((HERE / "results.json").read_text("utf-8"))
    assert set(results) == set(READERS)
    assert all(result["passed"] > 0 for result in results.values())
    assert all(bool(result.get("passed with torch")) == READERS[name]["torch"] for name, result in results.items())


def test_the_readers_are_pinned():
    """A result is that of one version."""
    for reader in READERS.values():
        assert all("==" in package for package in reader["reader"])


def test_a_reader_that_is_none_is_refused(tmp_path):
    """A typing error makes no environment."""
    variables = os.environ | {"CORPUS": "true", "READERS_DIR": str(tmp_path)}
    for words in (["nonsense"], ["--nonsense", "numpy"]):
        done = subprocess.run(
            [ROOT / "bin" / "readers", *words], env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "usage: bin/readers [--torch] [--record] [all|ci|numpy|" in done.stderr
    assert os.listdir(tmp_path) == []
