"""numpy reads the plain formats, as trainers do that open token files with nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from readers.documents import CASES, MANY, NOTHING, SHARDS, SMALL, assert_same, joined
from readers.sessions import run_session

pytestmark = [pytest.mark.readers, pytest.mark.filterwarnings("ignore")]
SHORT = {name: case for name, case in CASES.items() if case.width == 2}
# What llm.c and modded-nanogpt ask of the first two integers, by the bytes of an id.
LLMC = {2: (20240520, 1), 4: (20240801, 7)}


def llmc_tokens(path, width):
    """Return a shard's tokens; every check is one of llm.c's dataloader.h or of modded-nanogpt's _load_data_shard."""
    data = path.read_bytes()
    header = np.frombuffer(data, "<i4", 256)
    assert tuple(header[:2]) == LLMC[width]
    assert not header[3:].any()
    assert len(data) == 1024 + int(header[2]) * width
    return np.frombuffer(data, f"<u{width}", offset=1024)


def documents_by_offsets(prefix, width):
    """Return the documents of the format offsets, mapped as torchtitan maps them."""
    offsets = np.load(f"{prefix}.offsets.npy", mmap_mode="r")
    assert offsets.dtype == np.int64
    tokens = np.memmap(f"{prefix}.bin", dtype=f"<u{width}", mode="r") if offsets[-1] else np.zeros(0, np.uint16)
    assert offsets[0] == 0
    assert offsets[-1] == len(tokens)
    return [tokens[start:end] for start, end in itertools.pairwise(offsets)]


@pytest.mark.parametrize("case", SHORT.values(), ids=SHORT)
def test_nanogpt_maps_every_token(case, corpus):
    """train.bin is an array of uint16, as nanoGPT's get_batch maps it."""
    tokens = np.memmap(corpus.write(case, "u16", "train.bin"), dtype=np.uint16, mode="r")
    assert np.array_equal(tokens, joined(case.documents))


def test_nanogpt_cannot_hold_more_than_16_bits(corpus):
    """A vocabulary whose last id would come back as 0 is refused."""
    corpus.refuse(CASES["65537 ids"], "u16", "train.bin")


@pytest.mark.parametrize("case", (CASES | NOTHING).values(), ids=CASES | NOTHING)
def test_offsets_give_every_document(case, corpus):
    """The offsets cut the tokens into the documents, the empty ones included."""
    assert_same(documents_by_offsets(corpus.write(case, "offsets", "train"), case.width), case.documents)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_llmc_takes_every_token(case, corpus):
    """A shard passes the checks of its readers and holds all tokens."""
    tokens = llmc_tokens(corpus.write(case, "llmc", "train.bin", "--eos"), case.width)
    assert np.array_equal(tokens, joined(case.ended))


@pytest.mark.parametrize("case", NOTHING.values(), ids=NOTHING)
def test_llmc_without_tokens(case, corpus):
    """A shard without tokens says so in its header."""
    assert len(llmc_tokens(corpus.write(case, "llmc", "train.bin"), case.width)) == 0


@pytest.mark.parametrize("name", ["llmc", "offsets"])
def test_a_thousand_shards(name, corpus):
    """Every shard can be opened, and one after another they hold all documents."""
    suffix = ".bin" if name == "llmc" else ""
    corpus.write(MANY, name, f"train-{{shard}}{suffix}", "--shards", SHARDS)
    paths = sorted(corpus.folder.glob("train-*.bin"))
    assert len(paths) == SHARDS
    if name == "llmc":
        tokens = np.concatenate([llmc_tokens(path, 2) for path in paths])
        assert np.array_equal(tokens, joined(MANY.documents))
    else:
        found = [document for path in paths for document in documents_by_offsets(path.with_suffix(""), 2)]
        assert_same(found, MANY.documents)


@pytest.mark.parametrize("name", ["u16", "llmc"])
def test_less_than_a_window(name, corpus):
    """What is shorter than a trainer's window is there all the same."""
    path = corpus.write(SMALL, name, "train.bin")
    tokens = np.memmap(path, dtype=np.uint16, mode="r") if name == "u16" else llmc_tokens(path, 2)
    assert np.array_equal(tokens, joined(SMALL.documents))


@pytest.mark.parametrize("name", ["first", "nanogpt", "modded-nanogpt", "offsets"])
def test_the_sessions_of_the_documents(name, tmp_path):
    """The sessions in docs/formats.md print what is shown there."""
    run_session(name, tmp_path)
