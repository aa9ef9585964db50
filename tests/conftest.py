"""Fixtures of all tests."""

from pathlib import Path

import pytest
from harness import Folder, give_children_default_signals
from hypothesis import HealthCheck, settings

# Timings on a shared machine say nothing about the code.
settings.register_profile("corpus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("corpus")


give_children_default_signals()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a fresh folder to run `corpus` in."""
    return Folder(tmp_path)
