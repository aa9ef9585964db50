"""`npy`: all ids, or context windows, as one NumPy array: uint16 where the vocabulary fits, else uint32."""

from __future__ import annotations

from corpustools.files.atomic import FileSink
from corpustools.formats.bare import BareWriter

_HEADER_BYTES = 128


class NpyWriter(BareWriter):
    """The .npy format, version 1.0 (numpy.lib.format): its header stands in front and holds the length."""

    name = "npy"
    needs_file = True

    def begin(self) -> None:
        """Leave room for the header."""
        self.out.write(bytes(_HEADER_BYTES))

    def end(self) -> None:
        """Write the header, now that the shape is known."""
        text = f"{{'descr': '{self.dtype}', 'fortran_order': False, 'shape': {self.shape}, }}"
        size = _HEADER_BYTES - 10
        head = b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + text.ljust(size - 1).encode() + b"\n"
        assert isinstance(self.out, FileSink)
        self.out.flush()
        self.out.write_at(0, memoryview(head))
