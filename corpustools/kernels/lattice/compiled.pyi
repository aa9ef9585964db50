from typing import Any

from typing_extensions import Buffer

VITERBI: int
VITERBI_F32: int
SAMPLE: int
SAMPLE_WIDE: int
ARRIVAL: int
STATE_SIZE: int
MOMENTS_SIZE: int
MOMENT_SIZE: int
CACHE_SIZE: int
OUT_SLACK: int
SPAN_BYTES: int
TILE_SIZE: int
LEAST_WORD_CACHE: int

def workspace_size(cells: int, arcs: int) -> int: ...

class Lattice:
    def __init__(
        self,
        trie: tuple[Buffer, Buffer, Buffer | None, Buffer | None],
        by_code: tuple[Buffer, Buffer, Buffer, Buffer],
        byte_ids: Buffer | None,
        joins: Buffer,
        *,
        longest: int,
        arcs_per_start: int,
        character: bool,
        unknown_id: int,
        fuse: bool,
        escaped: bool = ...,
        carry: bool = ...,
        automaton: tuple[Any, Buffer, Buffer] | None = None,
    ) -> None: ...
    def segment(self, text: Buffer, offsets: Buffer, count: int, **arguments: Any) -> int: ...
    def begin(self, state: Buffer, record: int, sample: int, seed: Buffer) -> None: ...
    def draw_state(self, state: Buffer) -> tuple[int, int]: ...
    def advance(
        self, state: Buffer, text: Buffer, base: int, size: int, final: bool, **arguments: Any
    ) -> tuple[int, bool]: ...
    def standing(self, state: Buffer) -> tuple[int, float, float, bool]: ...
    def measure(
        self,
        state: Buffer,
        ring: Buffer,
        log_weights: Buffer,
        text: Buffer,
        base: int,
        size: int,
        final: bool,
        cuts: int,
    ) -> tuple[float, float, float, int]: ...
    def arcs(self, text: Buffer, size: int, out: Buffer, capacity: int) -> int: ...

def segment_words(vocabulary: Lattice, text: Buffer, offsets: Buffer, count: int, **arguments: Any) -> int: ...
def measure_words(
    vocabulary: Lattice, log_weights: Buffer, ring: Buffer, text: Buffer, words: Buffer, seen: Buffer, out: Buffer
) -> None: ...
