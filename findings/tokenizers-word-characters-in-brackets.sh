#!/bin/sh
# tokenizers 0.23.3: the regular expression \w, and the same in brackets, in Split and Replace (Oniguruma).
#
# Good guess: \w and [\w] match the same characters, so that [^\w] is what \w leaves over.
# Seen:       six characters of Latin-1 (U+00B2, B3, B9, BC, BD, BE: powers and fractions) are matched by \w and not by
#             [\w]; so "\w+|[^\w\s]+", which seems to part text in two kinds, meets them with both of its branches.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import tokenizers
from tokenizers import Regex, pre_tokenizers

codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def matched(pattern):
    left = pre_tokenizers.Split(Regex(f"{pattern}+"), "removed").pre_tokenize_str("".join(map(chr, codes)))
    return set(codes) - {ord(character) for part, _ in left for character in part}


outside, inside = matched(r"\w"), matched(r"[\w]")
print("tokenizers", tokenizers.__version__)
print(rf"\w: {len(outside)} characters, [\w]: {len(inside)}; only one: {[hex(code) for code in sorted(outside ^ inside)]}")
parts = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "isolated").pre_tokenize_str("a\u00bd -\u00bd")
print("parts:", [part for part, _ in parts])
sys.exit(sorted(outside - inside) != [0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE] or bool(inside - outside))
PYTHON
