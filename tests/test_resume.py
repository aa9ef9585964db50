"""A shuffle that is killed goes on where it was, and its output is what it would have been."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from harness import COMPILED, MIB, PLENTY, Folder, Outcome, SmallDisk, handles_signals, needs_speed
from reference import order, records

from corpustools.cli.report import Reporter
from corpustools.cli.shuffle_report import telling_what_is_kept
from corpustools.stages.shuffle import keeper, run_shuffle, shuffle_request
from corpustools.stages.shuffle.tally import Tally

KILLED = Path(__file__).parent / "killed.py"
# As bash tells of a process that was killed, or of itself where it became that process.
KILL = (-signal.SIGKILL, 128 + signal.SIGKILL)
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

# The others take longer together than one waits for.
QUICK = {"plain", "zst", "gz", "held out of shards", "no temporary space", "part in shards"}


def killed(folder: Folder, n: int, *arguments: object, **variables: str) -> Outcome:
    """Run `corpus` and kill it before its n-th change; 0: never."""
    words = [sys.executable, str(KILLED), str(n), "shuffle", *map(str, arguments)]
    return folder.shell(" ".join(f"'{word}'" for word in words), **variables)


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


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.heavy) for kind in KINDS]
)
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


@pytest.mark.parametrize(
    "kind", ["plain", *(pytest.param(kind, marks=pytest.mark.heavy) for kind in ("manifest", "held out of shards"))]
)
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


@pytest.mark.parametrize("kind", ["plain", *(pytest.param(kind, marks=pytest.mark.heavy) for kind in ("gz", "shards"))])
def test_a_run_that_goes_on_is_killed_before_every_change(folder: Folder, kind: str):
    """The run behind that one makes of it what one run makes; also where its last bucket ends behind the last key."""
    short = TEXT[: len(TEXT) // 16]
    arguments = [folder.write("in", short[: short.rindex(b"\n") + 1]), "-s", 1, *KINDS[kind], "--resume"]
    folder.corpus("shuffle", *arguments[:-1]).ok()
    expected = outputs(folder)
    for name in expected:
        (folder.path / name).unlink()
    assert killed(folder, 8, *arguments, BUCKETS="8").status in KILL
    assert written_so_far(folder) > 0
    kept, n, done = outputs(folder), 0, None
    while done is None or done.status != 0:
        for name in outputs(folder):
            (folder.path / name).unlink()
        for name, data in kept.items():
            folder.write(name, data)
        n += 1
        done = killed(folder, n, *arguments)
        if done.status != 0:
            folder.corpus("shuffle", *arguments).ok()
        assert outputs(folder) == expected, f"killed before change {n}:\n{done}"
    assert n > 6


def stopped(folder: Folder, *arguments: object, at: int = 9) -> list[object]:
    """Leave a run in the middle; return the words that go on with it."""
    if not (folder.path / "in").exists():
        folder.write("in", TEXT)
    words = ["shuffle", "in", *(arguments or ("-o", "x")), "--resume"]
    assert killed(folder, at, *words[1:], "-s", 1).status in KILL
    assert written_so_far(folder) > 0
    return words


def test_the_seed_is_that_of_the_journal(folder: Folder):
    """Where none is given; a fresh one would make another output."""
    words = stopped(folder)
    assert "--seed 1" in folder.corpus(*words).ok().stderr
    folder.corpus("shuffle", "in", "-s", 1, "-o", "y").ok()
    assert folder.read("x") == folder.read("y")
    assert "--seed 1\n" not in folder.corpus(*words).ok().stderr


def test_memory_workers_and_temporary_space_may_be_others(folder: Folder):
    """They never change a byte of the output; nor do other names of the inputs."""
    folder.corpus("shuffle", folder.write("in", TEXT), "-s", 1, "-o", "y").ok()
    stopped(folder)
    ways = ["-m", "64MiB", "-j", 1, "-T", ".", "--spill", "raw", "--direct", "yes", "--no-temp"]
    done = folder.corpus("shuffle", folder.path / "in", "-o", folder.path / "x", "--resume", *ways).ok()
    assert "by an earlier run" in done.stderr
    assert outputs(folder).keys() == {"x", "y"}
    assert folder.read("x") == folder.read("y")


OTHERS = {
    "seed": (2, ["-s", 2], ["seed", "'1'", "'2'"]),
    "header": (2, ["--header", 1], ["header records"]),
    "delimiter": (2, ["-z"], ["delimiter", "10", "0"]),
    "size": (2, ["--record-bytes", 1], ["record bytes"]),
    "head": (2, ["-n", 5], ["head count", "none", "5"]),
    "part": (2, ["--part", "1/2", "-s", 1], ["part", "[1, 2]"]),
    "held out": (2, ["--val", 5, "--val-output", "v"], ["records held out"]),
    "one input more": (2, ["in"], ["1 inputs", "2"]),
    "standard output": (2, ["-o", "-"], ["standard output", "file"]),
    "a device": (2, ["-o", "/dev/null"], ["/dev/null"]),
    "a pipe": (2, ["-"], ["standard input"]),
    "the input": (2, ["-o", "in"], ["would replace the input"]),
    "a folder": (2, ["-o", "tmp"], ["directory"]),
    "no pattern": (2, ["--shards", 2], ["{shard}"]),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_job_is_refused(folder: Folder, other: str):
    """With what differs, and both values; what is kept stays, and the right command still goes on."""
    words = stopped(folder)
    status, arguments, said = OTHERS[other]
    before = outputs(folder)
    folder.corpus(*words, *arguments, stdin=b"").failed(status, *said)
    # The lock of the killed run may go.
    assert {".x.lock": b"", **outputs(folder)} == before
    folder.corpus(*words).ok()


def test_other_shards_are_refused(folder: Folder):
    """So is another name of the pattern for the same first file."""
    words = stopped(folder, "-o", "x{shard}", "--shards", 3)
    folder.corpus(*words, "--shards", 4).failed(2, "shards: 3, not 4")
    folder.corpus(*words).ok()


def test_a_changed_input_is_refused(folder: Folder):
    """By its size or time; a change of its bytes alone shows in the checksum of all records."""
    words = stopped(folder)
    status = (folder.path / "in").stat()
    folder.write("in", TEXT + b"more\n")
    folder.corpus(*words).failed(1, "input 1", str(len(TEXT)), "remove")
    folder.write("in", TEXT.replace(b"\n999 is", b"\n888 is"))
    os.utime(folder.path / "in", ns=(status.st_atime_ns, status.st_mtime_ns))
    folder.corpus(*words).failed(1, "what came out is not what went in")
    folder.write("in", TEXT)
    os.utime(folder.path / "in", ns=(status.st_atime_ns, status.st_mtime_ns))
    folder.corpus(*words).ok()


@pytest.mark.parametrize("ways", [["-n", len(TEXT.splitlines()) // 2], ["--part", "1/2", "--no-temp"]])
def test_a_changed_input_of_which_a_part_is_wanted(folder: Folder, ways: list[object]):
    """Another text of equal size and time is refused, and so are two such inputs in the other order."""
    half = len(TEXT) // 2
    folder.write("a", TEXT[:half])
    folder.write("b", TEXT[half : 2 * half])
    for name in "ab":
        os.utime(folder.path / name, ns=(1, 1))
    words = ["-s", 1, "-o", "x", *ways, "--resume"]
    assert killed(folder, 9, "a", "b", *words).status in KILL
    assert written_so_far(folder) > 0
    folder.corpus("shuffle", "b", "a", *words).failed(1, "another input 1")
    folder.write("a", TEXT[:half].replace(b"\n999 is", b"\n888 is"))
    os.utime(folder.path / "a", ns=(1, 1))
    folder.corpus("shuffle", "a", "b", *words).failed(1, "other inputs of the same sizes and times")
    folder.write("a", TEXT[:half])
    os.utime(folder.path / "a", ns=(1, 1))
    folder.corpus("shuffle", "a", "b", *words).ok()
    folder.corpus("shuffle", "a", "b", "-s", 1, "-o", "y", *ways).ok()
    assert folder.read("x") == folder.read("y")


@needs_speed
@pytest.mark.parametrize("output", ["x", "x.zst", "x.gz"])
def test_a_changed_unfinished_file_is_noticed(folder: Folder, output: str):
    """Shorter, another byte anywhere, or gone: never a wrong output, and nothing is removed."""
    unfinished, chance, size = folder.path / f".{output}.unfinished", random.Random(output), 0
    # Compressed bytes come a piece at a time; each try goes on where the one before was stopped.
    for at in (20, 40, 60, 80, 100, 120):
        words = stopped(folder, "-o", output, at=at)
        size = json.loads(folder.read(f".{output}.journal").splitlines()[1])["files"][0][0]
        if size > 1000:
            break
    assert size > 1000
    good = unfinished.read_bytes()
    for _ in range(6):
        at = chance.randrange(size)
        unfinished.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
        folder.corpus(*words).failed(1, f".{output}.unfinished")
    unfinished.write_bytes(good[: size - 1])
    folder.corpus(*words).failed(1, f".{output}.unfinished")
    unfinished.unlink()
    folder.corpus(*words).failed(1, f".{output}.unfinished")
    unfinished.write_bytes(good)
    folder.corpus(*words).ok()
    folder.corpus("shuffle", "in", "-s", 1, "-o", f"y.{output}").ok()
    assert folder.read(output) == folder.read(f"y.{output}")


def test_a_damaged_journal_is_noticed(folder: Folder):
    """Torn or edited anywhere, or of another version; it is not removed."""
    words = stopped(folder, "-o", "x.gz")
    journal, chance = folder.path / ".x.gz.journal", random.Random(1)
    good = journal.read_bytes()
    damages = [b"", good[:-1], good + b" ", good.replace(b"journal 1", b"journal 2"), good.replace(b"low", b"loww")]
    for _ in range(4):
        at = chance.randrange(len(good))
        damages.append(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
    for damage in damages:
        journal.write_bytes(damage)
        folder.corpus(*words).failed(1, ".x.gz.journal", "remove it to begin from the front")
        assert journal.read_bytes() == damage
    journal.write_bytes(good)
    folder.corpus(*words).ok()


def test_without_a_journal_it_begins_from_the_front(folder: Folder):
    """Removing it is the way to do so; what stands in the unfinished file goes."""
    words = stopped(folder)
    (folder.path / ".x.journal").unlink()
    assert "earlier run" not in folder.corpus(*words, "-s", 2).ok().stderr
    folder.corpus("shuffle", "in", "-s", 2, "-o", "y").ok()
    assert folder.read("x") == folder.read("y")
    assert outputs(folder).keys() == {"x", "y"}


def test_a_run_without_resume_leaves_what_is_kept_alone(folder: Folder):
    """It says that it is there, and writes its own output."""
    words = stopped(folder)
    before = outputs(folder)
    done = folder.corpus("shuffle", "in", "-s", 3, "-o", "x").ok()
    assert ".x.journal is of a run that --resume goes on with" in done.stderr
    assert {name: data for name, data in outputs(folder).items() if name != "x"} == before
    assert "of them by an earlier run" in folder.corpus(*words).ok().stderr
    assert outputs(folder).keys() == {"x"}


def test_two_runs_at_once(folder: Folder):
    """The second one is refused, and the first one goes on undisturbed."""
    words = stopped(folder)
    with open(folder.path / ".x.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.corpus(*words).failed(1, "x: another run is writing it")
    folder.corpus(*words).ok()
    assert outputs(folder).keys() == {"x"}


@needs_speed
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_what_is_written(folder: Folder, number: int):
    """One line says how much, and the same command goes on there."""
    # The checked front is long enough for the signal to come in time.
    folder.write("big", TEXT * 30)
    words = ["shuffle", "big", "-o", "z", "-j", 1, "--resume"]
    assert killed(folder, 60, *words[1:], "-s", 1).status in KILL
    (folder.path / ".z.lock").unlink(missing_ok=True)
    done = folder.interrupt(number, lambda one: handles_signals(one) and (folder.path / ".z.lock").exists(), *words)
    assert done.status == -number, str(done)
    assert done.stderr.count("\n") == 1
    assert "records of z (" in done.stderr
    assert "are kept; the same command goes on there" in done.stderr
    folder.corpus(*words).ok()


def test_a_signal_beside_a_damaged_journal(tmp_path: Path):
    """Ends the run as a signal does, and not as the journal's error."""
    (tmp_path / "in").write_bytes(TEXT)
    request = shuffle_request(tmp_path / "in", tmp_path / "x", seed="x", memory=PLENTY, resume=True)
    (tmp_path / ".x.journal").write_bytes(b"corpus shuffle journal 1 and no more")
    with Reporter("never", True) as report, pytest.raises(KeyboardInterrupt), telling_what_is_kept(request, report):
        raise KeyboardInterrupt


