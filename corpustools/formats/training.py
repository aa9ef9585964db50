"""What formats that trainers read have in common."""

from __future__ import annotations

from corpustools.errors import DataError
from corpustools.formats.batch import Counts
from corpustools.formats.raw_writer import RawWriter


def require_ids(shard: RawWriter) -> None:
    """Refuse a shard without ids, where its readers fail on an empty file.

    Raises:
        DataError: it has none.
    """
    if not shard.ids:
        raise DataError(
            f"{shard.path}: no ids to write, and readers of format {shard.name} cannot open an empty file",
            "check the inputs, or ask for fewer shards",
        )


def require_room(name: str, lengths: Counts, longest: int, before: int) -> None:
    """Refuse a row that is longer than a format can say.

    Args:
        name: of the format.
        lengths: int64, ids of each row.
        longest: how many a row may have.
        before: how many rows were written before.

    Raises:
        DataError: there is one.
    """
    row = int(lengths.argmax()) if len(lengths) else 0
    if len(lengths) and lengths[row] > longest:
        raise DataError(
            f"document {before + row + 1} has {lengths[row]} ids; a row of format {name} has room for {longest}",
            "leave the document out, or ask for context windows",
        )
