"""Documents whose ids are known without a tokenizer, the model that gives these ids, and the real `corpus`.

Every piece of the model is one character, so that a text has one segmentation only. What a reader has to find is thus
known before `corpus` runs.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

UNK, BOS, EOS = range(3)
SPECIAL = ("<unk>", "<s>", "</s>")
# The character of the first piece that is text; 65,534 assigned and unassigned ideographs follow.
FIRST = 0x20000
LONG = 5_000_000


@dataclass(frozen=True)
class Case:
    """Documents of random ids.

    Args:
        lengths: ids of each document.
        vocabulary: ids of the model; the last one occurs in the first document that is not empty.
    """

    lengths: tuple[int, ...]
    vocabulary: int = 300

    @cached_property
    def documents(self) -> list[np.ndarray]:
        """The ids of every document, without an end mark."""
        draw = np.random.default_rng(self.vocabulary)
        made = [draw.integers(len(SPECIAL), self.vocabulary, length) for length in self.lengths]
        for document in made:
            document[:1] = self.vocabulary - 1
        return made

    @property
    def ended(self) -> list[np.ndarray]:
        """The ids of every document and the end mark behind each."""
        return [np.append(document, EOS) for document in self.documents]

    @property
    def width(self) -> int:
        """The bytes of an id where a format has 16 bits for all that fit."""
        return 2 if self.vocabulary <= 1 << 16 else 4

    @property
    def text(self) -> bytes:
        """The documents, one a line."""
        lines = ((document - len(SPECIAL) + FIRST).astype("<u4").tobytes() for document in self.documents)
        return "".join(f"{line.decode('utf-32-le')}\n" for line in lines).encode()

    @property
    def model(self) -> bytes:
        """The vocabulary as lines of `piece TAB score`."""
        pieces = [*SPECIAL, *(chr(FIRST + number) for number in range(self.vocabulary - len(SPECIAL)))]
        return "".join(f"{piece}\t{0 if piece in SPECIAL else -1}\n" for piece in pieces).encode()


# What every reader has to read. 65,536 ids are the most that 16 bits hold.
CASES = {
    "ordinary": Case((5, 1, 17, 40, 3, 8, 8, 64)),
    "empty documents among others": Case((4, 0, 0, 6, 0)),
    "a long document": Case((3, LONG, 2)),
    "65535 ids": Case((9, 20), 65_535),
    "65536 ids": Case((9, 20), 65_536),
    "65537 ids": Case((9, 20), 65_537),
}
# What a format may have no place for.
NOTHING = {"no document": Case(()), "one empty document": Case((0,))}
SMALL = Case((2, 1))
MANY = Case(tuple(1 + number % 7 for number in range(3000)))
SHARDS = 1000


class Corpus:
    """The real `corpus` in a fresh folder.

    Args:
        folder: the folder, where the outputs are too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = shlex.split(os.environ.get("CORPUS", "")) or [sys.executable, "-m", "corpustools"]

    def run(self, case: Case, name: str, output: str, *options: object) -> subprocess.CompletedProcess[str]:
        """Tokenize the documents of a case."""
        (self.folder / "model.vocab").write_bytes(case.model)
        (self.folder / "text.txt").write_bytes(case.text)
        words = [*self.command, "tokenize", "-m", "model.vocab", "-f", name, "-o", output, *options, "text.txt"]
        words = list(map(str, words))
        return subprocess.run(words, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of `corpus`: what the tests need to find their reader is kept from it."""
        return {name: value for name, value in os.environ.items() if not name.startswith(("CORPUS_", "PYTHON"))}

    def write(self, case: Case, name: str, output: str, *options: object) -> Path:
        """Tokenize the documents of a case and return the output's path."""
        done = self.run(case, name, output, *options)
        assert done.returncode == 0, f"{shlex.join(done.args)}\n{done.stderr}"
        return self.folder / output

    def refuse(self, case: Case, name: str, output: str, *options: object) -> str:
        """Return what `corpus` says when it refuses to write a case, which leaves nothing behind."""
        done = self.run(case, name, output, *options)
        assert done.returncode in (1, 2), f"{shlex.join(done.args)} ended with status {done.returncode}"
        left = {path.name for path in self.folder.iterdir()} - {"model.vocab", "text.txt"}
        assert not left, f"{shlex.join(done.args)} left {left}"
        said = [line for line in done.stderr.splitlines() if line.startswith("corpus: ")]
        assert len(said) == 1, done.stderr
        return said[0]

    def clear(self) -> None:
        """Remove the outputs."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Fail unless the documents are the same, token for token."""
    assert [len(one) for one in found] == [len(one) for one in expected]
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert np.array_equal(np.asarray(one, np.int64), other), f"document {number} differs"


def joined(documents: list[np.ndarray]) -> np.ndarray:
    """Return the tokens of all documents, one behind another."""
    return np.concatenate([np.zeros(0, np.int64), *documents])


def split(documents: list[np.ndarray], sizes: list[int]) -> list[list[np.ndarray]]:
    """Return the tokens in shards of so many tokens, each a list of one stretch; the sizes have to fit."""
    tokens = joined(documents)
    assert sum(sizes) == len(tokens)
    return [[stretch] for stretch in np.split(tokens, np.cumsum(sizes)[:-1])]


def windows(documents: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Return what a reader of fixed windows has to find: the tokens in pieces of this length, without a rest."""
    tokens = joined(documents)
    return list(tokens[: len(tokens) // length * length].reshape(-1, length))


def assert_whole(found: list[np.ndarray], documents: list[np.ndarray], length: int) -> None:
    """Fail unless every document that fits into a window stands in one, and the windows hold no other tokens.

    Args:
        found: the windows; a run of end marks at the end of one is padding.
        documents: what went in, each with its end mark.
        length: tokens of a window.
    """
    texts = [" ".join(map(str, np.asarray(window).tolist())) for window in found]
    assert all(len(window) <= length for window in found)
    for document in documents:
        if len(document) <= length:
            assert any(f" {' '.join(map(str, document.tolist()))} " in f" {text} " for text in texts)
    tokens = np.concatenate(found)
    assert sorted(tokens[tokens != EOS].tolist()) == sorted(joined(documents)[joined(documents) != EOS].tolist())
