"""megatron-core reads what the format megatron holds."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest

from readers.documents import CASES, EOS, MANY, NOTHING, SHARDS, SMALL, Case, assert_same, joined, windows
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def indexed(reader):
    """Return megatron-core's class of indexed data sets."""
    return reader("megatron.core.datasets.indexed_dataset").IndexedDataset


@pytest.fixture
def read(indexed):
    """Return a function from a prefix to the documents behind it."""

    def documents_of(prefix):
        dataset = indexed(str(prefix))
        assert dataset.document_indices.tolist() == list(range(len(dataset) + 1))
        return [np.array(dataset[number]) for number in range(len(dataset))]

    return documents_of


@pytest.fixture
def samples(reader, indexed):
    """Return a function from a prefix and a length to the samples that a trainer gets, in the order of the tokens."""
    gpt = reader("megatron.core.datasets.gpt_dataset")
    split = reader("megatron.core.datasets.utils").Split
    # The module that is compiled on a trainer's machine comes compiled with the package.
    reader("megatron.core.datasets.helpers_cpp")

    def samples_of(prefix, length):
        tokenizer = SimpleNamespace(eod=EOS, pad=-1, vocab_size=300, unique_identifiers={"tokenizer": "test"})
        config = gpt.GPTDatasetConfig(
            random_seed=1, sequence_length=length, blend=([str(prefix)], None), split="1", tokenizer=tokenizer,
            reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False, create_attention_mask=False,
            mmap_bin_files=True, path_to_cache=str(prefix.parent / "cache"),
        )  # fmt: skip
        data = indexed(str(prefix))
        # Documents are taken in a random order of the data set's own; here there is one.
        dataset = gpt.GPTDataset(data, str(prefix), np.zeros(1, np.int32), None, split.train, config)
        found = {int(dataset.shuffle_index[number]): dataset[number] for number in range(len(dataset))}
        return [found[number] for number in range(len(found))]

    return samples_of


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_document_comes_back(case, corpus, read):
    """The sequences are the documents, in the width that the reader expects of the vocabulary."""
    found = read(corpus.write(case, "megatron", "train"))
    assert_same(found, case.documents)
    assert found[0].dtype == (np.uint16 if case.width == 2 else np.int32)


@pytest.mark.parametrize("options", [(), ("--context", 16)], ids=["documents", "windows"])
def test_the_fast_way_of_opening(options, corpus, indexed):
    """What Megatron is told of every data set at once, instead of reading its index first, is what the index says."""
    prefix = corpus.write(CASES["ordinary"], "megatron", "train", *options)
    counts = json.loads((corpus.folder / "train.sequences.json").read_text())["train"]
    told, whole = (
        indexed(str(prefix), fast_cache_load=True, sequences_per_dataset=counts, dtype_code=8),
        indexed(str(prefix)),
    )
    assert_same([told[number] for number in range(len(told))], [whole[number] for number in range(len(whole))])
    assert told.document_indices.tolist() == whole.document_indices.tolist()


@pytest.mark.parametrize("case", [CASES["ordinary"], *NOTHING.values()], ids=["ordinary", *NOTHING])
def test_end_marks_belong_to_the_documents(case, corpus, read):
    """An end mark makes an empty document one of a token; without any document there are no tokens."""
    if not case.lengths:
        corpus.refuse(case, "megatron", "train", "--eos")
        return
    assert_same(read(corpus.write(case, "megatron", "train", "--eos")), case.ended)


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING)
def test_an_output_without_tokens_is_refused(case, corpus):
    """megatron-core cannot open a .bin of no bytes, so there is none."""
    corpus.refuse(case, "megatron", "train")


def test_a_thousand_shards(corpus, read):
    """Every shard can be opened, and one after another they hold all documents."""
    corpus.write(MANY, "megatron", "train-{shard}", "--shards", SHARDS)
    prefixes = sorted(path.with_suffix("") for path in corpus.folder.glob("train-*.idx"))
    assert len(prefixes) == SHARDS
    assert_same([document for prefix in prefixes for document in read(prefix)], MANY.documents)


def test_a_trainer_s_samples_are_the_tokens(corpus, samples):
    """GPTDataset hands out windows of the tokens, and the next token of each as its label."""
    case = Case((146,))
    [document] = case.documents
    found = samples(corpus.write(case, "megatron", "train"), 16)
    assert len(found) == (len(document) - 1) // 16
    for number, sample in enumerate(found):
        assert sample["tokens"].tolist() == document[16 * number : 16 * number + 16].tolist()
        assert sample["labels"].tolist() == document[16 * number + 1 : 16 * number + 17].tolist()


@pytest.mark.parametrize("pack", ["concat", "best-fit"])
def test_windows_are_documents_of_sequences(pack, corpus, indexed):
    """With a context length a document is a window, and what stands in it is a sequence for each document."""
    case = CASES["ordinary"]
    dataset = indexed(str(corpus.write(case, "megatron", "train", "--eos", "--context", 16, "--pack", pack)))
    starts = dataset.document_indices.tolist()
    found = [[np.array(dataset[number]) for number in range(*bounds)] for bounds in itertools.pairwise(starts)]
    if pack == "concat":
        assert_same([joined(window) for window in found], windows(case.ended, 16))
        return
    assert all(sum(map(len, window)) == 16 for window in found)
    short = [document.tolist() for document in case.ended if len(document) <= 16]
    kept = [sequence.tolist() for window in found for sequence in window]
    assert all(document in kept for document in short)


def test_less_than_a_window(corpus, read, samples):
    """What is shorter than a trainer's window can be read, and gives no sample."""
    prefix = corpus.write(SMALL, "megatron", "train")
    assert_same(read(prefix), SMALL.documents)
    assert samples(prefix, 16) == []


def test_the_session_of_the_documents(reader, tmp_path):
    """The session in docs/formats.md prints what is shown there."""
    reader("megatron.core.datasets.indexed_dataset")
    run_session("megatron", tmp_path)