def test_an_early_failure_leaves_nothing(folder: Folder):
    """Before the first journal there is nothing to go on with."""
    folder.write("in", gzip.compress(TEXT)[:-5])
    folder.corpus("shuffle", "in", "-o", "x", "--resume").failed(1, "in:", "torn")
    assert outputs(folder) == {}
    folder.corpus("shuffle", "in", "-o", "no/x", "--resume").failed(1, "no", "no such file")


@needs_speed
def test_a_full_disk_keeps_what_is_written(folder: Folder):
    """The error says so; when there is room again the same command goes on."""
    folder.write("in", TEXT)
    folder.corpus("shuffle", "in", "-s", 1, "-o", "y").ok()
    with SmallDisk(folder.path / "disk", len(TEXT) + (1 << 20)) as disk:
        (disk / "big").write_bytes(bytes(2 << 20))
        arguments = ["shuffle", "in", "-s", 1, "-o", "disk/x", "--resume"]
        # A compressed input: nobody knows its size beforehand.
        folder.write("in.gz", gzip.compress(TEXT))
        arguments[1] = "in.gz"
        done = folder.corpus(*arguments)
        done.failed(1, "no space left", "what is written is kept, and the same run goes on there")
        (disk / "big").unlink()
        folder.corpus(*arguments).ok()
        assert (disk / "x").read_bytes() == folder.read("y")
        assert [path.name for path in disk.iterdir()] == ["x"]


