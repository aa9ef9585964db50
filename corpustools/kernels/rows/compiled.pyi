from typing_extensions import Buffer

def decimals(
    numbers: Buffer,
    width: int,
    ends: Buffer,
    before: bytes,
    between: bytes,
    after: bytes,
    table: Buffer,
    out: Buffer,
    out_ends: Buffer,
) -> int: ...
def decimals_size(numbers: int, width: int, rows: int, before: bytes, between: bytes, after: bytes) -> int: ...
def dictionary_places(ids: Buffer, place_of: Buffer, dictionary: Buffer, known: int, places: Buffer) -> int: ...
def interleave(heads: Buffer, head_ends: Buffer, bodies: Buffer, body_ends: Buffer, out: Buffer) -> int: ...
def list_levels(
    lengths: Buffer, empty: int, present: int, repetition: Buffer, definition: Buffer
) -> tuple[int, int]: ...
def varints(ids: Buffer, ends: Buffer, out: Buffer, out_ends: Buffer) -> int: ...
