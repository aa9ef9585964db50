"""The command line: help, version, where settings come from, progress, summaries, manifests."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from harness import COMPILED, Folder
from reference import records, shuffled

from corpustools.sizes import parse_size

TEXT = b"".join(b"%d\n" % i for i in range(3000))


@pytest.fixture
def small(folder: Folder) -> Folder:
    folder.write("in", TEXT)
    return folder


def shuffled_by(seed: str) -> bytes:
    return shuffled(records(TEXT), seed)


def test_help_names_every_promised_option(folder: Folder):
    """The options that scripts call."""
    text = folder.corpus("shuffle", "--help").ok().stdout.decode()
    for option in (
        "-o, --output", "-s, --seed", "-m, --memory", "-T, --tmp-dir", "-j, --workers", "-n, --head-count",
        "-z, --zero-terminated", "--record-bytes", "--header", "--shards", "--part", "--spill", "--no-temp", "--plan",
        "--manifest", "--progress", "-q, --quiet", "--debug",
    ):  # fmt: skip
        assert option in text
    assert "auto|raw|lz4|zstd" in text
    assert "auto|bar|lines|json|none" in text


def test_version_names_the_kernels(folder: Folder):
    """`compiled` or `plain`, and on the twins one line of advice on stderr."""
    outcome = folder.corpus("--version").ok()
    assert re.fullmatch(rb"corpus \d+\.\d+\.\d+\S* \(Python 3\.\d+\.\d+; kernels: .*\)\n", outcome.stdout)
    assert outcome.stdout.count(b"compiled" if COMPILED else b"plain") >= 2
    plain = folder.corpus("--version", env={"CORPUS_KERNELS": "plain"}).ok()
    assert b"order plain, records plain" in plain.stdout
    assert "install a C compiler" in plain.stderr


def test_the_twins_give_the_same_bytes(small: Folder):
    """CORPUS_KERNELS switches the loops and nothing else; another value is refused."""
    small.corpus("shuffle", "in", "-s", "k", "-o", "out", env={"CORPUS_KERNELS": "plain"}).ok()
    assert small.read("out") == shuffled_by("k")
    small.corpus("shuffle", "in", env={"CORPUS_KERNELS": "fast"}).failed(2, "CORPUS_KERNELS=fast", "compiled", "plain")


@pytest.mark.parametrize(
    ("word", "hint"), [("shufle", "did you mean 'shuffle'"), ("x", "shuffle"), ("--shuffle", "no such option")]
)
def test_a_misspelt_command(folder: Folder, word: str, hint: str):
    """Status 2 and the nearest name, or all of them."""
    folder.corpus(word).failed(2, word, hint)


def test_settings_flag_environment_job_default(small: Folder):
    """Flag > CORPUS_… > job file > default; long flag names work in the job file."""
    small.write("job.toml", b'[shuffle]\nseed = "job"\nworkers = 1\nmemory = "65MiB"\nhead-count = 100\n')
    environment = {"CORPUS_SHUFFLE_SEED": "environment"}
    job = ("--job", "job.toml", "shuffle", "in", "-q")
    assert small.corpus(*job).ok().stdout == b"".join(records(shuffled_by("job"))[:100])
    from_environment = small.corpus(*job, env=environment).ok().stdout
    assert from_environment == b"".join(records(shuffled_by("environment"))[:100])
    flagged = small.corpus(*job, "-s", "flag", "-n", "3000", env=environment).ok().stdout
    assert flagged == shuffled_by("flag")
    assert small.corpus("shuffle", "in", "-q", env=environment).ok().stdout == shuffled_by("environment")
    named = small.corpus("shuffle", "in", "-q", env=environment | {"CORPUS_JOB": "job.toml"}).ok().stdout
    assert named == from_environment


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (b"[shuffle]\nsede = 1\n", ["sede", "[shuffle]"]),
        (b"[shufle]\nseed = 1\n", ["shufle"]),
        (b"seed = 1\n", ["seed"]),
        (b"[shuffle\n", ["job.toml"]),
        (b"\xff", ["job.toml"]),
        (b'[shuffle]\nmemory = "lots"\n', ["lots"]),
        (b"[shuffle]\nmemory = 1.5\n", ["memory = 1.5", "text or a number"]),
        (b"[shuffle]\nmemory = {a = 1}\n", ["memory = {'a': 1}"]),
        (b"[shuffle]\npart = [1, 2]\n", ["part = [1, 2]"]),
        (b"[shuffle]\npart = 3\n", ["'3' is not a part"]),
        (b'[shuffle]\noutput = ["a"]\n', ["output = ['a']", "accepted is a text"]),
        (b"[shuffle]\nmanifest = false\n", ["manifest = False", "accepted is a text"]),
        (b"[shuffle]\noutput = 7\n", ["output = 7", "accepted is a text"]),
        (b'[shuffle]\nno-temp = "yes"\n', ["no-temp", "true and false"]),
        (b'[shuffle]\ntmp-dir = "/tmp"\n', ["tmp-dir", "a list of texts"]),
        (b"[shuffle]\nseed = " + b"[" * 5000 + b"]" * 5000 + b"\n", ["nested too deeply"]),
        (b"#" * (1 << 20) + b"#", ["larger than 1048576 bytes"]),
        (None, ["job.toml", "no such file"]),
    ],
)
def test_a_wrong_job_file(small: Folder, job: bytes | None, words: list[str]):
    """A misspelt name is not ignored."""
    if job is not None:
        small.write("job.toml", job)
    small.corpus("--job", "job.toml", "shuffle", "in").failed(2, *words)


def test_a_job_file_without_an_end(small: Folder):
    """A device is not read until the memory is full."""
    small.corpus("--job", "/dev/zero", "shuffle", "in").failed(2, "/dev/zero", "larger than")


@pytest.mark.parametrize("style", ["lines", "bar", "json"])
def test_a_full_standard_error_does_not_undo_the_work(small: Folder, style: str):
    """The output is in place, so the status is 0, whatever became of the summary."""
    outcome = small.shell(f"$corpus shuffle in -s 1 -o out --progress {style} 2>/dev/full")
    assert (outcome.status, small.read("out")) == (0, shuffled_by("1"))
    small.shell("$corpus shuffle missing 2>/dev/full; test $? = 1").ok()


def test_ctrl_c_while_modules_load_is_silent(folder: Folder):
    """The shell sees 130 and the terminal no traceback."""
    package = folder.path / "slow" / "click"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("open('loading', 'w').close()\nimport time\ntime.sleep(60)\n")
    outcome = folder.interrupt(
        signal.SIGINT,
        lambda process: (folder.path / "loading").exists(),
        "shuffle",
        env={"PYTHONPATH": f"{package.parent}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert (outcome.status, outcome.stderr) == (-signal.SIGINT, ""), str(outcome)


def test_a_name_with_a_line_break_keeps_the_error_on_one_line(folder: Folder):
    """Logs are read by lines."""
    folder.corpus("shuffle", "a\nb\x1b[31m").failed(1, "a\\nb\\x1b")


def test_a_wrong_variable(small: Folder):
    """Values from the environment are checked as flags are."""
    small.corpus("shuffle", "in", env={"CORPUS_SHUFFLE_MEMORY": "lots"}).failed(2, "lots", "512MiB")


def test_plan_does_nothing(small: Folder):
    """It prints buckets, passes, memory and temporary space, makes no file and needs no standard input."""
    text = small.corpus("shuffle", "--plan", "in", "-o", "out", "-m", "64MiB").ok().stdout.decode()
    for name in (
        "input: 13890",
        "memory: 67108864",
        "memory available: ",
        "buckets: ",
        "passes over the input: 1",
        "temporary space: about 0",
    ):
        assert name in text
    assert small.names() == ["in", "tmp"]
    assert "unknown size" in small.corpus("shuffle", "--plan", stdin=b"a\n").ok().stdout.decode()


def test_the_manifest(small: Folder):
    """Inputs with sizes, seed, records, bytes, checksum and times, as JSON; it appears only when all is done."""
    small.corpus("shuffle", "in", "in", "-o", "out.gz", "-s", "m", "--manifest", "m.json", "-q").ok()
    facts = json.loads(small.read("m.json"))
    assert [one["path"] for one in facts["inputs"]] == ["in", "in"]
    assert [one["size"] for one in facts["inputs"]] == [len(TEXT)] * 2
    assert facts["seed"] == "m"
    assert facts["output"] == "out.gz"
    assert (facts["records"], facts["records_read"], facts["bytes"]) == (6000, 6000, 2 * len(TEXT))
    assert re.fullmatch("[0-9a-f]{16}", facts["checksum"])
    assert facts["seconds"] > 0
    os.remove(small.path / "m.json")
    small.corpus("shuffle", "missing", "--manifest", "m.json").failed(1, "missing")
    assert "m.json" not in small.names()


def test_the_checksum_is_free_of_the_order(small: Folder):
    """Another seed, other shards: the same checksum; another byte: another."""
    checksums = []
    small.write("other", TEXT.replace(b"1999\n", b"1998\n"))
    for arguments in (["in", "-s", "1"], ["in", "-s", "2", "-m", "64MiB", "-j", "1"], ["other", "-s", "1"]):
        outcome = small.corpus("shuffle", *arguments, "-o", "out", "--progress", "json").ok()
        checksums.append(json.loads(outcome.stderr.splitlines()[-1])["checksum"])
    assert checksums[0] == checksums[1] != checksums[2]


def test_the_summary_repeats_the_run(small: Folder):
    """`--seed VALUE` at the end of the line is copied as it stands."""
    outcome = small.corpus("shuffle", "in").ok()
    found = re.search(r"3000 records, .* checksum [0-9a-f]{16}, (--seed \S+)$", outcome.stderr.strip())
    assert found, str(outcome)
    assert small.corpus("shuffle", "in", *found[1].split(), "-q").ok().stdout == outcome.stdout
    assert outcome.stdout == shuffled_by(found[1].split()[1])


def test_quiet_says_nothing(small: Folder):
    """Not even the summary, whatever --progress says; errors still."""
    for style in ("auto", "bar", "lines", "json", "none"):
        assert small.corpus("shuffle", "in", "-s", "1", "-q", "-o", "out", "--progress", style).ok().stderr == ""
    small.corpus("shuffle", "missing", "-q").failed(1, "missing")


def test_a_seed_that_was_drawn_is_never_lost(small: Folder):
    """Where nothing else holds it, -q prints it alone, so that every run can be repeated."""
    said = small.corpus("shuffle", "in", "-q", "-o", "out").ok().stderr.split()
    assert said[0] == "--seed"
    assert len(said) == 2
    assert small.read("out") == shuffled_by(said[1])
    assert small.corpus("shuffle", "in", "-q", "-o", "out", "--manifest", "m").ok().stderr == ""
    assert small.read("out") == shuffled_by(json.loads(small.read("m"))["seed"])


@pytest.mark.parametrize("style", ["auto", "lines", "json", "none"])
def test_no_terminal_no_bar(small: Folder, style: str):
    """Under cron: one summary line for a short job, nothing but the data on standard output."""
    outcome = small.corpus("shuffle", "in", "-s", "p", "--progress", style).ok()
    assert outcome.stdout == shuffled_by("p")
    assert len(outcome.stderr.splitlines()) == 1
    assert "\r" not in outcome.stderr
    if style == "json":
        facts = json.loads(outcome.stderr)
        assert (facts["event"], facts["records"], facts["seed"]) == ("done", 3000, "p")


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("64MiB", 64 << 20), ("8G", 8 << 30), ("8g", 8 << 30), ("1.5GB", 1_500_000_000), ("2K", 2048),
     ("1kb", 1000), ("3T", 3 << 40), ("0.5KiB", 512), ("100B", 100)],
)  # fmt: skip
def test_sizes(text: str, size: int):
    """K…P and KiB…PiB are powers of 1024, KB…PB of 1000."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "1e9", "1 2", "8GG", "8iB", "0x10", "\u0661", "1_000", "nan"])
def test_what_is_no_size(text: str):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="512MiB"):
        parse_size(text)


def test_python_m_is_the_command(folder: Folder):
    """`python -m corpustools` and `corpus` have one name in messages."""
    assert folder.corpus("--help").ok().stdout.startswith(b"Usage: corpus [OPTIONS]")
    outcome = folder.corpus()
    assert (outcome.status, outcome.stdout) == (2, b"")
    assert "Usage: corpus" in outcome.stderr
