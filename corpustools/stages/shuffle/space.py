"""Whether the disks have room for what a shuffle will write."""

from __future__ import annotations

import os

from corpustools.files.compression import output_codec
from corpustools.files.kept import kept_space
from corpustools.files.outputs import require_space
from corpustools.files.targets import descriptor_of
from corpustools.stages.shuffle.plan import Plan
from corpustools.stages.shuffle.request import ShuffleRequest


def temporary_bytes(request: ShuffleRequest, plan: Plan) -> int | None:
    """Return about how much temporary space a plan will use; None where the input's size is not known."""
    if request.no_temp or request.head_count is not None:
        return 0
    if request.expected is None:
        return None
    share = request.expected // (request.part[1] if request.part else 1)
    # About 6 bytes of header a record; the spilled share of them is small change.
    return max(0, share - plan.pool * 7 // 8)


def require_room(request: ShuffleRequest, plan: Plan) -> None:
    """Refuse before the first byte what cannot fit the disks.

    Raises:
        SystemFailure: a disk has not the bytes that are needed, or a folder cannot be written.
    """
    known = temporary_bytes(request, plan) if request.spill == "raw" and request.exact else 0
    share, remedy = (known or 0) // len(request.tmp_dirs), "name another temporary directory, or use none"
    unused = temporary_bytes(request, plan) == 0
    for directory in request.tmp_dirs:
        # A batch system's TMPDIR may be gone; a folder that was named has to be there.
        if not (unused and _is_default(directory)):
            what = "temporary data (the folder is that of TMPDIR)" if _is_default(directory) else "temporary data"
            require_space(directory, share, what, remedy)
    if descriptor_of(request.output) is not None or (
        os.path.exists(request.output) and not os.path.isfile(request.output)
    ):
        return
    size = 0
    if request.exact and request.head_count is None and not output_codec(request.output):
        size = (request.expected or 0) // (request.part[1] if request.part else 1)
    if request.resume:
        size -= sum(map(kept_space, request.output_paths))
    folder = os.path.dirname(os.path.abspath(request.output))
    require_space(folder, max(0, size) * 99 // 100, "the output", "free some space or write elsewhere")


def _is_default(directory: str) -> bool:
    return directory == os.environ.get("TMPDIR")
