"""Blocks of the LZ4 kernel beside those of the format's own library, where that is installed."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from test_lz4 import KERNELS, pack, texts, unpack

library = pytest.importorskip("lz4.block")


@pytest.mark.parametrize("kernel", KERNELS)
@given(text=texts)
def test_each_reads_the_blocks_of_the_other(kernel: ModuleType, text: bytes):
    """Fast ones, and those of its slow search."""
    assert library.decompress(pack(kernel, text), uncompressed_size=len(text)) == text
    for how in ({}, {"mode": "high_compression"}, {"mode": "fast", "acceleration": 8}):
        assert unpack(kernel, library.compress(text, store_size=False, **how), len(text)) == text
