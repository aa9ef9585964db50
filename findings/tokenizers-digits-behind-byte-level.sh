#!/bin/sh
# tokenizers 0.23.3: Digits behind ByteLevel, as in Falcon's tokenizer.json, cuts letters of many scripts in two.
#
# Good guess: Digits cuts before and behind numbers, and nowhere else. Where it stands among the pre_tokenizers changes
#             nothing for a text without numbers.
# Seen:       ByteLevel has made a letter of each byte by then. The bytes B2, B3, B9, BC, BD and BE become the letters
#             superscript two, three and one, and a quarter, a half and three quarters, which Digits takes for numbers.
#             So a character with such a byte is cut inside: the Chinese for "not", E6 B2 A1, into three parts. In front
#             of ByteLevel, Digits leaves it whole.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import tokenizers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

TEXT = "\N{CJK UNIFIED IDEOGRAPH-6CA1}"


def parts(*steps):
    return len(Sequence(list(steps)).pre_tokenize_str(TEXT))


behind = parts(ByteLevel(add_prefix_space=False), Digits(individual_digits=False))
before = parts(Digits(individual_digits=False), ByteLevel(add_prefix_space=False))
print("tokenizers", tokenizers.__version__)
print(f"{TEXT.encode().hex(' ')}: {behind} parts with Digits behind ByteLevel, {before} with Digits before it")
sys.exit((behind, before) != (3, 1))
PYTHON
