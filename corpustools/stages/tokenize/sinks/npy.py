"""`npy`: all ids, or windows of them, as one NumPy array: uint16 where the vocabulary fits, else uint32."""

from __future__ import annotations

from corpustools.errors import UsageError
from corpustools.files.atomic import FileSink
from corpustools.files.descriptors import Sink as File
from corpustools.stages.tokenize.sinks import Sink
from corpustools.stages.tokenize.sinks.u16 import Bare
from corpustools.stages.tokenize.tokenizer import Tokenizer

_HEADER_BYTES = 128


class Array(Bare):
    """The .npy format, version 1.0 (numpy.lib.format): its header stands in front and holds the length."""

    def begin_file(self, out: File) -> None:
        """Leave room for the header."""
        if not isinstance(out, FileSink):
            raise UsageError("format npy needs a plain file", "its header is written last; name one with -o")
        out.write(bytes(_HEADER_BYTES))

    def end_file(self, out: File, shape: tuple[int, ...]) -> None:
        """Write the header, now that the shape is known."""
        text = f"{{'descr': '{self.dtype}', 'fortran_order': False, 'shape': {shape}, }}"
        size = _HEADER_BYTES - 10
        head = b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + text.ljust(size - 1).encode() + b"\n"
        assert isinstance(out, FileSink)
        out.flush()
        out.write_at(0, memoryview(head))


def make(tokenizer: Tokenizer, columns: tuple[str, ...]) -> Sink:
    """Return the sink."""
    return Array(tokenizer, "<u2" if len(tokenizer) <= 1 << 16 else "<u4")
