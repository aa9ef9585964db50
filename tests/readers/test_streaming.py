"""mosaicml-streaming reads what the format mds holds."""

from __future__ import annotations

import numpy as np
import pytest

from readers.documents import CASES, MANY, NOTHING, SHARDS, SMALL, assert_same, windows
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def read(reader):
    """Return a function from a folder to the samples in it."""
    streaming = reader("streaming")
    # What an earlier process left in shared memory under the same name would be taken for this one's.
    reader("streaming.base.util").clean_stale_shared_memory()

    def samples_of(folder):
        dataset = streaming.StreamingDataset(local=str(folder), shuffle=False, batch_size=1)
        return [np.array(dataset[number]["tokens"]) for number in range(len(dataset))]

    return samples_of


@pytest.mark.parametrize("case", [one for one in CASES.values() if 0 not in one.lengths])
def test_every_document_comes_back(case, corpus, read):
    """The samples are the documents."""
    assert_same(read(corpus.write(case, "mds", "train")), case.documents)


def test_empty_documents(corpus, read):
    """An array of this format has at least one element, so that an empty document needs its end mark."""
    case = CASES["empty documents among others"]
    assert "record 2" in corpus.refuse(case, "mds", "train")
    assert_same(read(corpus.write(case, "mds", "train", "--eos")), case.ended)


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING)
def test_an_output_without_tokens_is_refused(case, corpus):
    """The reader cannot open a folder without a shard, so there is none."""
    corpus.refuse(case, "mds", "train")


def test_windows(corpus, read):
    """With a context length the samples are windows of it."""
    case = CASES["ordinary"]
    folder = corpus.write(case, "mds", "train", "--context", 16, "--pack", "concat")
    assert_same(read(folder), windows(case.documents, 16))


def test_a_thousand_shards(corpus, read):
    """The samples of all shards are the documents in their order."""
    folder = corpus.write(MANY, "mds", "train", "--shards", SHARDS)
    assert len(list(folder.glob("shard.*.mds"))) == SHARDS
    assert_same(read(folder), MANY.documents)


def test_less_than_a_window(corpus, read):
    """What is shorter than a trainer's window comes as it is."""
    assert_same(read(corpus.write(SMALL, "mds", "train")), SMALL.documents)


def test_the_session_of_the_documents(reader, tmp_path):
    """The session in docs/formats.md prints what is shown there."""
    reader("streaming")
    run_session("mds", tmp_path)
