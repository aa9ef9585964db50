"""The programs that the shuffle is measured beside: found, or built from their source, with their versions."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peers:
    """What there is to measure beside.

    Args:
        terashuf: its program; None where it is not there.
        versions: of all programs, for a reader.
    """

    terashuf: str | None
    versions: dict[str, str]


def find_peers(terashuf: str | None) -> Peers:
    """Return the peers of this machine.

    Args:
        terashuf: its program, or a folder with its source, which is built in a copy; None: what PATH has.
    """
    program, version = None, "not there"
    if terashuf is not None and os.path.isdir(terashuf):
        version = first_line(["git", "-C", terashuf, "log", "-1", "--format=commit %h of %cs"]) or "of unknown commit"
        program = built(Path(terashuf))
    elif terashuf is not None or shutil.which("terashuf"):
        program = shutil.which(terashuf or "terashuf")
        if program is None:
            raise SystemExit(f"{terashuf}: no such program")
        version = program
    versions = {name: first_line([name, "--version"]) or "not there" for name in ("shuf", "cp", "wc", "zstd")}
    return Peers(program, versions | {"terashuf": version})


def built(source: Path) -> str:
    """Build a program in a copy of its folder, beside the cache of the user, and return its path."""
    from bench_text import CACHE

    folder = CACHE / "terashuf"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".git", "terashuf"))
    subprocess.run(["make", "-s", "-C", str(folder)], check=True, capture_output=True)
    return str(folder / "terashuf")


def first_line(command: list[str]) -> str:
    """Return the first line that a command prints; nothing where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip().split("\n")[0].strip("* ")


@contextlib.contextmanager
def slow_disk(folder: str, rate: int) -> Iterator[list[str] | None]:
    """Hold the disk of a folder to so many bytes a second, reading and writing each.

    Yields:
        the words that go before a command that is to be held; None where this machine cannot.
    """
    number = os.stat(folder).st_dev
    disk = whole_disk(f"{os.major(number)}:{os.minor(number)}")
    group = None
    with contextlib.suppress(OSError):
        group = limited_group(disk, rate)
    try:
        yield group and ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        if group is not None:
            group.rmdir()


@contextlib.contextmanager
def one_headed_disk(folder: str, rate: int) -> Iterator[list[str] | None]:
    """Hold the files of a folder to so many bytes a second, which reading and writing share.

    Yields:
        the words that go before a command that is to be held; None where there is no C compiler.
    """
    with tempfile.TemporaryDirectory() as place:
        library = os.path.join(place, "shared_rate.so")
        source = Path(__file__).parent / "shared_rate.c"
        built = None
        with contextlib.suppress(OSError):
            built = subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=False)
        held = built is not None and not built.returncode
        yield ["env", f"LD_PRELOAD={library}", f"RATE_UNDER={folder}", f"RATE_BYTES={rate}"] if held else None


def whole_disk(number: str) -> str:
    """Return the number of the disk that a partition is on; limits are set for whole disks."""
    here = Path("/sys/dev/block") / number
    if (here / "partition").exists():
        return (here.resolve().parent / "dev").read_text().strip()
    return number


def limited_group(disk: str, rate: int) -> Path | None:
    """Make a control group with a limit of this disk, in either version of control groups.

    Raises:
        OSError: this user or machine may not.
    """
    root = Path("/sys/fs/cgroup")
    if "io" in reading(root / "cgroup.controllers"):
        (root / "cgroup.subtree_control").write_text("+io")
        limits = {"io.max": f"{disk} rbps={rate} wbps={rate}"}
    elif (root / "blkio").is_dir():
        root = root / "blkio"
        limits = {f"blkio.throttle.{way}_bps_device": f"{disk} {rate}" for way in ("read", "write")}
    else:
        return None
    group = root / f"corpus-bench-{os.getpid()}"
    group.mkdir()
    try:
        for name, value in limits.items():
            (group / name).write_text(value)
    except OSError:
        group.rmdir()
        raise
    return group


def reading(path: Path) -> list[str]:
    """Return the words of a file; none where it is not there."""
    try:
        return path.read_text().split()
    except OSError:
        return []
