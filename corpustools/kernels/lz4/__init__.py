"""Blocks of the LZ4 format: fast compression of temporary data."""
