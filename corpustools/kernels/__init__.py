"""One switch for the hot loops: the compiled kernel of a theme, or its Python twin.

`CORPUS_KERNELS=plain` asks for the twins, `CORPUS_KERNELS=compiled` refuses to run without the compiled ones.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any

from corpustools.errors import UsageError

THEMES = (
    "order",
    "records",
    "integers",
    "lattice",
    "normalize",
    "split",
    "vocabulary",
    "wire",
    "packing",
    "json",
    "rows",
    "verify",
    "mixture",
    "bpe",
    "lz4",
    "merges",
)


def load(theme: str) -> Any:
    """Return the module that runs a theme: `kernels.THEME.compiled`, or its twin `kernels.THEME.plain`.

    Raises:
        UsageError: `CORPUS_KERNELS` names neither, or asks for a compiled kernel that was not built.
    """
    return _module(theme, os.environ.get("CORPUS_KERNELS", "auto"))


@cache
def _module(theme: str, wanted: str) -> Any:
    if wanted not in ("auto", "compiled", "plain"):
        raise UsageError(f"CORPUS_KERNELS={wanted}", "accepted are auto, compiled and plain")
    if wanted != "plain":
        try:
            return import_module(f"corpustools.kernels.{theme}.compiled")
        except ImportError as error:
            if wanted == "compiled":
                raise UsageError(
                    f"the compiled kernel {theme!r} is not usable ({error})",
                    "install a C compiler and install corpustools again, or unset CORPUS_KERNELS",
                ) from error
    return import_module(f"corpustools.kernels.{theme}.plain")


def in_use() -> dict[str, str]:
    """Return, for each theme, `compiled` or `plain`."""
    return {theme: load(theme).__name__.rsplit(".", 1)[1] for theme in THEMES}
