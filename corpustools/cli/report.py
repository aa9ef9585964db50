"""Progress and summaries on standard error: a bar, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Any

import click


class Reporter:
    """Shows (phase, bytes done, bytes in all or None) as they come; use it as a context manager.

    Args:
        style: auto, bar, lines, json or none.
        quiet: show nothing at all, summaries included.
    """

    def __init__(self, style: str, quiet: bool) -> None:
        if style == "auto":
            style = "bar" if sys.stderr is not None and sys.stderr.isatty() else "lines"
        self.style = "none" if quiet else style
        self.quiet = quiet
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
        click.echo(json.dumps({"event": "done", **facts}) if self.style == "json" else text, err=True)

    def _show_bar(self, phase: str, done: int, total: int | None) -> None:
        if self._bar is None or phase != self._phase:
            from tqdm import tqdm

            self._close_bar()
            self._phase = phase
            self._bar = tqdm(
                total=total,
                desc=phase,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                leave=False,
                file=sys.stderr,
            )
        self._bar.update(done - self._bar.n)

    def _show_line(self, phase: str, done: int, total: int | None, seconds: float) -> None:
        if self.style == "json":
            facts = {
                "event": "progress",
                "phase": phase,
                "bytes": done,
                "total": total,
                "seconds": round(seconds, 3),
            }
            click.echo(json.dumps(facts), err=True)
        else:
            share = f" of {human(total)} ({100 * done / total:.0f} %)" if total else ""
            click.echo(f"{phase}: {human(done)}{share} after {seconds:.0f} s", err=True)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def human(size: float) -> str:
    """Return a number of bytes as people write it: 512 B, 1.5 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
