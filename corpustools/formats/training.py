"""What formats that trainers read have in common."""

from __future__ import annotations

from corpustools.errors import DataError
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
