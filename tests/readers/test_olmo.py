"""olmo-core reads what the format olmo holds."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from readers.documents import CASES, EOS, MANY, NOTHING, SHARDS, SMALL, assert_same, assert_whole, split, windows
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def read(reader):
    """Return a function from files and a length to the windows in them, as a trainer gets them."""
    module = reader("olmo_core.data.numpy_dataset")

    def instances_of(paths, length, vocabulary=300, name="NumpyFSLDataset", **options):
        dtype = np.uint16 if vocabulary <= 1 << 16 else np.uint32
        dataset = getattr(module, name)(
            *map(str, paths), sequence_length=length, pad_token_id=0, eos_token_id=EOS, vocab_size=vocabulary,
            dtype=dtype, **options,
        )  # fmt: skip
        dataset.work_dir = paths[0].parent
        dataset.prepare()
        return [dataset[number] for number in range(len(dataset))]

    return instances_of


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_token_comes_back(case, corpus, read):
    """The windows are the tokens, one behind another."""
    prefix = corpus.write(case, "olmo", "train", "--eos")
    length = 4 if sum(case.lengths) < 10_000 else 9999
    found = read([prefix.with_suffix(".npy")], length, case.vocabulary)
    assert_same([one["input_ids"] for one in found], windows(case.ended, length))


@pytest.mark.parametrize("scan", [True, False], ids=["end marks", "csv.gz"])
def test_documents_are_packed_whole(scan, corpus, read):
    """Both by the end marks and by the .csv.gz the packing reader finds every document, token for token."""
    case = CASES["ordinary"]
    path = corpus.write(case, "olmo", "train", "--eos").with_suffix(".npy")
    found = read([path], 128, name="NumpyPackedFSLDataset", generate_doc_lengths=True, use_array_if_local=scan)
    documents = []
    for instance in found:
        ends = np.cumsum(np.asarray(instance["doc_lens"]))
        pieces = np.split(np.asarray(instance["input_ids"]), ends)
        documents += [piece.tolist() for piece in pieces if len(piece) and piece[0]]
    assert sorted(documents) == sorted(document.tolist() for document in case.ended)


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING)
def test_an_output_without_tokens_is_refused(case, corpus):
    """Two of the readers cannot map an empty file, one among many included, so there is none."""
    corpus.refuse(case, "olmo", "train")


def test_best_fit_keeps_documents_whole(corpus, read):
    """The instances are the windows."""
    case = CASES["ordinary"]
    path = corpus.write(case, "olmo", "train", "--eos", "--context", 18, "--pack", "best-fit").with_suffix(".npy")
    assert_whole([one["input_ids"] for one in read([path], 18)], case.ended, 18)


def test_a_thousand_shards(corpus, read):
    """Of each file the tokens that fill no window are left out; the .csv.gz of each tells its documents."""
    corpus.write(MANY, "olmo", "train-{shard}", "--shards", SHARDS, "--eos")
    paths = sorted(corpus.folder.glob("train-*.npy"))
    sizes = [path.stat().st_size // 2 for path in paths]
    assert len(sizes) == SHARDS
    found = [one["input_ids"] for one in read(paths, 4)]
    assert_same(found, [window for shard in split(MANY.ended, sizes) for window in windows(shard, 4)])
    lengths = []
    for path in paths:
        rows = gzip.decompress(path.with_suffix(".csv.gz").read_bytes()).decode().splitlines()
        lengths += [int(end) - int(start) for start, end, *_ in (row.split(",") for row in rows)]
    assert lengths == [len(document) for document in MANY.ended]


def test_less_than_a_window(corpus, read):
    """What is shorter than a trainer's window gives none."""
    path = corpus.write(SMALL, "olmo", "train", "--eos").with_suffix(".npy")
    assert read([path], 16) == []
    assert_same([one["input_ids"] for one in read([path], 5)], windows(SMALL.ended, 5))


def test_the_session_of_the_documents(reader, tmp_path):
    """The session in docs/formats.md prints what is shown there."""
    reader("olmo_core.data.numpy_dataset")
    run_session("olmo", tmp_path)
