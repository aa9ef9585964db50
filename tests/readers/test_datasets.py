"""pyarrow and datasets read what the formats parquet and arrow hold."""

from __future__ import annotations

import numpy as np
import pytest

from readers.documents import CASES, MANY, NOTHING, SHARDS, SMALL, assert_same, assert_whole, joined, windows
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]
SUFFIXES = {"parquet": ".parquet", "arrow": ".arrow"}


@pytest.fixture
def pa(reader):
    """Return pyarrow with its Parquet module."""
    reader("pyarrow.parquet")
    return reader("pyarrow")


@pytest.fixture
def read(pa):
    """Return a function from a file to its table."""

    def table_of(path):
        if path.suffix == ".parquet":
            return pa.parquet.read_table(path)
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
            return stream.read_all()

    return table_of


@pytest.fixture
def load(reader, tmp_path):
    """Return a function from files to a data set, as load_dataset makes it."""
    datasets = reader("datasets")
    cache = tmp_path / "cache"

    def dataset_of(*paths):
        kind = paths[0].suffix[1:]
        files = list(map(str, paths))
        return datasets.load_dataset(kind, data_files=files, split="train", cache_dir=str(cache))

    return dataset_of


def documents_in(column):
    """Return the lists of a column as arrays."""
    return [np.array(row) for chunk in column.chunks for row in chunk.to_numpy(zero_copy_only=False)]


@pytest.mark.parametrize("name", SUFFIXES)
@pytest.mark.parametrize("case", (CASES | NOTHING).values(), ids=CASES | NOTHING)
def test_pyarrow_reads_every_document(name, case, corpus, pa, read):
    """The rows are the documents, with or without any, as lists of int32."""
    table = read(corpus.write(case, name, f"train{SUFFIXES[name]}"))
    assert table.column_names == ["input_ids"]
    assert table.schema.field("input_ids").type == pa.list_(pa.int32())
    assert table["input_ids"].null_count == 0
    assert_same(documents_in(table["input_ids"]), case.documents)


@pytest.mark.parametrize("name", SUFFIXES)
@pytest.mark.parametrize("case", [*CASES.values(), NOTHING["one empty document"]], ids=[*CASES, "one empty document"])
def test_datasets_reads_every_document(name, case, corpus, load):
    """load_dataset gives the documents as rows."""
    dataset = load(corpus.write(case, name, f"train{SUFFIXES[name]}")).with_format("numpy")
    found = [dataset[number]["input_ids"] for number in range(len(dataset))]
    assert_same(found, case.documents)


@pytest.mark.parametrize("name", SUFFIXES)
def test_an_empty_part_beside_others(name, corpus, load):
    """A file without rows adds none to the files beside it; in Parquet it has no row group, for that one would fail."""
    suffix, case = SUFFIXES[name], CASES["ordinary"]
    paths = [corpus.write(NOTHING["no document"], name, f"a{suffix}"), corpus.write(case, name, f"b{suffix}")]
    assert_same(list(map(np.array, load(*paths)["input_ids"])), case.documents)


@pytest.mark.parametrize("name", SUFFIXES)
def test_datasets_without_a_document(name, corpus, load):
    """load_dataset itself says that a file without rows is none for it."""
    path = corpus.write(NOTHING["no document"], name, f"train{SUFFIXES[name]}")
    with pytest.raises(ValueError, match="corresponds to no data"):
        load(path)


def test_datasets_maps_an_arrow_file(corpus, reader):
    """Dataset.from_file needs no copy of an Arrow file."""
    case = CASES["ordinary"]
    dataset = reader("datasets").Dataset.from_file(str(corpus.write(case, "arrow", "train.arrow")))
    assert_same(list(map(np.array, dataset["input_ids"])), case.documents)


@pytest.mark.parametrize("name", SUFFIXES)
def test_windows_say_where_documents_end(name, corpus, read):
    """With a context length a row is a window, and seq_lengths says how long the documents' parts in it are."""
    case = CASES["ordinary"]
    table = read(corpus.write(case, name, f"train{SUFFIXES[name]}", "--context", 16, "--pack", "concat"))
    rows = documents_in(table["input_ids"])
    assert_same(rows, windows(case.documents, 16))
    lengths = documents_in(table["seq_lengths"])
    assert [sum(row) for row in lengths] == [16] * len(rows)
    ends = set(np.cumsum(np.concatenate(lengths)).tolist())
    kept = joined(rows)
    assert {end for end in np.cumsum(case.lengths).tolist() if end <= len(kept)} <= ends


@pytest.mark.parametrize("name", SUFFIXES)
def test_best_fit_keeps_documents_whole(name, corpus, load):
    """The rows are the windows, and seq_lengths cuts them into the documents, which TRL keeps apart by it."""
    case = CASES["ordinary"]
    options = ("--eos", "--context", 18, "--pack", "best-fit")
    dataset = load(corpus.write(case, name, f"train{SUFFIXES[name]}", *options))
    assert_whole(list(map(np.array, dataset["input_ids"])), case.ended, 18)
    pieces = []
    for row in dataset:
        assert sum(row["seq_lengths"]) == len(row["input_ids"])
        pieces += [piece.tolist() for piece in np.split(np.array(row["input_ids"]), np.cumsum(row["seq_lengths"])[:-1])]
    assert all(document.tolist() in pieces for document in case.ended if len(document) <= 18)


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_thousand_shards(name, corpus, load):
    """load_dataset takes all shards together and gives the documents in their order."""
    corpus.write(MANY, name, f"train-{{shard}}{SUFFIXES[name]}", "--shards", SHARDS)
    paths = sorted(corpus.folder.glob("train-*"))
    assert len(paths) == SHARDS
    assert_same(list(map(np.array, load(*paths)["input_ids"])), MANY.documents)


@pytest.mark.parametrize("name", SUFFIXES)
def test_less_than_a_window(name, corpus, read):
    """Without a whole window there is no row, and the file can be opened all the same."""
    table = read(corpus.write(SMALL, name, f"train{SUFFIXES[name]}", "--context", 16, "--pack", "concat"))
    assert table.num_rows == 0


@pytest.mark.parametrize("name", SUFFIXES)
def test_the_sessions_of_the_documents(name, reader, tmp_path):
    """The sessions in docs/formats.md print what is shown there."""
    reader("datasets")
    run_session(name, tmp_path)
