"""The house: imports run one way, the terminal stays in one place, and cheap commands load little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import corpustools

ROOT = Path(corpustools.__file__).parent
# Each layer may import from those of greater number; tokenize, shuffle and nabc do not know each other.
LEVELS = {"cli": 0, "cluster": 1, "shuffle": 2, "tokenize": 2, "nabc": 2, "files": 3, "kernels": 4, "errors": 5}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function, strings for import_module aside."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.update({node.module or ""} | {f"{node.module}.{one.name}" for one in node.names})
    return names


def layer(module: str) -> str | None:
    """The layer of a module of the package."""
    parts = module.split(".")
    return parts[1] if parts[0] == "corpustools" and len(parts) > 1 and parts[1] in LEVELS else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path):
    """cli -> cluster -> shuffle | tokenize | nabc -> files -> kernels, errors."""
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in LEVELS, f"{own} has no place among the layers"
    for name in imported(path):
        other = layer(name)
        if other is not None and other != own:
            assert LEVELS[other] > LEVELS[own], f"{own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_line_knows_the_terminal(path: Path):
    """click and tqdm are imported under cli/, ray under cluster/ray.py, and nobody else prints."""
    place = path.relative_to(ROOT)
    tops = {name.split(".")[0] for name in imported(path)}
    if place.parts[0] != "cli":
        assert not tops & {"click", "tqdm"}
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert not [one for one in calls if isinstance(one, ast.Name) and one.id in ("print", "input")]
    if str(place) != "cluster/ray.py":
        assert "ray" not in tops


HEAVY = (
    "numpy",
    "tqdm",
    "zstandard",
    "sentencepiece",
    "ray",
    "ctypes",
    "corpustools.shuffle",
    "concurrent.futures",
)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["shufle"]])
def test_cheap_commands_load_click_and_nothing_heavier(arguments: list[str]):
    """What a command loads is what its user waits for."""
    script = (
        "import atexit, sys\n"
        f"sys.argv[1:] = {arguments!r}\n"
        f"atexit.register(lambda: print('loaded:', *[m for m in {HEAVY!r} if m in sys.modules], file=sys.__stderr__))\n"
        "from corpustools.cli import main\nmain()\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert process.stderr.splitlines()[-1] == "loaded:"


def test_help_of_a_command_loads_no_numpy():
    """Reading the options of shuffle needs no engine."""
    script = (
        "import atexit, sys\nsys.argv[1:] = ['shuffle', '--help']\n"
        "atexit.register(lambda: print('numpy' in sys.modules, 'tqdm' in sys.modules, file=sys.__stderr__))\n"
        "from corpustools.cli import main\nmain()\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert process.stderr.splitlines()[-1] == "False False"


def test_the_public_names_are_callable_more_than_once():
    """Importing a home module puts the module in the name's place: the name must still be usable."""
    script = (
        "import corpustools\n"
        "for _ in range(3):\n"
        "    for name in corpustools.__all__:\n"
        "        assert callable(getattr(corpustools, name)) or name.startswith('__'), name\n"
        "from corpustools import shuffle\nassert callable(shuffle)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
