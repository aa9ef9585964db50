"""Prepare pretraining text: every output is a pure function of the seed and the input."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpustools.errors import CorpusError
    from corpustools.stages.nabc import nabc, nabc_range
    from corpustools.stages.shuffle import ShuffleResult, shuffle
    from corpustools.stages.tokenize.tokenizer import Tokenizer

# The public names and where they live; each is imported when it is first asked for, so that a command
# loads only what it runs.
_HOMES = {
    "CorpusError": "corpustools.errors",
    "ShuffleResult": "corpustools.stages.shuffle",
    "Tokenizer": "corpustools.stages.tokenize.tokenizer",
    "nabc": "corpustools.stages.nabc",
    "nabc_range": "corpustools.stages.nabc",
    "shuffle": "corpustools.stages.shuffle",
}

__all__ = ["CorpusError", "ShuffleResult", "Tokenizer", "__version__", "nabc", "nabc_range", "shuffle"]


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__


def __getattr__(name: str) -> Any:
    """Return a public name from its home module, or the installed version."""
    if name == "__version__":
        from importlib.metadata import version

        return version("corpustools")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
