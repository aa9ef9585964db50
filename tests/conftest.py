"""Fixtures and options of all tests."""

from pathlib import Path

import pytest
from harness import Folder, give_children_default_signals
from hypothesis import HealthCheck, settings

# Timings on a shared machine say nothing about the code, and a gate must not fail by chance: the examples are the same
# in every run. `bin/fuzz` takes the other profile and searches.
settings.register_profile("corpus", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
settings.load_profile("corpus")

give_children_default_signals()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --examples."""
    parser.addoption(
        "--examples", type=float, default=1.0, metavar="FACTOR", help="times the examples that each property tries"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Apply --examples; no profile can, as most properties name a number themselves."""
    factor = item.config.getoption("--examples")
    test = getattr(item, "function", None)
    # What @settings leaves on a test; hypothesis' own plugin reads the same attribute.
    chosen = getattr(test, "_hypothesis_internal_use_settings", None)
    if factor != 1.0 and chosen is not None and not getattr(test, "scaled", False):
        test._hypothesis_internal_use_settings = settings(
            parent=chosen, max_examples=max(1, round(chosen.max_examples * factor))
        )
        test.scaled = True  # the parameters of a test share it


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Name a failure when it happens, not minutes later."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Names(config), "names of failures")


class _Names:
    def __init__(self, config: pytest.Config) -> None:
        self.terminal = config.pluginmanager.get_plugin("terminalreporter")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.write_line(f"\nFAILED {report.nodeid}")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a fresh folder to run `corpus` in."""
    return Folder(tmp_path)
