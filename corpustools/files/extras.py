"""Libraries that only some users want: they are extras of the package, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from corpustools.errors import SystemFailure


def load_extra(module: str, what: str, extra: str) -> Any:
    """Return a module of an optional library.

    Args:
        module: its full name.
        what: what needs it, and its package, as in 'ArrayRecord needs array-record'.
        extra: the extra that brings it.

    Raises:
        SystemFailure: it is not installed; the text names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise SystemFailure(what, f"pip install 'corpustools[{extra}]'") from error
