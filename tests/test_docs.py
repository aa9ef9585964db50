"""The documents say what the commands do."""

import re
from pathlib import Path

import click
from reference_page import PAGE, page

from corpustools.cli.main import COMMANDS, group

ROOT = Path(__file__).parent.parent


def test_the_reference_is_the_help():
    """docs/reference.md is current; `bin/reference` makes it so."""
    assert PAGE.read_text() == page()


def test_every_option_of_the_readme_exists():
    """The README names no option that no command has."""
    known = {"--help", "--clear"}
    context = click.Context(group)
    for command in [group, *(group.get_command(context, name) for name in COMMANDS)]:
        known |= {flag for parameter in command.params for flag in parameter.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (ROOT / "README.md").read_text()))
    assert named - known - {"--resume"} == set()


def test_every_option_has_help():
    """An option without help is an option nobody finds."""
    context = click.Context(group)
    for name in COMMANDS:
        for parameter in group.get_command(context, name).params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"corpus {name} {parameter.opts}"


def test_links_lead_somewhere():
    """Files that the documents link to exist."""
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} -> {target}"
