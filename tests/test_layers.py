"""The house: imports run one way, the terminal stays in one place, and cheap commands load little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import corpustools

ROOT = Path(corpustools.__file__).parent
# The floors, from the top: a package may import from its own floor's package and from floors of greater number. The
# stages stand side by side and do not know each other. `jobs` and `cluster` have their places before they are built.
FLOORS = {
    "cli": 0,
    "jobs": 1,
    "cluster": 2,
    "inspect": 3,
    "stages.shuffle": 4,
    "stages.tokenize": 4,
    "stages.nabc": 4,
    "formats": 5,
    "files": 6,
    "kernels": 7,
    "errors": 9,
    "machine": 8,
    "progress": 8,
    "seeds": 8,
    "sizes": 8,
}
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


def module_name(path: Path) -> str:
    """The dotted name of a file of the package, below `corpustools`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(module: str) -> str | None:
    """The room of FLOORS that a dotted name below `corpustools` stands in."""
    return next((room for room in FLOORS if module == room or module.startswith(room + ".")), None)


MODULES = {module_name(path): path for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path):
    """cli -> jobs -> cluster, inspect -> stages -> formats -> files -> kernels -> ground."""
    own = module_name(path)
    if own in ("", "stages"):
        return
    room = floor(own)
    assert room is not None, f"{own} has no place among the floors"
    for name in imported(path):
        other = floor(name.removeprefix("corpustools."))
        if name.startswith("corpustools.") and other is not None and other != room:
            assert FLOORS[other] > FLOORS[room], f"{own} imports {name}"


def test_no_module_imports_itself_by_a_detour():
    """The arrows between modules form no circle, imports inside functions and for type checkers included."""
    arrows = {}
    for module, path in MODULES.items():
        names = {name.removeprefix("corpustools.") for name in imported(path) if name.startswith("corpustools.")}
        # `from package import name` names the package and, where that is a module, the name.
        modules = {name for name in names if name in MODULES}
        deeper = {name for name in modules if any(other.startswith(name + ".") for other in names & MODULES.keys())}
        arrows[module] = modules - deeper - {module}
    arrows.pop("")
    while arrows:
        leaves = {module for module, targets in arrows.items() if not targets & arrows.keys()}
        assert leaves, f"a circle among {sorted(arrows)}"
        for leaf in leaves:
            del arrows[leaf]


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
    "corpustools.stages.shuffle",
    "concurrent.futures",
)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["shufle"]])
def test_cheap_commands_load_click_and_nothing_heavier(arguments: list[str]):
    """What a command loads is what its user waits for."""
    script = (
        "import atexit, sys\n"
        f"sys.argv[1:] = {arguments!r}\n"
        f"atexit.register(lambda: print('loaded:', *[m for m in {HEAVY!r} if m in sys.modules], file=sys.__stderr__))\n"
        "from corpustools.cli.main import main\nmain()\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert process.stderr.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize("command", ["shuffle", "tokenize", "detokenize", "verify"])
def test_help_of_a_command_loads_no_numpy(command: str):
    """Reading the options of a command needs no engine, and the names of formats need none of them."""
    script = (
        f"import atexit, sys\nsys.argv[1:] = ['{command}', '--help']\n"
        "atexit.register(lambda: print('numpy' in sys.modules, 'tqdm' in sys.modules, file=sys.__stderr__))\n"
        "from corpustools.cli.main import main\nmain()\n"
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
