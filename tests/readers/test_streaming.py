"""mosaicml-streaming reads what the format mds holds."""

from __future__ import annotations

import numpy as np
import pytest

from readers.documents import CASES, MANY, NOTHING, SHARDS, SMALL, assert_same, assert_whole, windows
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


@pytest.mark.parametrize("case", [*CASES.values(), NOTHING["one empty document"]], ids=[*CASES, "one empty document"])
def test_every_document_comes_back(case, corpus, read):
    """The samples are the documents, the empty ones included, which the library's own writer refuses."""
    assert_same(read(corpus.write(case, "mds", "train")), case.documents)


def test_no_document(corpus, read):
    """The reader itself says that a folder without samples is none for it."""
    folder = corpus.write(NOTHING["no document"], "mds", "train")
    with pytest.raises(RuntimeError, match="no samples"):
        read(folder)


def test_windows(corpus, read):
    """With a context length the samples are windows of it."""
    case = CASES["ordinary"]
    folder = corpus.write(case, "mds", "train", "--context", 16, "--pack", "concat")
    assert_same(read(folder), windows(case.documents, 16))


def test_best_fit_keeps_documents_whole(corpus, read):
    """The samples are the windows, which are left shorter where nothing more fits."""
    case = CASES["ordinary"]
    folder = corpus.write(case, "mds", "train", "--eos", "--context", 18, "--pack", "best-fit")
    assert_whole(read(folder), case.ended, 18)


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
