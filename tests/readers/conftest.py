"""What tests of readers share."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from readers.documents import Corpus
from readers.standins import numpy_torch
from readers.standins.hollow import fill


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Return the real `corpus` in a fresh folder."""
    return Corpus(tmp_path)


@pytest.fixture
def reader() -> Callable[[str], ModuleType]:
    """Return a function that imports a reader's module; without the reader the test is skipped.

    `bin/readers` sets READER, and there a missing reader is a failure.
    """
    return load


def load(name: str) -> ModuleType:
    """Import a reader's module, with the stand-in for torch where there is none."""
    if find_spec(name.partition(".")[0]) is None and "READER" not in os.environ:
        pytest.skip(f"{name.partition('.')[0]} is not installed here; bin/readers makes an environment for it")
    if find_spec("torch") is None:
        numpy_torch.install()
    for large in ("torchvision", "transformers"):
        if find_spec(large) is None:
            fill(large)
    return import_module(name)
