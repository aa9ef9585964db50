"""Byte-pair encoding: words of marked bytes to the codes of their pieces."""
