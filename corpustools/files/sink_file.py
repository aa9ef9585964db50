"""A sink in the shape of a Python file, as pyarrow wants one."""

from __future__ import annotations

from typing import Any

from corpustools.files.descriptors import Sink


class SinkFile:
    """Hands what is written to a sink, which stays open when this is closed."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink, self._size = sink, 0

    def write(self, data: Any) -> int:
        """Write all of the data."""
        view = memoryview(data).cast("B")
        self._sink.write(view)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size

    def flush(self) -> None:
        """Do nothing: the sink gathers small pieces."""

    def close(self) -> None:
        """Do nothing: who opened the sink finishes it."""
