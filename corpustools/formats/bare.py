"""Ids of one width and nothing between them."""

from __future__ import annotations

from corpustools.formats.raw_writer import RawWriter


class BareWriter(RawWriter):
    """Little-endian ids, as they come or in context windows."""

    compresses = True