def test_long_names(folder: Folder):
    """The longest names that the system allows can be kept too."""
    name = "x" * 251 + ".zst"
    words = stopped(folder, "-o", name)
    folder.corpus(*words).ok()
    assert outputs(folder).keys() == {name}


def test_a_link_stays_a_link(folder: Folder):
    """The unfinished file stands beside what it leads to."""
    (folder.path / "there").mkdir()
    os.symlink("there/y", folder.path / "x")
    words = stopped_in(folder, folder.path / "there")
    folder.corpus(*words).ok()
    assert os.listdir(folder.path / "there") == ["y"]
    assert (folder.path / "x").is_symlink()


def test_a_link_to_an_output_that_has_its_name(folder: Folder):
    """A run that is killed behind the rename is gone on with through the link too."""
    words = ["shuffle", folder.write("in", TEXT[:4000]), "-s", 1, "-o", "x", "--resume"]
    (folder.path / "there").mkdir()
    os.symlink("there/y", folder.path / "x")
    for n in range(1, 30):
        done = killed(folder, n, *words[1:])
        if done.status in KILL and {"y", ".y.journal"} <= set(os.listdir(folder.path / "there")):
            break
        (folder.path / "there" / ".y.journal").unlink(missing_ok=True)
    assert done.status in KILL
    folder.corpus(*words).ok()
    assert os.listdir(folder.path / "there") == ["y"]
    assert (folder.path / "x").is_symlink()


