"""The project keeps the rules it has for itself."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A dependency that nothing imports yet, and why it stands there all the same.
NOT_IMPORTED = {"sentencepiece": "a user asked for it; canonical ids of BPE models will come from it"}


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
