from typing_extensions import Buffer

class Spelling:
    def __init__(
        self,
        text: Buffer,
        bounds: Buffer,
        first: Buffer,
        byte_of: Buffer,
        known: Buffer,
        size: int,
        unknown: int,
        fuse: bool,
        bos: int,
        eos: int,
        marks: bool,
    ) -> None: ...
    def run(
        self,
        where: Buffer,
        ids: Buffer,
        ends: Buffer | None,
        text: Buffer,
        starts: Buffer,
        stops: Buffer,
        chosen: Buffer | None,
        open_end: bool,
        ids_end: bool,
        hashes: Buffer,
    ) -> int: ...

def fingerprints(data: Buffer, starts: Buffer, stops: Buffer, key: Buffer, out: Buffer) -> None: ...
def read_lines(data: Buffer, ids: Buffer, ends: Buffer) -> tuple[int, int, int]: ...
