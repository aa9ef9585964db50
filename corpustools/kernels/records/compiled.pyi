from typing_extensions import Buffer

from corpustools.kernels.records.layout import NO_BLOCK as NO_BLOCK
from corpustools.kernels.records.layout import SLACK as SLACK
from corpustools.kernels.records.status import Torn as Torn
from corpustools.kernels.records.status import Truncated as Truncated

MAPS: bool
STATUSES: dict[str, int]

Walk = tuple[int, int, int, int]

def count_delimiters(data: Buffer, start: int, stop: int, delimiter: int) -> int: ...
def last_end(data: Buffer, start: int, stop: int, delimiter: int) -> int: ...
def torn_field(data: Buffer, start: int, stop: int, delimiter: int, separator: int) -> int: ...
def guard() -> None: ...
def draw_keys(first: int, count: int, k0: int, k1: int, out: Buffer, portable: bool = False) -> None: ...
def checksum(data: Buffer, start: int, stop: int, offset: int) -> int: ...
def index_stream(
    pool: Buffer,
    links: Buffer,
    block_bytes: int,
    walk: Walk,
    count: int,
    least: int,
    greatest: int,
    words: Buffer,
    numbers: Buffer,
    spots: Buffer,
    listed: int,
) -> tuple[int, int]: ...
def gather(
    pool: Buffer,
    links: Buffer,
    block_bytes: int,
    words: Buffer,
    spots: Buffer,
    first: int,
    stop: int,
    out: Buffer,
    capacity: int,
    used: int,
) -> tuple[int, int, int, int, int]: ...

class Scatter:
    blocks: int
    bucket_count: int
    def __init__(
        self,
        pool: Buffer,
        links: Buffer,
        table: Buffer,
        free: Buffer,
        block_bytes: int,
        k0: int,
        k1: int,
        mask: int,
        *,
        check_skipped: bool = False,
    ) -> None: ...
    def cover(self, low: int, span: int, shift: int) -> None: ...
    def give(self, blocks: Buffer) -> None: ...
    def take_free(self) -> bytes: ...
    def run(
        self, data: Buffer, start: int, stop: int, number: int, delimiter: int, record_bytes: int, mapped: bool = False
    ) -> tuple[int, int]: ...
    def sift(
        self,
        data: Buffer,
        start: int,
        stop: int,
        number: int,
        count: int,
        delimiter: int,
        record_bytes: int,
        mapped: bool = False,
    ) -> tuple[int, int]: ...
    def refer(self, number: int, place: int, length: int) -> int: ...
    def redistribute(self, walk: Walk, count: int) -> tuple[int, Walk, int]: ...
    @property
    def free_count(self) -> int: ...
    @property
    def checksum(self) -> int: ...
    @property
    def skipped(self) -> int: ...
