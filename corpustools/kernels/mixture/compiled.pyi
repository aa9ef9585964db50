from typing import Any

from typing_extensions import Buffer

def choose(
    ids: Buffer,
    word_ends: Buffer,
    record_words: Buffer,
    fixed: Buffer,
    starts: Buffer,
    stops: Buffer,
    **arguments: Any,
) -> int: ...
def weave(
    ids: Buffer,
    word_ends: Buffer,
    record_words: Buffer,
    places: Buffer,
    last: Buffer,
    drawn: Buffer,
    drawn_ends: Buffer,
    **arguments: Any,
) -> int: ...
