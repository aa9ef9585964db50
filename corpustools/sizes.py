"""Numbers of bytes as people write them: 8G, 512MiB."""

from __future__ import annotations

import re

from corpustools.errors import UsageError

_UNITS = {"": 1, "B": 1} | {
    letter + suffix: base**power
    for power, letter in enumerate("KMGTP", start=1)
    for suffix, base in (("", 1024), ("iB", 1024), ("B", 1000))
}


def parse_size(text: str) -> int:
    """Return the bytes in `8G`, `512MiB`, `1.5GB`: K…P and KiB…PiB are powers of 1024, KB…PB of 1000.

    Raises:
        ValueError: the text is none of these.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    unit = match and re.sub(r"(?i)^([kmgtp]?)(i?)(b?)$", _canonical_unit, match[2])
    if match is None or unit not in _UNITS:
        raise ValueError(f"'{text}' is not a size; accepted are forms like 512MiB, 8G or 1.5GB")
    return int(float(match[1]) * _UNITS[unit]) if "." in match[1] else int(match[1]) * _UNITS[unit]


def _canonical_unit(match: re.Match[str]) -> str:
    return match[1].upper() + match[2].lower() + match[3].upper()


def size_in_bytes(value: int | str) -> int:
    """Return a size that is given as a number of bytes or as text, see `parse_size`.

    Raises:
        UsageError: the text is no size.
    """
    if isinstance(value, int):
        return value
    try:
        return parse_size(value)
    except ValueError as error:
        raise UsageError(str(error)) from error
