"""A shuffle that is killed goes on where it was, and its output is what it would have been."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from harness import COMPILED, Folder, Outcome

KILLED = Path(__file__).parent / "killed.py"
TEXT = b"".join(b"%d is a number, and its square is %d\n" % (i, i * i) for i in range(110_000 if COMPILED else 2000))

KINDS = {
    "plain": ["-o", "x"],
    "zst": ["-o", "x.zst"],
    "gz": ["-o", "x.gz"],
    "shards": ["-o", "x{shard}", "--shards", 5],
    "compressed shards": ["-o", "x{shard}.zst", "--shards", 3],
    "more shards than are kept open": ["-o", "x{shard}", "--shards", 40],
    "held out": ["-o", "x", "--val", 20_000, "--val-output", "x.val.gz", "--header", 2],
    "held out of shards": ["-o", "x{shard}.gz", "--shards", 2, "--val", 30, "--val-output", "x.val.zst", "--header", 1],
    "header": ["-o", "x", "--header", 3],
    "header in zst": ["-o", "x.zst", "--header", 3],
    "part": ["-o", "x", "--part", "2/3"],
    "part in shards": ["-o", "x{shard}", "--part", "1/2", "--shards", 3],
    "no temporary space": ["-o", "x", "--no-temp", "-m", "64MiB"],
    "no temporary space in zst": ["-o", "x.zst", "--no-temp", "-m", "64MiB"],
    "head": ["-o", "x", "-n", 50_000],
    "fixed size": ["-o", "x", "--record-bytes", 50],
    "NUL": ["-o", "x", "-z"],
    "direct": ["-o", "x", "--direct", "yes"],
    "one worker": ["-o", "x.gz", "-j", 1],
    "manifest": ["-o", "x{shard}", "--shards", 2, "--manifest", "x.json"],
}


def killed(folder: Folder, n: int, *arguments: object) -> Outcome:
    """Run `corpus` and kill it before its n-th change; 0: never."""
    words = [sys.executable, str(KILLED), str(n), "shuffle", *map(str, arguments)]
    return folder.shell(" ".join(f"'{word}'" for word in words))


def outputs(folder: Folder) -> dict[str, bytes]:
    """All files that a run made, but for its manifests, which tell of times; killed runs leave old ones."""
    made = set(folder.names()) - {"in", "in.gz", "tmp", "x.json"}
    return {name: folder.read(name) for name in made if not name.endswith(".old")}


def write_text(folder: Folder, kind: str) -> str:
    """Make the input of a kind; return its name."""
    if kind == "fixed size":
        return folder.write("in", TEXT[: len(TEXT) // 50 * 50])
    if kind == "NUL":
        return folder.write("in", TEXT.replace(b"\n", b"\0"))
    return folder.write("in", TEXT)


def written_so_far(folder: Folder) -> int:
    """Records that the journal of a killed run has noted."""
    journals = [name for name in folder.names() if name.endswith(".journal")]
    return json.loads(folder.read(journals[0]).splitlines()[1])["written"][0] if journals else 0


@pytest.mark.parametrize("kind", KINDS)
def test_killed_again_and_again(folder: Folder, kind: str):
    """Whatever the outputs are, and at whatever moment: the same bytes, and nothing else is left."""
    arguments = [write_text(folder, kind), "-s", 1, *KINDS[kind]]
    folder.corpus("shuffle", *arguments).ok()
    expected = outputs(folder)
    for name in expected:
        (folder.path / name).unlink()
    chance, places = random.Random(kind), set()
    for _ in range(6):
        if killed(folder, chance.choice([5, 12, 25]), *arguments, "--resume").status == 0:
            break
        places |= {written_so_far(folder)}
    # Most were killed between the first record and the last.
    assert len(places - {0}) > 2, places
    done = killed(folder, 0, *arguments, "--resume").ok()
    assert outputs(folder) == expected, str(done)


@pytest.mark.parametrize("kind", ["plain", "manifest", "held out of shards"])
def test_killed_before_every_change(folder: Folder, kind: str):
    """Each call that makes something durable or changes a name may be the last; what is there then is enough."""
    short = TEXT[: len(TEXT) // 8]
    arguments = [folder.write("in", short[: short.rindex(b"\n") + 1]), "-s", 1, *KINDS[kind]]
    folder.corpus("shuffle", *arguments).ok()
    expected = outputs(folder)
    for n in range(1, 200):
        for name in expected:
            (folder.path / name).unlink()
        done = killed(folder, n, *arguments, "--resume")
        if done.status == 0:
            break
        done = folder.corpus("shuffle", *arguments, "--resume").ok()
        assert outputs(folder) == expected, f"killed before change {n}:\n{done}"
    assert n > 12
    assert outputs(folder) == expected
