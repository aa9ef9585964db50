"""Loops of `corpus verify`: whether ids spell a text, ids out of lines, fingerprints of records."""
