from collections.abc import Sequence

from typing_extensions import Buffer

DEEPEST: int
OUT_SLACK: int

def scan(
    data: Buffer,
    starts: Buffer,
    ends: Buffer,
    keys: Sequence[bytes],
    out: Buffer,
    offsets: Buffer,
    verdicts: Buffer,
    places: Buffer,
    portable: bool = False,
) -> None: ...
