from typing_extensions import Buffer

def find_splits(
    text: Buffer,
    starts: Buffer,
    count: int,
    slots: Buffer,
    divided: int,
    characters: bool,
    left: Buffer,
    right: Buffer,
    whole: Buffer,
) -> int: ...
def find_pairs(
    text: Buffer,
    starts: Buffer,
    count: int,
    slots: Buffer,
    halves: Buffer,
    half_starts: Buffer,
    pairs: int,
    left: Buffer,
    right: Buffer,
    whole: Buffer,
) -> int: ...
def read_pairs(data: Buffer, at: int, halves: Buffer, starts: Buffer) -> tuple[int, int]: ...
