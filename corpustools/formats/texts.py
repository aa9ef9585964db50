"""Texts as an output: a line each, or a JSON object each where a text may hold line breaks."""

from __future__ import annotations

import json

from corpustools.errors import DataError, UsageError
from corpustools.files.descriptors import Sink
from corpustools.formats import TEXT_FORMS

# Whether texts hold line breaks is looked up in the first ones: so many of them, or so many bytes.
_LOOKED_AT, _LOOKED_AT_BYTES = 1000, 1 << 20


class TextWriter:
    """Writes texts in order. Each one comes back as one record, or is refused.

    Args:
        out: takes the bytes; the caller finishes it.
        form: 'lines', 'jsonl' (objects with `text`), or 'auto': jsonl where one of the first thousand texts, or of
            those in the first MiB, holds a line break, else lines.

    Attributes:
        form: 'lines' or 'jsonl'; empty until that is known.
        bytes: bytes written.

    Raises:
        UsageError: there is no such form.
    """

    def __init__(self, out: Sink, form: str) -> None:
        if form not in TEXT_FORMS:
            raise UsageError(f"texts as '{form}'", f"accepted are {', '.join(TEXT_FORMS)}")
        self.form = "" if form == "auto" else form
        self.bytes = 0
        self._out = out
        self._held: list[tuple[bytes, str]] = []
        self._held_bytes = 0

    def write(self, text: bytes, place: str) -> None:
        """Write a text.

        Args:
            text: any bytes.
            place: how messages name its record.

        Raises:
            DataError: the form cannot hold it.
        """
        if self.form:
            self._put(text, place)
            return
        self._held.append((text, place))
        self._held_bytes += len(text)
        if len(self._held) == _LOOKED_AT or self._held_bytes >= _LOOKED_AT_BYTES:
            self.end()

    def end(self) -> None:
        """Write what was held back.

        Raises:
            DataError: the form cannot hold it.
        """
        self.form = self.form or ("jsonl" if any(b"\n" in text for text, _ in self._held) else "lines")
        held, self._held = self._held, []
        for text, place in held:
            self._put(text, place)

    def _put(self, text: bytes, place: str) -> None:
        if self.form == "jsonl":
            try:
                line = json.dumps({"text": text.decode()}, ensure_ascii=False).encode()
            except UnicodeDecodeError as error:
                what = f"{place}: the text is not valid UTF-8, and JSON holds nothing else"
                raise DataError(what, "write the texts as lines") from error
        elif b"\n" in text:
            raise DataError(f"{place}: the text holds a line break, and is no line", "write the texts as jsonl")
        else:
            line = text
        self._out.write(line + b"\n")
        self.bytes += len(line) + 1
