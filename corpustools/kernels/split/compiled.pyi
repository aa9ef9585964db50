from typing import Any

from typing_extensions import Buffer

MOST_CUTTERS: int
OUT_SLACK: int

def split(
    program: tuple[Any, ...],
    data: Buffer,
    starts: Buffer,
    ends: Buffer,
    growth: int,
    out: Buffer,
    offsets: Buffer,
    done: Buffer,
) -> None: ...
