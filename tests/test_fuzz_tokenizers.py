"""Two thousand pairs of what bin/fuzz-tokenizers does at length: random pipelines beside the tokenizers package."""

import random

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizer_fuzz import run


def test_random_pipelines_are_equal_to_the_library_or_refused_by_name(monkeypatch):
    """Equal ids and equal decoded text, or a refusal by name: there is no third outcome."""
    monkeypatch.setenv("RUST_BACKTRACE", "0")
    counts = run(random.Random("in the suite"), 2000, texts=40)
    assert counts.differences == []
    assert counts.pairs == 2000
    assert counts.equal > 1500
