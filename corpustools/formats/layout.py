"""How documents are laid out over windows and files: what is asked for, checked."""

from __future__ import annotations

from typing import NamedTuple

from corpustools.errors import UsageError

# Concatenated windows are held until they are full: at most 64 MiB. Best fit holds many windows at once.
LONGEST_CONTEXT = 1 << 24
LONGEST_BEST_FIT = 1 << 20
PACKINGS = ("concat", "best-fit")


class Layout(NamedTuple):
    """How documents are laid out.

    context: ids of a context window; 0 leaves documents as they are.
    pack: 'concat' cuts documents where a window is full; 'best-fit' puts whole documents together and cuts only those
        that are longer than a window.
    shards: so many shards of about equally many ids; 0 where not asked for.
    shard_tokens: a shard ends with the row that brings it to so many ids; 0 where not asked for.
    workers: threads that compress, where the suffix of the output asks for it.
    """

    context: int = 0
    pack: str = "concat"
    shards: int = 0
    shard_tokens: int = 0
    workers: int = 1

    @property
    def sharded(self) -> bool:
        """Whether the output has shards."""
        return bool(self.shards or self.shard_tokens)

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: a number is out of range, or options exclude each other.
        """
        if self.pack not in PACKINGS:
            raise UsageError(f"packing '{self.pack}'", f"accepted are {' and '.join(PACKINGS)}")
        longest = LONGEST_BEST_FIT if self.pack == "best-fit" else LONGEST_CONTEXT
        if not 0 <= self.context <= longest:
            raise UsageError(f"windows of {self.context} ids", f"accepted are 1 to {longest}")
        if self.pack != "concat" and not self.context:
            raise UsageError(f"packing '{self.pack}' without a context", "say how many ids a window has")
        if self.shards and self.shard_tokens:
            raise UsageError("a number of shards and ids a shard", "give one of the two")
        if self.shards < 0 or self.shard_tokens < 0:
            raise UsageError("a negative number of shards", "give 1 or more")


class LaidOut(NamedTuple):
    """What came of a layout.

    windows: how many were written.
    dropped: ids that fill no window, and are not written.
    padding: ids that windows lack, whether they are padded or left shorter.
    shards: how many were written; 0 where none were asked for.
    """

    windows: int = 0
    dropped: int = 0
    padding: int = 0
    shards: int = 0
