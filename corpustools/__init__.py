"""Prepare pretraining text: every output is a pure function of the seed and the input.

From text files to training data:
    shuffle, tokenize, detokenize, verify

One text, one model:
    Tokenizer, explain

Numbers:
    nabc, nabc_range

Every function raises `CorpusError` in one of its kinds, whose text says what was found and what to do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpustools.errors import CorpusError as CorpusError
    from corpustools.errors import DataError as DataError
    from corpustools.errors import Incomplete as Incomplete
    from corpustools.errors import SystemFailure as SystemFailure
    from corpustools.errors import UnsupportedModel as UnsupportedModel
    from corpustools.errors import UsageError as UsageError
    from corpustools.inspect.explain import explain as explain
    from corpustools.inspect.verify.api import verify as verify
    from corpustools.inspect.verify.difference import Difference as Difference
    from corpustools.inspect.verify.results import VerifyResult as VerifyResult
    from corpustools.stages.nabc import Triple as Triple
    from corpustools.stages.nabc import Triples as Triples
    from corpustools.stages.nabc import nabc as nabc
    from corpustools.stages.nabc import nabc_range as nabc_range
    from corpustools.stages.shuffle import ShuffleResult as ShuffleResult
    from corpustools.stages.shuffle import shuffle as shuffle
    from corpustools.stages.tokenize.api import detokenize as detokenize
    from corpustools.stages.tokenize.api import tokenize as tokenize
    from corpustools.stages.tokenize.explain import Explanation as Explanation
    from corpustools.stages.tokenize.results import DetokenizeResult as DetokenizeResult
    from corpustools.stages.tokenize.results import TokenizeResult as TokenizeResult
    from corpustools.stages.tokenize.tokenizer import Tokenizer as Tokenizer

    __version__: str

# The public names and where they live; each is imported when it is first asked for, so that a command
# loads only what it runs.
_HOMES = {
    "CorpusError": "corpustools.errors",
    "DataError": "corpustools.errors",
    "DetokenizeResult": "corpustools.stages.tokenize.results",
    "Difference": "corpustools.inspect.verify.difference",
    "Explanation": "corpustools.stages.tokenize.explain",
    "Incomplete": "corpustools.errors",
    "ShuffleResult": "corpustools.stages.shuffle",
    "SystemFailure": "corpustools.errors",
    "TokenizeResult": "corpustools.stages.tokenize.results",
    "Tokenizer": "corpustools.stages.tokenize.tokenizer",
    "Triple": "corpustools.stages.nabc",
    "Triples": "corpustools.stages.nabc",
    "UnsupportedModel": "corpustools.errors",
    "UsageError": "corpustools.errors",
    "VerifyResult": "corpustools.inspect.verify.results",
    "detokenize": "corpustools.stages.tokenize.api",
    "explain": "corpustools.inspect.explain",
    "nabc": "corpustools.stages.nabc",
    "nabc_range": "corpustools.stages.nabc",
    "shuffle": "corpustools.stages.shuffle",
    "tokenize": "corpustools.stages.tokenize.api",
    "verify": "corpustools.inspect.verify.api",
}

__all__ = [
    "CorpusError",
    "DataError",
    "DetokenizeResult",
    "Difference",
    "Explanation",
    "Incomplete",
    "ShuffleResult",
    "SystemFailure",
    "TokenizeResult",
    "Tokenizer",
    "Triple",
    "Triples",
    "UnsupportedModel",
    "UsageError",
    "VerifyResult",
    "__version__",
    "detokenize",
    "explain",
    "nabc",
    "nabc_range",
    "shuffle",
    "tokenize",
    "verify",
]


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
