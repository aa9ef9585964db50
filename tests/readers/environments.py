"""Makes the environments of the readers and runs each reader's tests in its own; the work of bin/readers."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# A folder of environments that several checkouts share may be named.
PLACE = Path(os.environ.get("READERS_DIR") or ROOT / ".venv-readers")
RESULTS = HERE / "results.json"
READERS: dict[str, dict[str, Any]] = tomllib.loads((HERE / "readers.toml").read_text("utf-8"))
TESTING = ["pytest>=8.3", "pytest-timeout>=2.3"]
# The newest that every reader allows.
TORCH = ["torch==2.13.0"]


class Failed(Exception):
    """Something could not be installed."""


def say(text: str) -> None:
    """Tell the user what happens."""
    sys.stderr.write(f"readers: {text}\n")
    sys.stderr.flush()


def pip(python: Path | str, log: Path, *words: str) -> None:
    """Install packages, and keep what pip says in a file."""
    with log.open("a") as out:
        command = [python, "-m", "pip", "install", "--disable-pip-version-check", *words]
        if subprocess.run(command, stdout=out, stderr=out, check=False).returncode:
            raise Failed(f"an installation failed; {log} says why")


def make(name: str) -> Path:
    """Make the environment of a reader, unless it is there; return its interpreter."""
    facts = READERS[name]
    folder = PLACE / name
    python, stamp = folder / "bin" / "python", folder / "stamp"
    wanted = hashlib.sha256(repr([facts, TESTING, sys.version]).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    started = time.monotonic()
    PLACE.mkdir(parents=True, exist_ok=True)
    log = PLACE / f"{name}.log"
    log.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    if facts["torch"]:
        pip(python, log, "--no-deps", *facts["reader"])
        pip(python, log, *TESTING, *facts["needs"])
    else:
        pip(python, log, *TESTING, *facts["needs"], *facts["reader"])
    stamp.write_text(wanted)
    say(f"{name}: {', '.join(facts['reader'])} installed in {time.monotonic() - started:.0f} s, {size_of(folder)} MB")
    return python


def make_torch(python: Path) -> Path:
    """Install the real torch in a folder that all environments can look into; return it."""
    folder = PLACE / "torch"
    stamp = folder / "stamp"
    if not stamp.exists() or stamp.read_text() != repr(TORCH):
        started = time.monotonic()
        pip(python, PLACE / "torch.log", "--target", str(folder), "--upgrade", *TORCH)
        stamp.write_text(repr(TORCH))
        say(f"torch installed in {time.monotonic() - started:.0f} s, {size_of(folder)} MB")
    return folder


def size_of(folder: Path) -> int:
    """Return the megabytes in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) >> 20


def test(name: str, real_torch: bool) -> tuple[int, dict[str, Any]]:
    """Run a reader's tests; return pytest's status and what to record."""
    python = make(name)
    variables = os.environ | {"READER": name}
    if real_torch:
        variables["PYTHONPATH"] = str(make_torch(python))
    words = [python, "-m", "pytest", "-q", "-c", "pyproject.toml", "--confcutdir", "tests/readers", "-m", "readers"]
    words += ["-p", "no:cacheprovider", f"tests/readers/test_{name}.py"]
    started = time.monotonic()
    with subprocess.Popen(words, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        last = ""
        for line in process.stdout or ():
            sys.stdout.write(line)
            last = line
    sys.stdout.flush()
    passed = re.search(r"(\d+) passed", last)
    count = int(passed.group(1)) if passed else 0
    say(f"{name}: {last.strip()}; {time.monotonic() - started:.0f} s")
    python_version = ".".join(map(str, sys.version_info[:2]))
    return process.returncode, {"passed with torch": count} if real_torch else {
        "passed": count,
        "python": python_version,
    }


def main(arguments: list[str]) -> int:
    """Run the readers that are named, and return the status."""
    options = {one for one in arguments if one.startswith("-")}
    names = [one for one in arguments if one not in options] or ["all"]
    groups = {"all": list(READERS), "ci": [name for name, facts in READERS.items() if facts["ci"]]}
    chosen = [name for one in names for name in groups.get(one, [one])]
    if options - {"--torch", "--record"} or set(chosen) - set(READERS):
        say(f"usage: bin/readers [--torch] [--record] [all|ci|{'|'.join(READERS)}]...")
        return 2
    failed = []
    for name in chosen:
        try:
            status, record = test(name, "--torch" in options and READERS[name]["torch"])
        except Failed as error:
            say(f"{name}: {error}")
            status, record = 1, {}
        if status:
            failed.append(name)
        elif "--record" in options:
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            results[name] = results.get(name, {}) | record
            RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    say(f"{len(chosen) - len(failed)} of {len(chosen)} readers read everything; failed: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
