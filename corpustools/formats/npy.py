"""`npy`: all ids, or context windows, as one NumPy array: uint16 where the vocabulary fits, else uint32."""

from __future__ import annotations

from corpustools.files.descriptors import Sink
from corpustools.files.fileset import SetFile
from corpustools.formats.bare import BareWriter

HEADER_BYTES = 128


class NpyWriter(BareWriter):
    """The .npy format, version 1.0 (numpy.lib.format): its header stands in front and holds the length."""

    name = "npy"
    needs_file = True

    def begin(self) -> None:
        """Leave room for the header."""
        self.data.write(bytes(HEADER_BYTES))

    def close_shard(self) -> None:
        """Write the header, now that the shape is known."""
        shape = (self.ids // self.layout.context, self.layout.context) if self.layout.context else (self.ids,)
        write_header(self.data, self.dtype, shape)
        super().close_shard()


def write_header(file: Sink, dtype: str, shape: tuple[int, ...]) -> None:
    """Write the header of an array into the room that was left for it."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    size = HEADER_BYTES - 10
    head = b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + text.ljust(size - 1).encode() + b"\n"
    assert isinstance(file, SetFile)
    file.flush()
    file.write_at(0, memoryview(head))
