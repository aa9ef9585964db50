"""Everything that can go wrong: one clear line, the right status, the old output intact, nothing left behind."""

from __future__ import annotations

import bz2
import ctypes
import gzip
import lzma
import os
import signal
import stat
from pathlib import Path

import pytest
import zstandard
from harness import COMPILED, MIB, PLENTY, Folder, SmallDisk, handles_signals, needs_speed

from corpustools.errors import DataError
from corpustools.stages.shuffle import shuffle

OLD = b"the old output\n"
TEXT = b"".join(b"%d some text of a line\n" % i for i in range(2000))


@pytest.fixture
def small(folder: Folder) -> Folder:
    """A folder with a small input and an old output."""
    folder.write("in", TEXT)
    folder.write("out", OLD)
    return folder


def untouched(folder: Folder, *others: str) -> None:
    """The old output is there, and nothing that was not there before."""
    assert folder.read("out") == OLD
    assert set(folder.names()) <= {"in", "out", "tmp", *others}


WRONG = {
    "a missing file": (1, ["missing", "-o", "out"], ["missing", "no such file"]),
    "a directory": (1, ["tmp", "-o", "out"], ["tmp", "directory"]),
    "a missing file behind a good one": (1, ["in", "missing", "-o", "out"], ["missing", "no such file"]),
    "a missing folder for the output": (1, ["in", "-o", "no/out"], ["no", "no such file"]),
    "a directory as the output": (2, ["in", "-o", "tmp"], ["tmp", "directory"]),
    "a missing folder for temporary data": (1, ["in", "-o", "out", "-T", "no"], ["no", "no such file"]),
    "a missing folder for the manifest": (1, ["in", "-o", "out", "--manifest", "no/m"], ["no/m", "no such file"]),
    "too little memory": (2, ["in", "-o", "out", "-m", "63MiB"], ["memory", "64MiB"]),
    "no size": (2, ["in", "-o", "out", "-m", "lots"], ["lots", "512MiB"]),
    "a part behind the last": (2, ["in", "-o", "out", "--part", "4/3"], ["4/3", "2/3"]),
    "part 0": (2, ["in", "-o", "out", "--part", "0/3"], ["0/3", "I/N"]),
    "part of nothing": (2, ["in", "-o", "out", "--part", "1/0"], ["1/0", "I/N"]),
    "a part without a seed": (2, ["in", "-o", "out", "--part", "1/3"], ["part 1 of 3", "the same seed"]),
    "an empty name": (2, ["in", "-o", ""], ["empty name"]),
    "a folder that does not exist": (2, ["in", "-o", "new/"], ["new/", "directory"]),
    "the manifest as a shard": (
        2,
        ["in", "--shards", "2", "-o", "o{shard}", "--manifest", "o1", "-s", "1"],
        ["the manifest 'o1' would replace the output 'o1'"],
    ),
    "no part": (2, ["in", "-o", "out", "--part", "x"], ["'x'", "I/N"]),
    "more parts than keys": (2, ["in", "-o", "out", "--part", f"1/{1 << 65}"], ["part"]),
    "shards without a pattern": (2, ["in", "-o", "out", "--shards", "2"], ["{shard}", "shards"]),
    "a pattern without shards": (2, ["in", "-o", "o{shard}"], ["{shard}", "shards"]),
    "no shards": (2, ["in", "-o", "o{shard}", "--shards", "0"], ["--shards"]),
    "shards on standard output": (2, ["in", "--shards", "2"], ["{shard}"]),
    "a directory as a shard": (2, ["in", "--shards", "3", "-o", "t{shard}mp"], ["t1mp", "directory"]),
    "an unknown option": (2, ["in", "--frobnicate"], ["--frobnicate", "--help"]),
    "a negative head": (2, ["in", "-n", "-1"], ["head-count"]),
    "records of no bytes": (2, ["in", "--record-bytes", "0"], ["record-bytes"]),
    "two kinds of records": (2, ["in", "--record-bytes", "3", "-z"], ["exclude"]),
    "standard input twice": (2, ["-", "-", "-o", "out"], ["twice"]),
    "no temporary space for a pipe": (2, ["-", "--no-temp", "-o", "out"], ["standard input", "file"]),
    "a format that cannot be written": (2, ["in", "-o", "out.xz"], [".xz", ".zst"]),
    "an unknown spill": (2, ["in", "--spill", "lzma"], ["lzma"]),
    "an unknown way past the page cache": (2, ["in", "--direct", "always"], ["always", "auto"]),
    "no workers": (2, ["in", "-j", "0"], ["workers"]),
    "left-over bytes": (1, ["in", "--record-bytes", "7777", "-o", "out"], ["in:", "left over", "7777"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_one_line(small: Folder, case: str):
    """What, where, remedy; status 2 for usage and 1 for the world; the old output stays."""
    status, arguments, words = WRONG[case]
    (small.path / "t1mp").mkdir()
    outcome = small.corpus("shuffle", *arguments, stdin=b"a\nb\n").failed(status, *words)
    assert outcome.stdout == b"", str(outcome)
    untouched(small, "t1mp")


def forget_to_be_root() -> None:
    """Give up what lets root read everything (capabilities 1 and 2), for this process and what it becomes."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_an_unreadable_file(small: Folder):
    """Permission denied is said with the name."""
    os.chmod(small.path / "in", 0)
    small.corpus("shuffle", "in", "-o", "out", preexec_fn=forget_to_be_root).failed(1, "in:", "permission denied")
    untouched(small)


@pytest.mark.parametrize("output", ["-o /dev/full", "> /dev/full"])
def test_a_full_device(small: Folder, output: str):
    """A small output fails only when it is flushed: that counts too."""
    small.shell(f"$corpus shuffle in {output}").failed(1, "no space left")
    untouched(small)


FULL = ["spill", "output", "both", "overflow", "shards", "zst"]


@needs_speed
@pytest.mark.parametrize(
    ("where", "direct"),
    [*((where, "auto") for where in FULL), *((where, "yes") for where in ("spill", "both")), ("both", "no")],
)
def test_a_full_disk(small: Folder, where: str, direct: str):
    """In the spill, the output, a long record's overflow file: the line names the folder, the old output stays."""
    line = b"".join(b"%d " % (i * 7919 % 10007) for i in range(25)) + b"\n"
    data = (
        b"x" * (40 * MIB)
        if where == "overflow"
        else os.urandom(MIB).replace(b"\n", b" ") + line * (90 * MIB // len(line))
    )
    small.write("in", data)
    with SmallDisk(small.path / "disk", 16 * MIB) as disk:
        (disk / "out").write_bytes(OLD)
        output = {"spill": "out", "overflow": "out", "shards": "disk/o{shard}", "zst": "disk/out.zst"}.get(
            where, "disk/out"
        )
        temporary = "tmp" if where in ("output", "shards", "zst") else "disk"
        more = ["--shards", "3"] if where == "shards" else []
        # A pipe has no size: nothing can be refused before the disk is really full.
        options = ("-m", "64MiB", "--spill", "raw", "--direct", direct, "-o", output, "-T", temporary, *more)
        if where == "zst":
            data = os.urandom(30 * MIB)
        outcome = small.corpus("shuffle", *options, stdin=data)
        outcome.failed(1, "disk" if where != "zst" else "out.zst", "no space left")
        assert os.listdir(disk) == ["out"], str(outcome)
        assert (disk / "out").read_bytes() == OLD
        if where in ("spill", "output"):
            # A file has one: refused before the first byte.
            small.corpus("shuffle", "in", *options).failed(1, "disk", "needs", "free")
    untouched(small, "disk")


def test_a_file_size_limit(small: Folder):
    """EFBIG (ulimit -f, without SIGXFSZ) is an error of the output like any other."""
    small.write("in", TEXT * 40)
    small.shell("trap '' XFSZ; ulimit -f 1024; exec $corpus shuffle in -o out").failed(1, "out", "too large")
    untouched(small)


PACKERS = {
    "gz": lambda data: gzip.compress(data),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "zst checked": zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress,
    "two gz": lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]),
    "two zst": lambda data: zstandard.compress(data[:50]) + zstandard.compress(data[50:]),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_torn_at_every_byte(tmp_path: Path, packer: str):
    """A compressed file cut anywhere but between members is torn; the magic has to be there to know it."""
    data = b"".join(b"%d\n" % (i * i) for i in range(60))
    packed = PACKERS[packer](data)
    first = len(PACKERS[packer.removeprefix("two ")](data[:50])) if packer.startswith("two") else -1
    (tmp_path / "out").write_bytes(OLD)
    for stop in range(6, len(packed)):
        (tmp_path / "in").write_bytes(packed[:stop])
        if stop == first:
            continue
        with pytest.raises(DataError, match=r"in: .*(torn|damaged)"):
            shuffle(tmp_path / "in", tmp_path / "out", memory=PLENTY, workers=1)
    assert (tmp_path / "out").read_bytes() == OLD
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("garbage", [b"g", b"garbage\n", b"\x1f\x8b", b"\x00garbage"])
def test_garbage_behind_the_end(tmp_path: Path, packer: str, garbage: bytes):
    """What follows the last member and is no member is not dropped in silence."""
    (tmp_path / "in").write_bytes(PACKERS[packer](b"a\nb\n" * 100) + garbage)
    with pytest.raises(DataError, match="in: "):
        shuffle(tmp_path / "in", tmp_path / "out", memory=PLENTY, workers=1)


@pytest.mark.parametrize("packer", ["gz", "bz2", "xz", "zst checked"])
def test_flipped_bytes_never_pass(tmp_path: Path, packer: str):
    """Formats with a checksum: a changed byte is an error, or changes nothing (names and times in a header)."""
    data = b"".join(b"%d\n" % (i * i) for i in range(200))
    packed = PACKERS[packer](data)
    (tmp_path / "good").write_bytes(data)
    shuffle(tmp_path / "good", tmp_path / "expected", seed="x", memory=PLENTY, workers=1)
    for at in range(6, len(packed), 1 if len(packed) < 400 else 3):
        damaged = bytearray(packed)
        damaged[at] ^= 0x55
        (tmp_path / "in").write_bytes(damaged)
        try:
            shuffle(tmp_path / "in", tmp_path / "out", seed="x", memory=PLENTY, workers=1)
        except DataError:
            continue
        assert (tmp_path / "out").read_bytes() == (tmp_path / "expected").read_bytes(), f"byte {at} was changed"


def test_closed_descriptors(small: Folder):
    """`<&-`, `>&-` and `2>&-`: an error where they are needed, and no file ever takes their place."""
    small.shell("$corpus shuffle -o out <&-").failed(1, "standard input", "bad file descriptor")
    small.shell("$corpus shuffle in >&-").failed(1, "standard output", "bad file descriptor")
    untouched(small)
    outcome = small.shell("$corpus shuffle missing -o out 2>&-")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (1, b"", "")
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        outcome = small.shell(f"$corpus shuffle in -o new {closed}").ok()
        assert outcome.stdout == b"", str(outcome)
        assert sorted(small.read("new").splitlines()) == sorted(TEXT.splitlines())


def test_a_closed_pipe_is_silent(small: Folder):
    """Downstream has had enough: the process dies of SIGPIPE and says nothing."""
    small.write("in", TEXT * 50)
    outcome = small.shell("$corpus shuffle in -q | head -n 1; exit ${PIPESTATUS[0]}")
    assert (outcome.status, outcome.stderr) == (128 + signal.SIGPIPE, ""), str(outcome)
    assert outcome.stdout.count(b"\n") == 1
    outcome = small.shell("$corpus --help | true; exit ${PIPESTATUS[0]}")
    assert outcome.status in (0, 128 + signal.SIGPIPE)
    assert outcome.stderr == ""


OUTPUTS = {"file": ["-o", "out"], "zst": ["-o", "out.zst"], "shards": ["-o", "o{shard}", "--shards", "2"]}


def waiting_reader(folder: Folder, number: int, *options: str):
    """Start on a pipe that delivers much and then nothing, and send a signal while it waits for more."""
    read, write = os.pipe()
    started = folder.start("shuffle", "-m", "64MiB", "--spill", "raw", *options, stdin=read)
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        pipe.write(TEXT * (1600 if COMPILED else 3))
        pipe.flush()
        assert handles_signals(started)
        started.send_signal(number)
        return folder.outcome(started)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_signal_while_reading(small: Folder, number: int, output: str):
    """The process ends by the signal, the old output stays, and not even SIGKILL leaves temporary files."""
    outcome = waiting_reader(small, number, *OUTPUTS[output])
    assert outcome.status == -number, str(outcome)
    assert outcome.stderr == ""
    left = [name for name in small.names() if name.endswith(".part")]
    # Shards may be too many to be kept open without names: after SIGKILL alone they may stay.
    assert not left or (output == "shards" and number == signal.SIGKILL)
    untouched(small, *left)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_while_writing(small: Folder, number: int):
    """The reader of the output has stalled; the output goes to a pipe."""
    small.write("in", TEXT * 400)

    def writes(process) -> bool:
        return bool(os.read(process.stdout.fileno(), 1))

    outcome = small.interrupt(number, writes, "shuffle", "in", "-m", "64MiB")
    assert outcome.status == -number, str(outcome)
    assert outcome.stderr == ""
    untouched(small)


@pytest.mark.parametrize("name", ["in", "link", "./tmp/../in"])
def test_the_output_may_be_an_input(small: Folder, name: str):
    """It replaces the input at the end, when all of it has been read; a link stays a link."""
    os.symlink("in", small.path / "link")
    small.corpus("shuffle", "in", "in", "-o", name, "-s", "1").ok()
    assert sorted(small.read("in").splitlines()) == sorted(2 * TEXT.splitlines())
    assert (small.path / "link").is_symlink()


def test_redirecting_to_the_input_is_refused(small: Folder):
    """`>> in`: the shell has opened it already; reading what is being written would never end."""
    small.shell("$corpus shuffle in >> in").failed(2, "in:", "standard output", "as the output")
    small.shell("$corpus shuffle < in >> in").failed(2, "standard input", "as the output")
    assert small.read("in") == TEXT
    untouched(small)


@pytest.mark.parametrize("name", ["in", "out"])
def test_the_manifest_is_no_input_or_output(small: Folder, name: str):
    """It would replace the data."""
    small.corpus("shuffle", "in", "-o", "out", "--manifest", name).failed(2, "manifest")
    assert small.read("in") == TEXT
    untouched(small)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o777])
def test_permissions_of_the_output(small: Folder, mode: int):
    """Those of the file that is replaced; of a new file what the umask leaves."""
    os.chmod(small.path / "out", mode)
    small.shell("umask 027; $corpus shuffle in -o out && $corpus shuffle in -o new").ok()
    assert stat.S_IMODE((small.path / "out").stat().st_mode) == mode
    assert stat.S_IMODE((small.path / "new").stat().st_mode) == 0o640


@needs_speed
def test_temporary_data_is_private_and_gone(small: Folder):
    """No name in the folder while it runs, mode 0600, nothing afterwards."""
    read, write = os.pipe()
    process = small.start("shuffle", "-o", "out", "-m", "64MiB", "--spill", "raw", stdin=read)
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        pipe.write(TEXT * 2400)
        pipe.flush()
        assert small.names() == ["in", "out", "tmp"]
        held = [Path(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
        spilled = [one for one in held if str(small.temporary) in os.readlink(one)]
        assert spilled
        assert all(stat.S_IMODE(one.stat().st_mode) & 0o177 == 0 for one in spilled)
    small.outcome(process).ok()
    assert small.names() == ["in", "out", "tmp"]
