"""The text of docs/reference.md: the help of every command, as it is, and what happens to every kind of file."""

import os
import re
import sys
from pathlib import Path

from click.testing import CliRunner

from corpustools.cli.main import COMMANDS, group

PAGE = Path(__file__).parent.parent / "docs" / "reference.md"
FILES = PAGE.with_name("inputs-and-outputs.md")


def page() -> str:
    """Return the page."""
    # Neither the terminal's width nor a user's settings may show in it.
    os.environ["COLUMNS"] = "100"
    parts = [
        "# Reference",
        "Made by `bin/reference` from the commands' own help and from [inputs and outputs](inputs-and-outputs.md).",
    ]
    for name in ["", *COMMANDS]:
        result = CliRunner().invoke(group, [*([name] if name else []), "--help"], prog_name="corpus")
        assert result.exit_code == 0, result.output
        parts.append(f"## `corpus{' ' + name if name else ''}`\n\n```\n{result.output.rstrip()}\n```")
    parts.append(re.sub("^#", "##", FILES.read_text().rstrip(), flags=re.MULTILINE))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
