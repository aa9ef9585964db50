"""A JSON record of a run: what was read, what was made, with which seed, sizes and checksum."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from corpustools.files.descriptors import Sink
from corpustools.files.fileset import FileSet
from corpustools.files.inputs import Input
from corpustools.files.outputs import open_output
from corpustools.files.targets import refuse_conflicts

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Manifest:
    """The manifest of one run. It is published together with the output.

    Call `open` before the work begins, so that a wrong path costs nothing, and `write` when the output is durable.

    Args:
        path: where to; a file appears whole.
        data: what messages call it and the path, of each input and output; it may replace none of them.
        command: the command that runs.
        facts: what is known of the run.

    Raises:
        UsageError: the path is one of these.
    """

    def __init__(self, path: str, data: Iterable[tuple[str, str]], command: str, **facts: Any) -> None:
        refuse_conflicts("the manifest", path, data)
        self._path, self._command, self._facts = path, command, facts
        self._sink: Sink | None = None
        self._began = time.time()

    def add(self, **facts: Any) -> None:
        """Take further facts of the run."""
        self._facts |= facts

    def open(self, files: FileSet) -> None:
        """Open the manifest, in the set of the output's files where it is a file.

        Raises:
            UsageError: it names a folder, or nothing.
            SystemFailure: it cannot be written there.
        """
        self._sink = open_output(self._path, None, 1, files, last=True)

    def write(self, inputs: list[Input], result: DataclassInstance) -> None:
        """Write what was done, and make it durable; what a result leaves open (None) is left out.

        Raises:
            SystemFailure: writing failed.
        """
        # It imports much, which most runs have no need of.
        from importlib.metadata import version

        assert self._sink is not None
        text = json.dumps(
            {
                "command": self._command,
                "version": version("corpustools"),
                "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began)),
                "inputs": [{"path": one.path, "size": one.size, "compression": one.codec} for one in inputs],
                **self._facts,
                **{name: value for name, value in asdict(result).items() if value is not None},
            },
            indent=2,
        )
        self._sink.write(text.encode() + b"\n")
        self._sink.finish()
