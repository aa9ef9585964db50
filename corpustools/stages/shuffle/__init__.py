"""An exact global shuffle of records of any size and number in bounded memory.

Source: Jianlin Su's shuffle of files larger than memory, with keys instead of runs, so that the order is a function of
the seed and the record's number alone (`order.py`). The way of a record: `request.py`, `plan.py`, `run.py`, which calls
the tasks of `tasks.py`.
"""

from __future__ import annotations

from corpustools.stages.shuffle.describe import describe_plan
from corpustools.stages.shuffle.request import ShuffleRequest, shuffle_request
from corpustools.stages.shuffle.results import ShuffleResult
from corpustools.stages.shuffle.run import run_shuffle, shuffle

# No function may be named as a module of this folder: the module would take its place.
__all__ = [
    "ShuffleRequest",
    "ShuffleResult",
    "describe_plan",
    "run_shuffle",
    "shuffle",
    "shuffle_request",
]
