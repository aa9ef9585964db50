"""Modules that can be imported and hold nothing, in place of large packages that a reader names and never uses.

`fill(name, facts)` makes `name` and every module below it importable. Any attribute is a hollow class: one may derive
from it, annotate with it, decorate with it, call it, and ask it for further attributes. What a reader really computes
with has to be in `facts`, so a reader that needs more than names fails at once on an empty value.
"""

from __future__ import annotations

import sys
from abc import ABCMeta
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any


class _HollowType(ABCMeta):
    """The type of hollow classes, whose attributes are hollow classes again."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return hollow(name)

    def __getitem__(cls, key: object) -> Any:
        return cls

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        # As a decorator it leaves the function as it is.
        if "_hollow" in cls.__dict__ and len(arguments) == 1 and isinstance(arguments[0], (FunctionType, type)):
            return arguments[0]
        return super().__call__(*arguments, **options)


class _Hollow(metaclass=_HollowType):
    """A value without content: false, zero, empty, and equal to itself alone."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return hollow(name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], (FunctionType, type)) else _Hollow()

    def __bool__(self) -> bool:
        return False

    def __index__(self) -> int:
        return 0

    def __iter__(self) -> Any:
        return iter(())

    def __getitem__(self, key: object) -> Any:
        return _Hollow()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __lt__(self, other: object) -> bool:
        return False

    __le__ = __gt__ = __ge__ = __lt__


def hollow(name: str) -> type:
    """Return a hollow class of this name."""
    return _HollowType(name, (_Hollow,), {"_hollow": True})


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # A real package imports its own modules that hold something.
        below = f"{self.__name__}.{name}"
        made = import_module(below) if below in self.__spec__.loader.facts else hollow(name)
        setattr(self, name, made)
        return made


class _Finder(MetaPathFinder, Loader):
    def __init__(self, name: str, facts: dict[str, dict[str, Any]]) -> None:
        self.name, self.facts = name, facts

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if f"{fullname}.".startswith(f"{self.name}.") else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self.facts.get(module.__name__, {}))


def fill(name: str, facts: dict[str, dict[str, Any]] | None = None) -> None:
    """Make a package and everything below it importable.

    Args:
        name: the package.
        facts: module -> the names in it that are real.
    """
    sys.meta_path.insert(0, _Finder(name, facts or {}))
