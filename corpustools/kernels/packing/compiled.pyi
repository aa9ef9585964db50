from typing import Any

import numpy as np
from typing_extensions import Buffer

def best_fit(
    lengths: np.ndarray[Any, np.dtype[np.int64]],
    size: int,
    windows: np.ndarray[Any, np.dtype[np.int64]],
    room: np.ndarray[Any, np.dtype[np.int64]],
    workspace: np.ndarray[Any, np.dtype[np.int64]],
) -> int: ...
def copy_pieces(ids: Buffer, starts: Buffer, lengths: Buffer, targets: Buffer, width: int, out: Buffer) -> None: ...
def workspace_size(pieces: int, size: int) -> int: ...
