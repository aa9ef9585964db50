"""`corpus verify`: what was written against what went in."""

from __future__ import annotations

from corpustools.inspect.verify.api import verify as verify
