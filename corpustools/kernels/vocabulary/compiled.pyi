from typing_extensions import Buffer

def arrange_entries(
    bytes_: Buffer, offsets: Buffer, table: int, order: Buffer, count: int, text: Buffer, starts: Buffer, room: Buffer
) -> None: ...
def check_entries(text: Buffer, starts: Buffer, count: int, characters: bool) -> tuple[int, int]: ...
def join_entries(text: Buffer, starts: Buffer, count: int, joins: Buffer) -> int: ...
def build_trie(
    bytes_: Buffer,
    offsets: Buffer,
    values: Buffer,
    count: int,
    units: Buffer,
    capacity: int,
    links: Buffer,
    used: Buffer,
    stack: Buffer,
) -> int: ...
def fill_heads(units: Buffer, character: bool, heads: Buffer) -> None: ...
def build_automaton(
    units: Buffer,
    size: int,
    unknown: int,
    units_out: Buffer,
    fails: Buffer,
    arcs: Buffer,
    lines: int,
    singles: Buffer,
    scratch: Buffer,
) -> int: ...
