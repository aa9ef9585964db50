"""Numbers of a JSON file as the tokenizers library reads them."""

from __future__ import annotations

import math

_LARGEST = (1 << 64) - 1
# Every number of so many digits is below it.
_DIGITS = 19
_POWERS = [float(f"1e{power}") for power in range(_DIGITS + 1)]


def float_of_tokenizers(text: str) -> float:
    """Return a number of a JSON file as the tokenizers library reads it: the last bit may be off.

    Its reader (Rust's serde_json, as it is built there) takes the digits as one integer of 64 bits and divides it by a
    power of ten, with two roundings. Of a vocabulary's scores a quarter differ from the nearest double, which decides
    where paths are equal.

    Raises:
        ValueError: the number is larger than a double.
    """
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits = whole + fraction
    if len(digits) <= _DIGITS and digits.isdigit():
        value = float(int(digits)) / _POWERS[len(fraction)]
    else:
        value = _digit_by_digit(text.lower().lstrip("-"))
    if math.isinf(value):
        raise ValueError(f"{text} is out of range")
    return -value if text.startswith("-") else value


def _digit_by_digit(text: str) -> float:
    """Return a number without a sign that may have any number of digits, and an exponent."""
    digits, _, exponent = text.partition("e")
    whole, _, fraction = digits.partition(".")
    number, power = 0, int(exponent or 0)
    for i, digit in enumerate(whole + fraction):
        if 10 * number + int(digit) > _LARGEST:
            # Further digits are dropped, those before the point counted.
            power += max(0, len(whole) - i)
            break
        number = 10 * number + int(digit)
        power -= i >= len(whole)
    value = float(number)
    while value and power < -308:
        value, power = value / 1e308, power + 308
    if power >= 0:
        value *= float(f"1e{min(power, 999)}") if value else 1.0
    else:
        value /= float(f"1e{max(power, -308) * -1}")
    return value