def stopped_in(folder: Folder, place: Path) -> list[object]:
    """Leave a run in the middle whose kept files stand in another folder."""
    folder.write("in", TEXT)
    assert killed(folder, 9, "in", "-s", 1, "-o", "x", "--resume").status in KILL
    assert {".y.journal", ".y.unfinished"} <= set(os.listdir(place))
    return ["shuffle", "in", "-o", "x", "--resume"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_root_goes_on_over_the_output_of_another_user(folder: Folder):
    """The unfinished file belongs to that user already, and so does the output in the end."""
    folder.write("x", b"old")
    os.chown(folder.path / "x", 12345, 12345)
    words = stopped(folder)
    assert (folder.path / ".x.unfinished").stat().st_uid == 12345
    folder.corpus(*words).ok()
    assert (folder.path / "x").stat().st_uid == 12345
    folder.corpus("shuffle", "in", "-s", 1, "-o", "y").ok()
    assert folder.read("x") == folder.read("y")
    # Another one's file is not gone on with where nobody has the output.
    folder.write(".z.unfinished", b"")
    os.chown(folder.path / ".z.unfinished", 12345, 12345)
    folder.corpus("shuffle", "in", "-o", "z", "--resume").failed(1, "is no file of this user")


def test_an_unfinished_file_that_is_none(folder: Folder):
    """A link or a pipe in its place is not written through."""
    folder.write("in", TEXT)
    folder.write("other", b"precious")
    os.symlink("other", folder.path / ".x.unfinished")
    folder.corpus("shuffle", "in", "-o", "x", "--resume").failed(1, "x: cannot be written")
    assert folder.read("other") == b"precious"
    (folder.path / ".x.unfinished").unlink()
    os.mkfifo(folder.path / ".x.journal")
    folder.corpus("shuffle", "in", "-o", "x", "--resume").failed(1, ".x.journal")


def test_long_records_are_read_back(folder: Folder):
    """Those that are longer than a buffer, from a file and from a compressed one, into plain and compressed outputs."""
    size = 5 * MIB if COMPILED else 5000
    lines = [b"%d " % i + b"x" * (size + i if i % 9 == 4 else 30_000) + b"\n" for i in range(60)]
    folder.write("in", b"".join(lines))
    for source, output in (("in", "x"), ("in", "x.zst"), ("in.gz", "x")):
        folder.write("in.gz", gzip.compress(b"".join(lines), 1))
        folder.corpus("shuffle", source, "-s", 1, "-o", f"y{output}").ok()
        # Most buckets hold no record.
        for n in range(5, 300, 8):
            if killed(folder, n, source, "-s", 1, "-o", output, "--resume").status == 0 or written_so_far(folder):
                break
        assert written_so_far(folder) > 0
        assert "by an earlier run" in folder.corpus("shuffle", source, "-o", output, "--resume").ok().stderr
        assert folder.read(output) == folder.read(f"y{output}")


def test_many_records_of_equal_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A bucket ends between keys, however many records share one."""
    monkeypatch.setattr(keeper, "LEAST_SECONDS", 0)
    monkeypatch.setattr(keeper, "SPARED", 0)
    (tmp_path / "in").write_bytes(TEXT)
    request = shuffle_request(tmp_path / "in", tmp_path / "x", seed="x", memory=PLENTY, resume=True)
    request = replace(request, keys=request.keys._replace(mask=7 << 61))
    passed = keeper.Keeper.passed
    seen: list[int] = []

    def stop(self: keeper.Keeper, low: int, written: Tally) -> None:
        passed(self, low, written)
        self._behind.take(wait=True)
        seen.append(self._written.records)
        if self._written.records > len(TEXT.splitlines()) // 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(keeper.Keeper, "passed", stop)
    with pytest.raises(KeyboardInterrupt):
        run_shuffle(request)
    assert 0 < seen[-1] < len(TEXT.splitlines())
    monkeypatch.setattr(keeper.Keeper, "passed", passed)
    result = run_shuffle(request)
    assert result.kept == seen[-1]
    whole = records(TEXT)
    assert (tmp_path / "x").read_bytes() == b"".join(whole[i] for i in order(len(whole), "x", 7 << 61))


@needs_speed
@pytest.mark.parametrize("output", ["x", "x.zst", "x.gz"])
def test_the_memory_holds_while_a_run_goes_on(folder: Folder, output: str):
    """Also while what is kept is read back, spilled data and all."""
    folder.write("in", TEXT * 10)
    assert killed(folder, 40, "in", "-s", 1, "-o", output, "-m", "64MiB", "--resume").status in KILL
    assert written_so_far(folder) > 0
    done = folder.measured("shuffle", "in", "-o", output, "-m", "64MiB", "--resume").ok()
    assert "by an earlier run" in done.stderr
    assert done.peak <= 64 * MIB, str(done)


WAYS = {
    "plain": ["-o", "x"],
    "spilled": ["-o", "x", "-m", "64MiB"],
    "spilled past the page cache": ["-o", "x", "-m", "64MiB", "--direct", "yes"],
    "zst": ["-o", "x.zst", "-m", "64MiB"],
    "shards": ["-o", "x{shard}", "--shards", 7, "-m", "64MiB"],
    "held out": ["-o", "x.zst", "--val", 9999, "--val-output", "v.gz", "-m", "64MiB"],
    "part": ["-o", "x", "--part", "2/2", "-m", "64MiB"],
    "no temporary space": ["-o", "x", "--no-temp", "-m", "64MiB"],
}


@pytest.mark.heavy
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_random_moments(folder: Folder, way: str):
    """Thirty times and more by the clock, each run a little longer than the one before, until it is done."""
    folder.write("in", TEXT * 20)
    arguments = ["shuffle", "in", "-s", 1, *WAYS[way]]
    began = time.monotonic()
    folder.corpus(*arguments).ok()
    whole = time.monotonic() - began
    expected = outputs(folder)
    for name in expected:
        (folder.path / name).unlink()
    chance, seen = random.Random(way), set()
    for run in range(1000):
        process = subprocess.Popen(
            [sys.executable, str(KILLED), "0", *map(str, arguments), "--resume"], cwd=folder.path,
            env=folder.variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            _, error = process.communicate(timeout=chance.uniform(0.2, 1.0) * whole * (0.5 + run / 15))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            seen.add(written_so_far(folder))
            continue
        assert process.returncode == 0, error
        if run >= 30:
            break
        for name in expected:
            (folder.path / name).unlink()
    assert outputs(folder) == expected
    assert len(seen) > 3
