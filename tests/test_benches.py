"""The benches run, whole, on little text; their ratios, texts and plots are what they say."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from harness import variables

BIN = Path(__file__).parent.parent / "bin"
sys.path.insert(0, str(BIN))

import bench_plots  # noqa: E402
import bench_text  # noqa: E402
import measure  # noqa: E402
from measure import Race, Run, Side  # noqa: E402


def runs(*walls: float) -> list[Run]:
    """Return runs that took so many seconds, and little else."""
    return [Run(wall, wall / 2, wall / 4, 3 << 20, 5 << 20, 0, 10**9, 0.3) for wall in walls]


def bench(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts."""
    command = [sys.executable, str(BIN / f"bench_{name}.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables())


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A file of lines of many lengths."""
    path = tmp_path / "words.txt"
    path.write_bytes(b"".join(b"%d " % i * (i % 40) + b"\n" for i in range(20_000)))
    return path


def test_ratios_are_those_of_neighbours():
    """Not of medians: each round's own ratio counts, in ascending order."""
    found = Race("x", "about", 10**6, runs={"ours": runs(1.0, 2.0, 4.0), "peer": runs(3.0, 2.0, 10.0)})
    assert found.ratios("peer") == [1.0, 2.5, 3.0]
    assert found.ratios("ours") == [1.0, 1.0, 1.0]
    assert replace(found, reference="peer").ratios("ours") == [1.0, 2.5, 3.0]
    row = bench_plots.row(found, "peer")
    assert "2.00 / 3.00 / 10.00" in row
    assert row.endswith("| 2.50 (1.00 to 3.00) |")
    assert Race.from_data(json.loads(json.dumps(found.as_data()))) == found


def test_sides_take_turns(tmp_path: Path):
    """Ours, its peer, ours, its peer; the round that warms up does not count, and outputs are away each time."""
    log, out = tmp_path / "log", tmp_path / "out"
    sides = {
        name: Side(["sh", "-c", f"test ! -e {out} && echo {name} >> {log} && : > {out}"], (str(out),))
        for name in ("a", "b")
    }
    found = measure.race(Race("x", "about", 0), sides, rounds=2, until=None)
    assert log.read_text().split() == ["a", "b"] * 3
    assert [len(one) for one in found.runs.values()] == [2, 2]
    assert not out.exists()
    # No time is left: one round is run all the same.
    found = measure.race(Race("x", "about", 0), sides, rounds=5, until=0.0, warm_up=False)
    assert [len(one) for one in found.runs.values()] == [1, 1]


def test_a_run_is_measured(tmp_path: Path):
    """Time of children, their memory, and temporary files are seen; a failure ends the bench with what was said."""
    (tmp_path / "tmp").mkdir()
    program = "import os, time; b = bytearray(64 << 20); open('t', 'wb').write(b); time.sleep(0.3); os.unlink('t')"
    words = ["sh", "-c", f'cd {tmp_path}/tmp && {sys.executable} -c "{program}"; true']
    took = measure.run(Side(words, temporary=str(tmp_path / "tmp")), cold=False)
    assert took.wall > 0.3
    assert took.user + took.system > 0.01
    assert took.peak > 64 << 20
    assert took.temporary > 60 << 20
    assert took.touch > 0
    with pytest.raises(SystemExit, match=r"exit status 3\nno luck"):
        measure.run(Side(["sh", "-c", "echo no luck >&2; exit 3"]), cold=False)
    assert measure.told_temporary_bytes('{"x": 1}\n{"temporary_bytes": 77}\n') == 77
    assert measure.told_temporary_bytes("") == measure.told_temporary_bytes("[1]") == 0


def test_texts_are_whole_lines_and_always_the_same(tmp_path: Path, words: Path):
    """A text grows to its size by whole lines; in later rounds the blocks stand in another order."""
    source = bench_text.read_source(str(words))
    small = bench_text.Source("x", source.data[: source.data.find(b"\n", 300_000) + 1])
    known = set(small.data.splitlines())
    made = []
    for name in ("one", "two"):
        text = bench_text.Text(str(tmp_path / name), small).grow(500_000)
        made.append((tmp_path / name).read_bytes())
        assert text.size == len(made[-1])
        text.grow(2_000_000)
        made.append((tmp_path / name).read_bytes())
        assert 2_000_000 - 2000 < text.size == len(made[-1]) <= 2_000_000
    assert made[0] == made[2]
    assert made[1] == made[3]
    assert made[1].startswith(made[0])
    assert set(made[1].splitlines()) <= known
    assert made[0].startswith(small.data[: bench_text.BLOCK])
    with bench_text.Text(str(tmp_path / "gone"), small) as text:
        text.grow(1000)
    assert not (tmp_path / "gone").exists()


def test_a_text_is_cut_to_lines_of_one_length(words: Path):
    """Every line has the length that was asked for, its end included, and tells so."""
    source = bench_text.read_source(str(words))
    cut = source.in_lines_of(10)
    assert {len(line) for line in cut.data.splitlines(keepends=True)} == {10}
    assert cut.data.replace(b"\n", b"") == source.data.replace(b"\n", b" ")[: len(cut.data) // 10 * 9]
    about = bench_text.Source("y", b"a" * 69 + b"\n" + b"b" * 49 + b"\n").about()
    assert "2 lines of 60 bytes on average, 50.0% under 60, 0.00% over 1,000" in about


def test_distinct_lines_of_packages(tmp_path: Path):
    """Each line once, in the order of the files' names, packed ones unpacked, other files left out."""
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        wheel.writestr("b.py", "two\nthree\n")
        wheel.writestr("a.json.gz", gzip.compress(b"one\ntwo\n"))
        wheel.writestr("c.png", "four\n")
    assert bench_text.distinct_lines([tmp_path / "x.whl"]) == b"one\ntwo\n\nthree\n"


def test_cases_run_and_write_what_they_found(tmp_path: Path, words: Path):
    """Cases on a tmpfs and on a disk, on little text, with a budget; nothing is left over but what was asked for."""
    (tmp_path / "fast").mkdir()
    (tmp_path / "disk").mkdir()
    folders = ["--folder", tmp_path / "fast", "--disk", tmp_path / "disk", "--text", words]
    sizes = ["--size", 0.002, "--disk-size", 0.002, "--sizes", 0.001, 0.002, "--memory", "64M", "--budget", 0.01]
    written = tmp_path / "found" / "x.json"
    done = bench("shuffle", "memory", "head", "copies", "growth", *folders, *sizes, "--json", written)
    assert done.returncode == 0, done.stderr
    found = [Race.from_data(one) for one in json.loads(written.read_text())["races"]]
    assert [(one.case, one.x) for one in found] == [
        ("memory", None), ("copies", None), ("head", None), ("growth", 0.001), ("growth", 0.002),
    ]  # fmt: skip
    assert list(found[0].runs) == ["corpus -m 8G", "GNU shuf", "cp"]
    assert all(one.wall > 0 for race in found for side in race.runs.values() for one in side)
    assert "| times as fast as cp, sync, cp, sync |" in done.stdout
    assert "| cp, sync, cp, sync at 0.002, 0.002 GB |" in done.stdout
    assert list((tmp_path / "fast").iterdir()) == list((tmp_path / "disk").iterdir()) == []
    done = bench("shuffle", "frobnicate")
    assert done.returncode == 2
    assert "no case frobnicate" in done.stderr
    assert "copies" in done.stderr


def test_the_disk_bench_takes_ways(tmp_path: Path, words: Path):
    """Its options are those of the case that it is, under its own names."""
    sizes = ["--size", 0.002, "--memory", "64M", "--runs", 1]
    ways = ["--ways", "--spill raw", "--direct no"]
    done = bench("disk", "--folder", tmp_path, "--text", words, *sizes, *ways)
    assert done.returncode == 0, done.stderr
    assert "| corpus -m 64M --spill raw, 0.002 GB |" in done.stdout
    assert "| corpus -m 64M --direct no, 0.002 GB |" in done.stdout


@pytest.fixture
def curves() -> list[Race]:
    """Two points of one curve, and a race that is on none."""
    return [
        Race("growth", "a disk", 10**9, 1.0, runs={"corpus -m 512M": runs(1.0, 2.0), "terashuf": runs(4.0, 5.0)}),
        Race("growth", "a disk", 2 * 10**9, 2.0, runs={"corpus -m 512M": runs(2.0, 3.0), "terashuf": runs(9.0, 9.0)}),
        Race("memory", "fast | small", 10**9, runs={"corpus": runs(1.0)}),
    ]


def test_tables_go_between_the_marks(tmp_path: Path, curves: list[Race]):
    """What stood there is replaced, what stands around it stays; a document without marks is refused."""
    document = tmp_path / "page.md"
    document.write_text(f"before\n{bench_plots.MARKS[0]}\nold\n{bench_plots.MARKS[1]}\nafter\n")
    bench_plots.put_into(document, "\n".join(bench_plots.tables(curves)))
    whole = document.read_text()
    assert whole.startswith("before\n")
    assert whole.endswith("after\n")
    assert "old" not in whole
    # Both points stand in one table.
    assert whole.count("| | seconds |") == 2
    assert "| corpus -m 512M at 2, 2 GB | 2.00 / 2.50 / 3.00 | 800 |" in whole
    document.write_text("no marks")
    with pytest.raises(SystemExit, match="are not there"):
        bench_plots.put_into(document, "x")
    assert document.read_text() == "no marks"


def test_plots_are_drawn(tmp_path: Path, curves: list[Race]):
    """A curve of two points is drawn in small, the same figures give the same bytes, and no background hides a page."""
    pytest.importorskip("matplotlib")
    drawn = bench_plots.draw(curves, tmp_path)
    assert [path.name for path in drawn] == ["growth.svg"]
    first = drawn[0].read_bytes()
    assert b"GB of text" in first
    assert b"terashuf" in first
    assert len(first) < 40_000
    assert b"#ffffff" not in first
    bench_plots.draw(curves, tmp_path)
    assert drawn[0].read_bytes() == first


def test_drawing_without_its_library_is_one_line(tmp_path: Path, words: Path, monkeypatch: pytest.MonkeyPatch):
    """Said before anything is measured, with what to install."""
    (tmp_path / "matplotlib.py").write_text("raise ImportError('none')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = bench("shuffle", "memory", "--text", words, "--plot", tmp_path / "plots")
    assert done.returncode == 1
    assert done.stderr == "bench: drawing needs matplotlib: pip install 'corpustools[plots]'\n"
    assert done.stdout == ""
