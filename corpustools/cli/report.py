"""Progress and summaries on standard error: a bar, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any

# The warning of every command whose inputs hold nothing.
EMPTY = "the input has no records"


class Reporter:
    """Shows (phase, bytes done, bytes in all or None) as they come; use it as a context manager.

    Args:
        style: auto, bar, lines, json or none.
        quiet: show nothing at all, summaries included.
        unit: what is counted, where it is not bytes.
    """

    def __init__(self, style: str, quiet: bool, unit: str = "B") -> None:
        if style == "auto":
            style = "bar" if sys.stderr is not None and sys.stderr.isatty() else "lines"
        self.style = "none" if quiet else style
        self.quiet = quiet
        self.unit = unit
        self._bar: Any = None
        self._phase = ""
        # The first plain line comes after a minute, so that short jobs stay silent; JSON: every second.
        self._interval = 1.0 if style == "json" else 60.0
        self._start = self._shown = time.monotonic()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_bar()

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Take one step of progress; called from whichever thread made it."""
        if self.style == "bar":
            self._show_bar(phase, done, total)
        elif self.style in ("lines", "json"):
            now = time.monotonic()
            if now - self._shown >= self._interval:
                self._shown = now
                self._show_line(phase, done, total, now - self._start)

    def summary(self, text: str, **facts: Any) -> None:
        """Print the closing line, as text or (with --progress json) as one JSON object."""
        self._close_bar()
        if self.quiet:
            return
        say(_as_json({"event": "done", **facts}) if self.style == "json" else text)

    def seed(self, seed: str) -> None:
        """Print a seed that was drawn here and stands nowhere else: without it nobody can repeat the run."""
        say(f"--seed {seed}")

    def note(self, text: str) -> None:
        """Print what a user should know beforehand, as text or (with --progress json) as one JSON object."""
        if not self.quiet:
            say(_as_json({"event": "note", "text": text}) if self.style == "json" else f"note: {text}")

    def warn(self, text: str) -> None:
        """Print what a user should look at, as text or (with --progress json) as one JSON object."""
        self._close_bar()
        if not self.quiet:
            say(_as_json({"event": "warning", "text": text}) if self.style == "json" else f"warning: {text}")

    def _show_bar(self, phase: str, done: int, total: int | None) -> None:
        try:
            self._draw_bar(phase, done, total)
        except OSError:
            self.style, self._bar = "none", None
            _give_up_standard_error()

    def _draw_bar(self, phase: str, done: int, total: int | None) -> None:
        if self._bar is None or phase != self._phase:
            from tqdm import tqdm

            self._close_bar()
            self._phase = phase
            # tqdm would start a thread that draws the bar when nothing happens.
            tqdm.monitor_interval = 0
            self._bar = tqdm(
                total=total,
                desc=phase,
                unit=self.unit,
                unit_scale=True,
                unit_divisor=1024 if self.unit == "B" else 1000,
                leave=False,
                file=sys.stderr,
            )
        self._bar.update(done - self._bar.n)

    def _show_line(self, phase: str, done: int, total: int | None, seconds: float) -> None:
        if self.style == "json":
            facts = {
                "event": "progress",
                "phase": phase,
                "bytes" if self.unit == "B" else self.unit: done,
                "total": total,
                "seconds": round(seconds, 3),
            }
            say(_as_json(facts))
        else:
            share = f" of {self._amount(total)} ({100 * done / total:.0f} %)" if total else ""
            say(f"{phase}: {self._amount(done)}{share} after {seconds:.0f} s")

    def _amount(self, count: int) -> str:
        return human(count) if self.unit == "B" else f"{count:,} {self.unit}"

    def _close_bar(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            try:
                bar.close()
            except OSError:
                _give_up_standard_error()


def _as_json(facts: dict[str, Any]) -> str:
    # Loaded only where it is used: a single number is answered sooner without it.
    import json

    return json.dumps(facts)


def say(text: str) -> None:
    """Print a line on standard error; a full disk or a closed descriptor there does not undo work that is done."""
    # Without a standard error print() would take None for standard output.
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _give_up_standard_error()


def _give_up_standard_error() -> None:
    # What could not be written stays in the stream's buffer; at exit it would make the interpreter's status 120.
    sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(sink, 2)
    os.close(sink)


def human(size: float) -> str:
    """Return a number of bytes as people write it: 512 B, 1.5 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
