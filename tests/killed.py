"""Runs `corpus` and kills it, as kill -9 would, before the n-th call that makes something durable or changes a name.

Notes are taken after every bucket that can be noted, and buckets are small; the variable BUCKETS says how many times as
many there are. Usage: killed.py N ARGUMENTS...; 0: never.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from corpustools import kernels
from corpustools.cli.main import main
from corpustools.stages.shuffle import keeper, plan

LEFT = int(sys.argv.pop(1))


def counted(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call, before which this process may die."""

    def change(*arguments: Any, **options: Any) -> Any:
        global LEFT
        LEFT -= 1
        if LEFT == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return change


def note_and_wait(self: keeper.Keeper) -> None:
    """Take a note and wait until it is saved, so that runs are alike."""
    NOTE(self)
    self._behind.take(wait=True)


NOTE = keeper.Keeper._note
if __name__ == "__main__":
    keeper.LEAST_SECONDS = keeper.SPARED = 0
    keeper.Keeper._note = note_and_wait
    # Inputs are small where the slow twins work.
    size = (2 if "plain" in kernels.in_use().values() else 128) << 10
    plan._CACHED_BUCKET = plan._MAPPED_BUCKET = size // int(os.environ.get("BUCKETS", "1"))
    for name in ("rename", "replace", "unlink", "fdatasync"):
        setattr(os, name, counted(getattr(os, name)))
    sys.argv[0] = "corpus"
    main()
