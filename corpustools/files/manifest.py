"""A JSON record of a run: what was read, what was made, with which seed, sizes and checksum."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from corpustools.errors import UsageError
from corpustools.files.inputs import Input
from corpustools.files.outputs import STDOUT, open_output

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Manifest:
    """Opens the manifest before the work begins, so that a wrong path costs nothing, and writes it at the end.

    Args:
        path: where to; the file appears whole.
        data: the paths of inputs and outputs, none of which it may replace.

    Raises:
        UsageError: the path is one of these.
    """

    def __init__(self, path: str, data: Iterable[str]) -> None:
        if path != STDOUT and os.path.realpath(path) in map(os.path.realpath, data):
            raise UsageError(f"the manifest {path} would replace an input or output", "give it a name of its own")
        self._sink = open_output(path, None, 1)
        self._began = time.time()

    def write(self, command: str, inputs: list[Input], result: DataclassInstance, **facts: Any) -> None:
        """Write what a command did; what a result leaves open (None) is left out."""
        text = json.dumps(
            {
                "command": command,
                "version": version("corpustools"),
                "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began)),
                "inputs": [{"path": one.path, "size": one.size, "compression": one.codec} for one in inputs],
                **facts,
                **{name: value for name, value in asdict(result).items() if value is not None},
            },
            indent=2,
        )
        self._sink.write(text.encode() + b"\n")
        self._sink.finish()
