"""No record is lost, doubled or changed, whatever its bytes, its size, and where the file ends."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest
from harness import COMPILED, MIB, PLENTY, Folder, is_plain, needs_speed
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import order, records, shuffled

from corpustools.errors import DataError
from corpustools.stages.shuffle import shuffle

FLOOR = 64 * MIB
# The bytes that other tools lose, split or take for an end.
BYTES = st.binary(max_size=200) | st.lists(
    st.sampled_from([b"\0", b"\xff", b"\r\n", b"\n", b"\n\n", b"a", b"\x1a", b"\xef\xbb\xbf", b"\xed\xa0\x80"]),
    max_size=80,
).map(b"".join)


@settings(max_examples=150)
@given(st.lists(BYTES, min_size=1, max_size=3), st.sampled_from([b"\n", b"\0"]), st.booleans())
def test_any_bytes_come_out_as_they_went_in(tmp_path_factory, inputs, delimiter, no_temp):
    """Random bytes, NUL, 0xFF, CRLF, empty records, no last delimiter, empty inputs: the reference's bytes."""
    assume(all(is_plain(data) for data in inputs))
    path = tmp_path_factory.mktemp("bytes")
    whole = []
    for number, data in enumerate(inputs):
        (path / str(number)).write_bytes(data)
        whole += records(data, delimiter)
    names = [path / str(number) for number in range(len(inputs))]
    result = shuffle(names, path / "out", seed="b", memory=PLENTY, delimiter=delimiter, no_temp=no_temp, workers=2)
    assert (path / "out").read_bytes() == shuffled(whole, "b")
    assert (result.records, result.bytes) == (len(whole), sum(map(len, whole)))


@settings(max_examples=60)
@given(st.lists(BYTES, min_size=1, max_size=3), st.integers(0, 4), st.sampled_from([b"\n", b"\0"]), st.integers(0, 9))
def test_headers_stay_on_top(tmp_path_factory, inputs, header, delimiter, keep):
    """The first input's stay, the later inputs' go; -n counts records without them.

    Empty inputs have no header. An input that ends inside its header is refused beside others.
    """
    assume(all(is_plain(data) for data in inputs))
    path = tmp_path_factory.mktemp("header")
    top, whole = [], []
    for number, data in enumerate(inputs):
        (path / str(number)).write_bytes(data)
        mine = records(data, delimiter)
        top = top or mine[:header]
        whole += mine[header:]
    names = [path / str(number) for number in range(len(inputs))]
    options = {"seed": "h", "memory": PLENTY, "delimiter": delimiter, "header": header}
    if len(inputs) > 1 and any(0 < len(records(data, delimiter)) < header for data in inputs):
        with pytest.raises(DataError, match="ends inside the header"):
            shuffle(names, path / "out", **options)
        return
    shuffle(names, path / "out", **options)
    assert (path / "out").read_bytes() == b"".join(top) + shuffled(whole, "h")
    shuffle(names, path / "out", head_count=keep, **options)
    assert (path / "out").read_bytes() == b"".join(top + [whole[i] for i in order(len(whole), "h")[:keep]])
    shuffle(names, path / "s{shard}", shards=2, **options)
    assert (path / "s0").read_bytes() + (path / "s1").read_bytes() == b"".join(top) + shuffled(whole, "h")


@settings(max_examples=60)
@given(st.integers(1, 70), st.lists(st.integers(0, 20), min_size=1, max_size=3), st.integers(0, 2))
def test_records_of_fixed_size(tmp_path_factory, size, counts, header):
    """Newlines and NUL mean nothing in them."""
    path = tmp_path_factory.mktemp("fixed")
    whole, top, names = [], [], []
    for number, count in enumerate(counts):
        mine = [bytes((i * 7 + byte * 5) % 11 for byte in range(size)) for i in range(count)]
        names.append(path / str(number))
        names[-1].write_bytes(b"".join(mine))
        top = top or mine[:header]
        whole += mine[header:]
    shuffle(names, path / "out", seed="f", memory=PLENTY, record_bytes=size, header=header)
    assert (path / "out").read_bytes() == b"".join(top) + shuffled(whole, "f")


def test_left_over_bytes_of_fixed_size_records_are_an_error(tmp_path: Path):
    """They are named with the file, and nothing is written."""
    (tmp_path / "in").write_bytes(bytes(1001))
    with pytest.raises(DataError, match=r"in: 1 bytes are left over after 100 records of 10 bytes"):
        shuffle(tmp_path / "in", tmp_path / "out", record_bytes=10, memory=PLENTY)
    assert not (tmp_path / "out").exists()


def edges() -> list[int]:
    """Sizes of records about the buffers and blocks of 64 MiB."""
    return [size + by for size in (4096, 256 << 10, 512 << 10, MIB) for by in (-25, -1, 0, 1)] + [4 * MIB]


