"""The documents say what the commands do."""

import re
from pathlib import Path

import click
import formats_page
from harness import run
from reference_page import PAGE, page

from corpustools.cli.main import COMMANDS, group

ROOT = Path(__file__).parent.parent


def test_the_reference_is_the_help():
    """docs/reference.md is current; `bin/reference` makes it so."""
    assert PAGE.read_text() == page()


def test_the_formats_are_those_of_the_code():
    """docs/formats.md is current; `bin/reference` makes it so."""
    assert formats_page.PAGE.read_text() == formats_page.page()


def test_a_pipe_takes_the_formats_that_the_table_says(tmp_path):
    """A format that needs a name is refused on standard output before a byte is written."""
    (tmp_path / "t.vocab").write_text("a\t-1\n</s>\t0\n")
    for name in formats_page.FORMATS:
        output, pipe = formats_page.facts(name)[1:3]
        done = run("tokenize", "-m", "t.vocab", "-f", name, stdin=b"a\n", cwd=tmp_path)
        assert (done.returncode == 0) == (pipe == "yes"), f"{name} to {output}: {done.stderr}"
        assert bool(done.stdout) == (pipe == "yes")


def test_every_session_of_the_formats_is_shown():
    """A session that stands in no page would be run for nobody, and a format that trainers read has one."""
    shown = [name for names in formats_page.SESSIONS.values() for name in names]
    assert sorted([*shown, "first"]) == sorted(path.stem for path in (formats_page.READERS / "sessions").glob("*.md"))
    assert all(">>> " in formats_page.session(name) for name in shown)
    assert set(formats_page.FORMATS) - {"ids", "pieces", "jsonl", "u32", "npy"} == set(formats_page.SESSIONS)


def test_every_option_of_the_readme_exists():
    """The README names no option that no command has."""
    known = {"--help", "--clear"}
    context = click.Context(group)
    for command in [group, *(group.get_command(context, name) for name in COMMANDS)]:
        known |= {flag for parameter in command.params for flag in parameter.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (ROOT / "README.md").read_text()))
    assert named - known == set()


def test_every_option_has_help():
    """An option without help is an option nobody finds."""
    context = click.Context(group)
    for name in COMMANDS:
        for parameter in group.get_command(context, name).params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"corpus {name} {parameter.opts}"


def test_no_help_shows_a_mark_of_its_layout():
    r"""click takes the character backspace as "leave these lines as they are"; the two characters \b would be shown."""
    context = click.Context(group)
    for name in COMMANDS:
        assert "\\b" not in group.get_command(context, name).help, f"corpus {name}"
    assert "\\b" not in PAGE.read_text()


def test_links_lead_somewhere():
    """Files that the documents link to exist."""
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} -> {target}"


def _anchors(document: Path) -> set[str]:
    """Return the names that a page's headings have as targets of links."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_to_headings_lead_somewhere():
    """A heading that a document links to exists on that page."""
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for page_name, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
            target = document.parent / page_name if page_name else document
            assert anchor in _anchors(target), f"{document.name} -> {page_name}#{anchor}"


def test_the_glossary_defines_every_term_once():
    """A term has one entry, so that it means one thing."""
    terms = re.findall(r"^\*\*([^*]+)\.\*\*", (ROOT / "docs" / "glossary.md").read_text(), re.M)
    assert len(terms) > 90
    assert len(terms) == len({term.lower() for term in terms})
