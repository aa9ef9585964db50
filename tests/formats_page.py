"""The text of docs/formats.md: the formats' own facts, a session for each trainer, and which readers were tried."""

import inspect
import json
import re
import sys
import tomllib
from pathlib import Path

from corpustools.formats import FORMATS, writer_class
from corpustools.formats.row_writer import SHORT, RowWriter
from corpustools.formats.vocabulary import Vocabulary

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "formats.md"
READERS = ROOT / "tests" / "readers"
# The sessions that belong to a format.
SESSIONS = {
    "u16": ["nanogpt"],
    "megatron": ["megatron"],
    "datatrove": ["datatrove"],
    "offsets": ["offsets"],
    "llmc": ["modded-nanogpt"],
    "olmo": ["olmo"],
    "parquet": ["parquet"],
    "arrow": ["arrow"],
    "mds": ["mds"],
    "litdata": ["litdata"],
    "arrayrecord": ["arrayrecord"],
}
TYPES = {"<u2": "uint16", "<u4": "uint32", "<i4": "int32", "<i8": "int64"}

INTRODUCTION = """\
# Formats

Made by `bin/reference` from the code and from `tests/readers`.

`corpus tokenize -f` writes these formats. A *document* is the ids of one line, object or row, with the marks that
`--bos` and `--eos` add. A trainer's reader decides what is right: every session below is run by a test, in an
environment with that reader.

The name behind `-o` is that of a file, that of a folder, or what the names of several files begin with. Several files
of one output get their names together, and the one that a reader opens first comes last. All numbers are
little-endian. The widths of ids are for vocabularies of up to 65,536 ids and for larger ones; added tokens count.
"""

BETWEEN = """\
`--context L` lays documents out over windows of L ids. With `--pack best-fit`, windows that are not full are padded
with the model's `pad` or else its `eos`, or left shorter where the format says how long a row is.

With `--shards N` or `--shard-tokens N` the name holds `{shard}`, or the files of a folder are those of the shards.

"""

TRIED = """\
## Readers that were tried

`bin/readers` makes an environment for each reader and runs its tests: ordinary documents, empty ones, none, a document
of 5 million tokens, vocabularies of 65,535, 65,536 and 65,537 ids, less than a window, and 1,000 shards. Every token
is compared. Readers that need torch run with a stand-in of a few functions on NumPy arrays; `bin/readers --torch` runs
the same tests with torch 2.13.0.
"""


def facts(name: str) -> list[str]:
    """Return a format's row of the table."""
    found = writer_class(name)
    output, pipe = "a file", "no" if found.needs_file else "yes"
    if not issubclass(found, RowWriter):
        return [f"`{name}`", output, pipe, "decimal" if name != "pieces" else "text", "the same", "shorter"]
    if found.folder or found.prefix:
        output, pipe = "a folder" if found.folder else "a beginning", "no"
    # What an id is does not depend on anything else that a writer is made of.
    bare = found.__new__(found)
    short, long = (bare.dtype_for(Vocabulary(size, {}, list)) for size in (SHORT, SHORT + 1))
    other = "refused" if long == "<u2" else "the same" if long == short else TYPES[long]
    return [f"`{name}`", output, pipe, TYPES[short], other, "padded" if found.pads else "shorter"]


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def section(name: str) -> str:
    """Return what is said of a format: its writer's docstring, and its sessions."""
    docstring = re.split(r"\n\s*(?:Args|Attributes):\n", inspect.getdoc(writer_class(name)) or "")[0].strip()
    return "\n".join([f"## {name}\n\n{docstring}\n", *map(session, SESSIONS.get(name, ()))])


def tried() -> str:
    """Return the table of the readers that were tried."""
    readers = tomllib.loads((READERS / "readers.toml").read_text("utf-8"))
    results = json.loads((READERS / "results.json").read_text("utf-8"))
    rows = []
    for name, reader in readers.items():
        result = results[name]
        versions = ", ".join(one.replace("==", " ") for one in reader["reader"])
        with_torch = result.get("passed with torch", "not tried") if reader["torch"] else "needs none"
        when = "every run" if reader["ci"] else "`bin/readers`"
        rows.append([reader["name"], versions, result["python"], str(result["passed"]), str(with_torch), when])
    return table(["reader", "packages", "Python", "tests passed", "with the real torch", "tried by"], rows)


def session(name: str) -> str:
    """Return a session as it stands on its page."""
    return (READERS / "sessions" / f"{name}.md").read_text("utf-8")


def page() -> str:
    """Return the page."""
    heads = ["format", "`-o`", "to a pipe", "ids", "larger vocabularies", "windows not full"]
    parts = [INTRODUCTION, table(heads, [facts(name) for name in FORMATS]), BETWEEN, session("first")]
    return "\n".join([*parts, *(section(name) for name in FORMATS), TRIED, tried()])


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
