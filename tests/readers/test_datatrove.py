"""datatrove reads what the format datatrove holds."""

from __future__ import annotations

import numpy as np
import pytest

from readers.documents import CASES, MANY, NOTHING, SHARDS, SMALL, assert_same, assert_whole, split, windows
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]
WINDOW = 4


@pytest.fixture
def file_dataset(reader):
    """Return datatrove's class of a file of tokens."""
    return reader("datatrove.utils.dataset").DatatroveFileDataset


@pytest.fixture
def folder_dataset(reader):
    """Return datatrove's class of a folder of such files."""
    return reader("datatrove.utils.dataset").DatatroveFolderDataset


def items(dataset, name="input_ids"):
    """Return what the data set holds; it goes round for ever when it is iterated over."""
    return [np.array(dataset[number][name]) for number in range(len(dataset))]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_token_comes_back(case, corpus, file_dataset):
    """The windows are the tokens, one behind another."""
    prefix = corpus.write(case, "datatrove", "train", "--eos")
    length = WINDOW if sum(case.lengths) < 10_000 else 9999
    found = items(file_dataset(f"{prefix}.ds", seq_len=length - 1, token_size=case.width))
    assert_same(found, windows(case.ended, length))


@pytest.mark.parametrize("options", [(), ("--eos",)], ids=["no end marks", "end marks"])
def test_positions_begin_again_with_every_document(options, corpus, file_dataset):
    """The reader finds documents by the .index; one without tokens has no place there."""
    case = CASES["empty documents among others"]
    documents = case.ended if options else case.documents
    prefix = corpus.write(case, "datatrove", "train", *options)
    dataset = file_dataset(f"{prefix}.ds", seq_len=sum(map(len, documents)) - 1, return_positions=True)
    [positions] = items(dataset, "positions")
    assert positions.tolist() == [place for document in documents for place in range(len(document))]


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING)
def test_an_output_without_tokens(case, corpus, file_dataset):
    """A file without tokens is a data set without items."""
    prefix = corpus.write(case, "datatrove", "train")
    assert len(file_dataset(f"{prefix}.ds", seq_len=WINDOW - 1)) == 0


def test_best_fit_keeps_documents_whole(corpus, file_dataset):
    """Windows of one token more than seq_len are the reader's items."""
    case = CASES["ordinary"]
    prefix = corpus.write(case, "datatrove", "train", "--eos", "--context", 18, "--pack", "best-fit")
    found = items(file_dataset(f"{prefix}.ds", seq_len=17))
    assert_whole(found, case.ended, 18)


def test_a_thousand_shards(corpus, folder_dataset):
    """A folder's files are taken in the order of the shards; of each the tokens that fill no window are left out."""
    corpus.write(MANY, "datatrove", "train-{shard}", "--shards", SHARDS, "--eos")
    found = items(folder_dataset(str(corpus.folder), seq_len=WINDOW - 1, filename_pattern="*.ds"))
    sizes = [path.stat().st_size // 2 for path in sorted(corpus.folder.glob("*.ds"))]
    assert len(sizes) == SHARDS
    assert_same(found, [window for shard in split(MANY.ended, sizes) for window in windows(shard, WINDOW)])


def test_an_empty_part_beside_others(corpus, folder_dataset):
    """A file without tokens adds none to the files beside it."""
    case = CASES["ordinary"]
    corpus.write(NOTHING["no document"], "datatrove", "a")
    corpus.write(case, "datatrove", "b")
    found = items(folder_dataset(str(corpus.folder), seq_len=WINDOW - 1, filename_pattern="*.ds"))
    assert_same(found, windows(case.documents, WINDOW))


def test_less_than_a_window(corpus, file_dataset):
    """What is shorter than a trainer's window gives no item."""
    prefix = corpus.write(SMALL, "datatrove", "train")
    assert len(file_dataset(f"{prefix}.ds", seq_len=15)) == 0
    assert_same(items(file_dataset(f"{prefix}.ds", seq_len=2)), windows(SMALL.documents, 3))


def test_the_session_of_the_documents(reader, tmp_path):
    """The session in docs/formats.md prints what is shown there."""
    reader("datatrove.utils.dataset")
    run_session("datatrove", tmp_path)
