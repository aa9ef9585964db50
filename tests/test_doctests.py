"""Every session in the docstrings of the public names runs and says what it says."""

import doctest
import functools
import importlib

import numpy as np
import pytest

import corpustools

# Where the public names are defined, which need not be the package that offers them.
PUBLIC = [getattr(corpustools, name) for name in corpustools.__all__ if name != "__version__"]
MODULES = sorted({one.__module__ for one in PUBLIC} - {"corpustools.errors"})
FINDER = doctest.DocTestFinder(recurse=True)


def sessions():
    """Give the docstrings of the public modules that hold a session."""
    tests = [test for name in MODULES for test in FINDER.find(importlib.import_module(name), name) if test.examples]
    return {test.name: test for test in tests}


SESSIONS = sessions()


@pytest.fixture
def letters(tmp_path, monkeypatch):
    """Make the files that the sessions speak of, and the names that they use."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letters.vocab").write_text("a\t-1.5\nb\t-2.0\nab\t-2.5\n")
    (tmp_path / "letters.txt").write_text("abba\nb\n")
    (tmp_path / "letters.ids").write_text("2 1 0\n1\n")
    tokenizer = corpustools.Tokenizer.from_scores({"a": -1.5, "b": -2.0, "ab": -2.5})
    public = {name: getattr(corpustools, name) for name in corpustools.__all__}
    return public | {"tokenizer": tokenizer, "corpustools": corpustools, "np": np}


@pytest.mark.parametrize("name", SESSIONS)
def test_the_session_runs(name, letters):
    """A docstring's session gives the output that stands there."""
    said = []
    test = SESSIONS[name]
    test.globs = dict(letters)
    failed, _ = doctest.DocTestRunner().run(test, out=said.append, clear_globs=False)
    assert not failed, "".join(said)


def test_every_public_method_has_a_session():
    """What a caller may call shows how: every public function, and every public method of Tokenizer."""
    home = "corpustools.stages.tokenize.tokenizer.Tokenizer"
    methods = {name for name in vars(corpustools.Tokenizer) if not name.startswith("_")}
    facts = (property, functools.cached_property)
    methods -= {name for name in methods if isinstance(vars(corpustools.Tokenizer)[name], facts)}
    shown = {name.removeprefix(home + ".") for name in SESSIONS if name.startswith(home + ".")}
    assert methods - shown == set()
    functions = {name for name in corpustools.__all__ if name.islower() and not name.startswith("_")}
    assert functions - {name.rpartition(".")[2] for name in SESSIONS} == set()
