from typing import Any

from typing_extensions import Buffer

SLOT_WORDS: int
CACHE_BYTES: int
LETTER_BYTES: int
BYTES_OF_DROP_CACHE: int
OUT_SLACK: int
NEAR_BYTES: int

class Merger:
    def __init__(
        self,
        *,
        pairs: Buffer,
        pair_slots: Buffer,
        letters: Buffer,
        whole_text: Buffer,
        whole_ends: Buffer,
        whole_codes: Buffer,
        whole_slots: Buffer,
        symbol_text: Buffer,
        symbol_ends: Buffer,
        symbol_codes: Buffer,
        apart_ends: Buffer,
        apart: Buffer,
        byte_codes: Buffer,
        unknown: int,
        fuse: bool,
        characters: bool,
        begins: Buffer,
        code_text: Buffer,
        code_ends: Buffer,
        seams: Buffer,
    ) -> None: ...
    def segment(
        self,
        text: Buffer,
        offsets: Buffer,
        *,
        first: int,
        bos: int,
        eos: int,
        out: Buffer,
        ends: Buffer,
        word_ends: Buffer | None,
        state: Buffer,
        cache: Buffer,
        room: Buffer,
    ) -> int: ...
    def words(self, text: Buffer, offsets: Buffer, *, starts: Buffer, ends: Buffer, record_ends: Buffer) -> int: ...

def drop(merger: Merger, text: Buffer, offsets: Buffer, **arguments: Any) -> int: ...
