from typing_extensions import Buffer

def normalize(
    tables: tuple[Buffer, ...],
    flags: int,
    data: Buffer,
    starts: Buffer,
    ends: Buffer,
    is_open: bool,
    state: Buffer,
    out: Buffer,
    offsets: Buffer,
) -> bool: ...
def steady(bits: Buffer, data: Buffer) -> int: ...
