"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

# Called now and then with (phase, done, total): what is being done, how much of it, and how much in all or None.
# The amounts are bytes unless the caller says otherwise. It may be called from any thread.
Progress = Callable[[str, int, "int | None"], None]