@needs_speed
@pytest.mark.parametrize("options", ["", "-j 1 --spill zstd", "--no-temp", "-n 20", "-z", "--part 1/1 -j 3"])
@pytest.mark.parametrize("ending", [True, False])
def test_records_about_the_buffers(folder: Folder, options: str, ending: bool):
    """Sizes around a block, a chunk and an output buffer, and giants, with or without a last delimiter."""
    mark = b"\0" if "-z" in options else b"\n"
    whole = [bytes([97 + i % 26]) * (size - 1) + mark for i, size in enumerate(edges())]
    whole = [piece for one in whole for piece in (one, b"%d" % len(one) + mark, mark)]
    data = b"".join(whole + whole[:-2] + whole[-3:-2])
    whole = whole + whole[:-2] + whole[-3:-2]
    folder.write("in", data if ending else data[:-1])
    folder.corpus("shuffle", "in", "-o", "out", "-s", "e", "-m", FLOOR, *options.split()).ok()
    expected = (
        shuffled(whole, "e") if "-n 20" not in options else b"".join(whole[i] for i in order(len(whole), "e")[:20])
    )
    assert folder.read("out") == expected


# More than the memory, and three times as much.
SIZES = [80, pytest.param(200, marks=pytest.mark.heavy)]


@needs_speed
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", ["file", "no end", "pipe", "gz", "--no-temp", "-n", "fixed", "stdin file", "--shards"])
def test_one_record_larger_than_the_memory(folder: Folder, how: str, size: int):
    """It is streamed from its place in the file, or from the overflow file if the input cannot be read again."""
    giant = b"0123456789abcdef" * (size * MIB // 16 - 1) + b"0123456789abcde\n"
    whole = [b"%15d\n" % i for i in range(500)] + [giant] + [b"%15d\n" % i for i in range(500)]
    data = b"".join(whole)
    options = ["-o", "out", "-s", "g", "-m", "64MiB", "-j", "2"]
    if how == "no end":
        whole = whole[:501]
        data = b"".join(whole)[:-1]
    if how in ("pipe", "gz"):
        folder.corpus("shuffle", *options, stdin=gzip.compress(data, 1) if how == "gz" else data).ok()
    elif how == "fixed":
        data = giant * 2
        whole = [giant, giant]
        folder.write("in", data)
        folder.corpus("shuffle", "in", "--record-bytes", size * MIB, *options).ok()
    elif how == "stdin file":
        folder.write("in", b"skipped\n" + data)
        with (folder.path / "in").open("rb") as file:
            file.seek(8)
            folder.corpus("shuffle", *options, stdin=file).ok()
    else:
        folder.write("in", data)
        extra = {"--no-temp": ["--no-temp"], "-n": ["-n", "900"], "--shards": ["--shards", "3"]}.get(how, [])
        if how == "--shards":
            options[1] = "out{shard}"
        folder.corpus("shuffle", "in", *options, *extra).ok()
    expected = [whole[i] for i in order(len(whole), "g")]
    out = b"".join(folder.read(f"out{i}") for i in range(3)) if how == "--shards" else folder.read("out")
    assert out == b"".join(expected[:900] if how == "-n" else expected)


@needs_speed
def test_giants_in_many_files_need_few_descriptors(folder: Folder):
    """Each stays in its file; the files are not all held open. With 4 workers a buffer has 256 KiB."""
    for number in range(100):
        folder.write(f"in{number}", b"%d " % number + b"x" * (300 << 10) + b"\n")
    outcome = folder.shell("ulimit -n 64; $corpus shuffle in? in?? -o out -s d -m 64MiB -j 4").ok()
    names = [f"in{i}" for i in range(100)]
    whole = [folder.read(name) for name in names]
    assert folder.read("out") == shuffled(whole, "d"), str(outcome)


@needs_speed
@pytest.mark.parametrize("by", [-1, 0, 1])
@pytest.mark.parametrize("how", ["file", "pipe"])
def test_an_input_of_exactly_the_memory(folder: Folder, by: int, how: str):
    """Nothing happens twice or never where a buffer is filled exactly."""
    line = b"x" * 63 + b"\n"
    data = line * (FLOOR // 64 - 1) + b"y" * (63 + by) + b"\n"
    folder.write("in", data)
    source = {"stdin": data} if how == "pipe" else {}
    folder.corpus("shuffle", *([] if source else ["in"]), "-o", "out", "-m", FLOOR, **source).ok()
    out = folder.read("out")
    assert len(out) == len(data)
    assert Counter(out.split(b"\n")) == Counter(data.split(b"\n"))


@pytest.mark.parametrize("count", [0, 1, 2_000_000 if COMPILED else 5000])
def test_only_delimiters(folder: Folder, count: int):
    """Empty records are records."""
    folder.write("in", b"\n" * count)
    outcome = folder.corpus("shuffle", "in", "-o", "out", "-m", "64MiB").ok()
    assert folder.read("out") == b"\n" * count
    *warnings, said = outcome.stderr.splitlines()
    assert said.startswith(f"{count} records")
    assert warnings == ([] if count else ["warning: the input has no records"])
