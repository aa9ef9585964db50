"""litdata reads what the format litdata holds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from readers.documents import CASES, MANY, NOTHING, SHARDS, SMALL, assert_same, assert_whole, joined, split, windows
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def read(reader):
    """Return a function from a folder and a length to the blocks in it."""
    litdata = reader("litdata")

    def blocks_of(folder, length):
        dataset = litdata.StreamingDataset(str(folder), item_loader=litdata.TokensLoader(block_size=length))
        return [np.array(dataset[number]) for number in range(len(dataset))]

    return blocks_of


def chunks_of(folder):
    """Return the tokens in each chunk."""
    return [chunk["dim"] for chunk in json.loads((folder / "index.json").read_text())["chunks"]]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_token_comes_back(case, corpus, read):
    """The blocks are the tokens, one behind another, in a type that holds every id."""
    folder = corpus.write(case, "litdata", "train")
    length = 4 if sum(case.lengths) < 10_000 else 9999
    found = read(folder, length)
    assert_same(found, windows(case.documents, length))
    assert found[0].dtype == (np.uint16 if case.width == 2 else np.int32)


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING)
def test_an_output_without_tokens(case, corpus, read):
    """A chunk without tokens gives no block."""
    assert read(corpus.write(case, "litdata", "train"), 4) == []


def test_shards_of_whole_windows_lose_nothing(corpus, read):
    """Every chunk of an output that was cut into windows holds whole blocks."""
    tokens = joined(MANY.documents)
    folder = corpus.write(MANY, "litdata", "train", "--context", 8, "--pack", "concat", "--shards", SHARDS)
    assert len(chunks_of(folder)) == SHARDS
    assert_same(read(folder, 8), windows([tokens], 8))


def test_best_fit_keeps_documents_whole(corpus, read):
    """The blocks are the windows, of which every document that fits has one to itself or with others."""
    case = CASES["ordinary"]
    folder = corpus.write(case, "litdata", "train", "--eos", "--context", 18, "--pack", "best-fit")
    found = read(folder, 18)
    assert all(len(block) == 18 for block in found)
    assert_whole(found, case.ended, 18)


def test_a_thousand_shards(corpus, read):
    """Of each chunk the tokens that fill no block are left out."""
    folder = corpus.write(MANY, "litdata", "train", "--shards", SHARDS)
    shards = split(MANY.documents, chunks_of(folder))
    assert len(shards) == SHARDS
    assert_same(read(folder, 3), [window for shard in shards for window in windows(shard, 3)])


def test_less_than_a_window(corpus, read):
    """What is shorter than a trainer's window gives no block."""
    folder = corpus.write(SMALL, "litdata", "train")
    assert read(folder, 16) == []
    assert_same(read(folder, 3), windows(SMALL.documents, 3))


def test_the_session_of_the_documents(reader, tmp_path):
    """The session in docs/formats.md prints what is shown there."""
    reader("litdata")
    run_session("litdata", tmp_path)
