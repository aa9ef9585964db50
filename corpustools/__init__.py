"""Prepare pretraining text: every output is a pure function of the seed and the input."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpustools.nabc import nabc, nabc_range
    from corpustools.tokenize.tokenizer import Tokenizer

# The public names and where they live; each is imported when it is first asked for, so that a command
# loads only what it runs.
_HOMES = {
    "CorpusError": "corpustools.errors",
    "Tokenizer": "corpustools.tokenize.tokenizer",
    "nabc": "corpustools.nabc",
    "nabc_range": "corpustools.nabc",
    "shuffle": "corpustools.shuffle",
    "ShuffleResult": "corpustools.shuffle",
}

__all__ = ["CorpusError", "ShuffleResult", "Tokenizer", "__version__", "nabc", "nabc_range", "shuffle"]


def __getattr__(name: str) -> Any:
    """Return a public name from its home module, or the installed version."""
    if name == "__version__":
        from importlib.metadata import version

        return version("corpustools")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
